"""Gestures: arms that move between key poses, hold them, and come down again."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from scipy.ndimage import gaussian_filter1d

from physhmr.body.skeleton import BODY_INDEX
from physhmr.motion.footsteps import smoothstep
from physhmr.types import Array

# Directions of the left upper arm and forearm in the chest frame (x forward, y left, z up).
ARM_POSES: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "down": ((0.05, 0.15, -1.0), (0.25, 0.10, -1.0)), "side": ((0.10, 1.0, 0.0), (0.30, 1.0, 0.0)),
    "forward": ((1.0, 0.1, 0.0), (1.0, 0.0, 0.15)), "up": ((0.10, 0.25, 1.0), (0.25, 0.05, 1.0)),
    "wave": ((0.10, 0.90, -0.1), (0.30, 0.20, 1.0)), "hips": ((-0.30, 0.60, -0.8), (0.5, -0.60, -0.5)),
    "chest": ((0.50, 0.40, -0.7), (0.60, -0.70, 0.2)), "point": ((0.80, 0.50, 0.1), (1.0, 0.40, 0.2)),
    "phone": ((0.30, 0.50, -0.6), (0.40, -0.20, 1.0)), "reach": ((0.70, 0.10, -0.7), (0.80, 0.0, -0.6)),
    "goal": ((0.0, 1.0, 0.0), (0.20, 0.10, 1.0)), "carry": ((0.2, 0.15, -1.0), (1.0, 0.05, 0.1)),
}  # fmt: skip


SWING = 0.8
"""rad of an arm per metre of stride."""
FRAMES_PER_RAD = 16
"""No bone turns faster than this on average, in frames of the control rate."""


def set_arms(rot: Array, liveliness: float, stride: Array, rng: Generator) -> None:
    """Move the arms of (T, 24, 3, 3) in place.

    `liveliness` 0..1 is how often they leave their hanging pose; `stride` (T,) m how far the left foot is ahead
    of the right one: arms swing against the legs.
    """
    both = _arm_directions(liveliness, rng, len(rot))
    mirrored = rng.random() < 0.4
    for side, sign in (("L", 1.0), ("R", -1.0)):
        upper, fore = both if mirrored or side == "L" else _arm_directions(liveliness, rng, len(rot))
        chest = rot[:, BODY_INDEX[f"{side}_Thorax"]]
        flip = np.array([1.0, sign, 1.0])
        swing = -SWING * sign * stride[:, None] * np.array([1.0, 0.0, 0.0])
        shoulder, elbow = _arm_rotations(_unit(upper * flip + swing), _unit(fore * flip + swing), sign)
        rot[:, BODY_INDEX[f"{side}_Shoulder"]] = chest @ shoulder
        for name in ("Elbow", "Wrist", "Hand"):
            rot[:, BODY_INDEX[f"{side}_{name}"]] = chest @ elbow


def _arm_directions(liveliness: float, rng: Generator, frames: int) -> tuple[Array, Array]:
    """Unit directions (T, 3) of upper arm and forearm between random key poses, eased."""
    keys = np.zeros((frames, 6))
    frame, current = 0, np.ravel(ARM_POSES["down"])
    while frame < frames:
        name = str(rng.choice(list(ARM_POSES))) if rng.random() < liveliness else "down"
        # Both bones vary together: the elbow keeps its bend, and with it the arm its twist.
        goal = np.ravel(ARM_POSES[name]) + np.tile(rng.normal(0, 0.15, 3), 2) + rng.normal(0, 0.04, 6)
        move, hold = int(rng.integers(12, 45)), int(rng.integers(0, 40))
        move = max(move, int(FRAMES_PER_RAD * _largest_turn(current, goal)))
        ease = smoothstep(np.linspace(0, 1, move))[:, None]
        block = np.concatenate([current + ease * (goal - current), np.repeat(goal[None], hold, 0)])
        keys[frame : frame + len(block)] = block[: frames - frame]
        frame, current = frame + len(block), goal
    keys = gaussian_filter1d(keys, 2.0, axis=0, mode="nearest")
    upper, fore = keys[:, :3], keys[:, 3:]
    return _unit(upper), _unit(fore)


def _largest_turn(first: Array, last: Array) -> float:
    """rad, the larger angle of the two bones' directions (6,) -> (6,)."""
    a, b = first.reshape(2, 3), last.reshape(2, 3)
    cosine = np.sum(a * b, 1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return float(np.arccos(np.clip(cosine, -1, 1)).max())


def _arm_rotations(upper: Array, fore: Array, sign: float) -> tuple[Array, Array]:
    """Rotations of upper arm and forearm whose y axes (left: outward) lie along the bones, elbow about z."""
    bend = fore - np.sum(fore * upper, -1, keepdims=True) * upper
    # A straight arm has no bend direction; a little of "forward and inward" defines one.
    bend = gaussian_filter1d(bend + 0.3 * np.array([1.0, -0.3 * sign, 0.2]), 4.0, axis=0, mode="nearest")
    shoulder = frame_with(y=sign * upper, x_hint=bend)
    # The elbow turns about the upper arm's z, so both have it in common; their x axes may be at right angles.
    elbow = frame_with(y=sign * fore, x_hint=np.cross(sign * fore, shoulder[..., 2]))
    return shoulder, elbow


def frame_with(x_hint: Array, y: Array | None = None, z: Array | None = None) -> Array:
    """(T, 3, 3) with the given unit y or z axis and an x axis as near as possible to the hint."""
    axis = y if y is not None else z
    assert axis is not None
    x = x_hint - np.sum(x_hint * axis, -1, keepdims=True) * axis
    x = x / np.linalg.norm(x, axis=-1, keepdims=True)
    columns = [x, axis, np.cross(x, axis)] if y is not None else [x, np.cross(axis, x), axis]
    return np.stack(columns, -1)


def _unit(vectors: Array) -> Array:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
