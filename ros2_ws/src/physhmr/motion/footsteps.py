"""Paths of feet over the floor: standing, stepping on the spot, side steps, walks that turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from physhmr.body.skeleton import BODY_INDEX, Skeleton
from physhmr.types import Array


@dataclass(frozen=True)
class Gait:
    """How a step is drawn; frames are those of the control rate."""

    advance: tuple[float, float] = (0.0, 0.0)
    """m per step, the range from which a clip draws its mean, along the heading."""
    sideways: tuple[float, float] = (0.0, 0.0)
    """m per step; its sign, the side, is drawn too."""
    wander: tuple[float, float] = (0.10, 0.05)
    """m, standard deviation of each step along and across the heading."""
    turn: float = 0.22
    """rad, standard deviation of each step's change of heading."""
    curve: float = 0.0
    """rad per step, standard deviation of a clip's mean change of heading."""
    swing: tuple[int, int] = (13, 20)
    """Frames a foot is in the air."""
    pause: tuple[int, int] = (3, 14)
    """Frames on both feet."""
    hold: tuple[int, int] = (0, 0)
    """Frames a foot is held up, in place of a step; (0, 0): it never is."""
    places: tuple[int, int] = (1, 2)
    """At how many places, one after the other, before it is set down."""
    raised: tuple[float, float] = (0.08, 0.40)
    """m, how high it is held."""
    outward: float = 0.0
    """m, how far from where it will stand it is held on average."""
    aside: tuple[float, float] = (0.12, 0.08)
    """m, standard deviation of where it is held, along and across the heading."""

    @property
    def on_one_leg(self) -> bool:
        """Whether feet are held up, in place of steps."""
        return self.hold[1] > 0


GAITS: dict[str, Gait | None] = {
    "none": None,
    "spot": Gait(),
    "walk": Gait(advance=(0.20, 0.42), wander=(0.02, 0.01), turn=0.03, curve=0.07, swing=(11, 15), pause=(2, 5)),
    "amble": Gait(advance=(0.10, 0.22), wander=(0.04, 0.02), turn=0.10, curve=0.10, swing=(13, 19), pause=(3, 9)),
    "back": Gait(advance=(-0.20, -0.10), wander=(0.03, 0.01), turn=0.04, curve=0.05, swing=(14, 19), pause=(4, 9)),
    "one_leg": Gait(wander=(0.03, 0.02), turn=0.06, swing=(16, 32), pause=(18, 40), hold=(5, 50)),
    "balance": Gait(
        wander=(0.03, 0.02),
        turn=0.06,
        swing=(12, 26),
        pause=(18, 40),
        hold=(1, 16),
        places=(1, 4),
        raised=(0.08, 0.50),
        outward=0.3,
        aside=(0.22, 0.15),
    ),
    "side": Gait(sideways=(0.10, 0.20), wander=(0.02, 0.02), turn=0.04, swing=(12, 18), pause=(3, 9)),
}


def foot_paths(
    gait: Gait | None, half_width: float, frames: int, rng: Generator, skeleton: Skeleton
) -> tuple[Array, Array]:
    """Ankle centres (T, 2, 3) m and yaws (T, 2) rad, left then right; `half_width` m is half the stance's width."""
    height = skeleton.rest_points[BODY_INDEX["L_Ankle"], 2]
    toe_out = rng.uniform(0.0, 0.35 if gait is None or gait.advance == (0.0, 0.0) else 0.12)
    pos = np.tile([[0.0, half_width, height], [0.0, -half_width, height]], (frames, 1, 1))
    yaw = np.tile([toe_out, -toe_out], (frames, 1))
    if gait is not None:
        _add_steps(pos, yaw, gait, half_width, toe_out, rng)
    return pos, yaw


def _add_steps(pos: Array, yaw: Array, gait: Gait, half: float, toe_out: float, rng: Generator) -> None:
    """Alternate steps: each swing follows a smooth arc while the other foot stands."""
    advance, drift = rng.uniform(*gait.advance), rng.uniform(*gait.sideways) * rng.choice([-1.0, 1.0])
    curve, lift = rng.normal(0, gait.curve), rng.uniform(0.05, 0.11)
    # Side steps begin with the foot on the side they go to, so that the legs do not cross.
    frame, foot = int(rng.integers(15, 35)), int(drift < 0) if drift else int(rng.integers(2))
    center, heading = np.zeros(2), 0.0
    while True:
        swing = int(rng.integers(*gait.swing))
        holds = [int(rng.integers(*gait.hold)) for _ in range(rng.integers(*gait.places))] if gait.on_one_leg else [0]
        held = sum(holds) + (len(holds) - 1) * (swing // 2)
        if frame + swing + held + 4 >= len(pos):
            return
        center = center + turned(np.array([advance, drift]) + rng.normal(0, gait.wander), heading)
        heading += curve + rng.normal(0, gait.turn)
        side = 1.0 if foot == 0 else -1.0
        goal = center + turned(np.array([0.0, side * half]), heading)
        span, goal_yaw = slice(frame, frame + swing + held), heading + side * toe_out
        if gait.on_one_leg:
            places = []
            for _ in holds:
                aside = rng.normal((0.0, side * gait.outward), gait.aside)
                places.append([*(goal + turned(aside, heading)), rng.uniform(*gait.raised)])
            track = _from_place_to_place(np.array(places), holds, swing // 2)
            _hold_up(pos[:, foot], yaw[:, foot], span, track, goal, goal_yaw)
        else:
            _swing(pos[:, foot], yaw[:, foot], span, goal, goal_yaw, lift)
        frame, foot = span.stop + int(rng.integers(*gait.pause)), 1 - foot


def _swing(pos: Array, yaw: Array, span: slice, goal: Array, goal_yaw: float, lift: float) -> None:
    """Move one foot's (T, 3) and (T,) in place over `span`; it stays at the goal from then on."""
    phase = smoothstep(np.linspace(0, 1, span.stop - span.start))
    start, start_yaw = pos[span.start, :2].copy(), yaw[span.start]
    pos[span, :2] = start + phase[:, None] * (goal - start)
    pos[span, 2] += lift * np.sin(np.pi * phase) ** 2
    yaw[span] = start_yaw + phase * (goal_yaw - start_yaw)
    pos[span.stop :, :2], yaw[span.stop :] = goal, goal_yaw


def _from_place_to_place(places: Array, holds: list[int], move: int) -> Array:
    """(F, 3): at each of the places (P, 3) for as many frames as it is held, `move` frames from one to the next."""
    parts = [np.repeat(places[:1], holds[0], 0)]
    for place, goal, held in zip(places[:-1], places[1:], holds[1:], strict=True):
        parts += [place + smoothstep(np.linspace(0, 1, move))[:, None] * (goal - place), np.repeat(goal[None], held, 0)]
    return np.concatenate(parts)


def _hold_up(pos: Array, yaw: Array, span: slice, track: Array, goal: Array, goal_yaw: float) -> None:
    """Raise one foot in place over `span`, let it go along `track` (F, 3: x, y, height), set it down at the goal."""
    frames = span.stop - span.start
    up = (frames - len(track)) // 2
    rising = smoothstep(np.linspace(0, 1, up))
    height = np.concatenate([rising, np.ones(frames - 2 * up), rising[::-1]])
    start, half = pos[span.start, :2].copy(), frames // 2
    base = np.where(np.arange(frames)[:, None] < half, start, goal)
    held_at = track[np.clip(np.arange(frames) - up, 0, len(track) - 1)]
    pos[span, :2] = base + height[:, None] * (held_at[:, :2] - base)
    pos[span, 2] += held_at[:, 2] * height
    yaw[span] += smoothstep(np.linspace(0, 1, frames)) * (goal_yaw - yaw[span.start])
    pos[span.stop :, :2], yaw[span.stop :] = goal, goal_yaw


def smoothstep(t: Array) -> Array:
    """Ease from 0 to 1 with zero velocity and acceleration at both ends."""
    return t * t * t * (t * (6 * t - 15) + 10)


def turned(vector: Array, yaw: float) -> Array:
    """(2,) turned by `yaw` rad in the ground plane."""
    return np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]) @ vector
