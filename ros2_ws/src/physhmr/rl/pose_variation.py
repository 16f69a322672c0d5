"""Motion taken further than a library reaches: limbs held differently, upper bodies exchanged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from physhmr.body.humanoid_mjcf import CONTROL_HZ
from physhmr.body.kinematics import forward_kinematics
from physhmr.body.points import place_points
from physhmr.body.skeleton import HINGE_NAMES, Skeleton
from physhmr.body.soles import sole_corners
from physhmr.types import NUM_HINGES, Array

_UPPER = 7 + HINGE_NAMES.index("Torso_x")
_ARMS = np.array([name.split("_")[0] in ("L", "R") for name in HINGE_NAMES])
LEGS = np.arange(NUM_HINGES) < _UPPER - 7
"""(69,) True for hinges of the legs."""


@dataclass(frozen=True)
class PoseVariationCfg:
    """How far poses are taken from the clips'; radians are standard deviations."""

    swap: float = 0.4
    """Share of the sequences that have another sequence's upper body."""
    share: float = 0.6
    """Of the sequences: those whose arms and trunk are held differently."""
    leg_share: float = 0.2
    """Of the sequences: those whose legs are, too. In the others they tell where in a step they are, and so does a
    foot that is hardly seen."""
    arm: float = 0.25
    trunk: float = 0.06
    leg: float = 0.12


def varied(
    qpos: Array, other: Array, skeleton: Skeleton, random: np.random.Generator, cfg: PoseVariationCfg
) -> tuple[Array, Array, Array]:
    """(N, T, 76) motion whose upper body is at times another's, whose limbs are held differently, on the same floor.

    With it the poses of its bodies (N, T, 24, 3), (N, T, 24, 3, 3). A library is never large enough: what people do
    with their arms has little to do with what their legs do.
    """
    count, frames = qpos.shape[:2]
    made, time = qpos.copy(), np.arange(frames) / CONTROL_HZ
    swapped = random.random(count) < cfg.swap
    made[swapped, :, _UPPER:] = other[swapped, :, _UPPER:]
    spread = np.where(LEGS, cfg.leg, np.where(_ARMS, cfg.arm, cfg.trunk))
    held = random.normal(size=(count, 1, NUM_HINGES))
    turns = random.uniform(0.1, 0.6, (count, 1, 1)) * time[:, None] + random.random((count, 1, NUM_HINGES))
    changed = random.random((count, 1, 1)) < np.where(LEGS, cfg.leg_share, cfg.share)
    made[..., 7:] += changed * spread * (held + random.normal(size=held.shape) * np.sin(2.0 * np.pi * turns))
    made[..., 7:] = np.clip(made[..., 7:], *skeleton.ranges.T)
    pos, rot = forward_kinematics(made, skeleton)
    corners = sole_corners(skeleton)
    before, after = (
        place_points(corners, *bodies)[..., 2].min(-1) for bodies in (forward_kinematics(qpos, skeleton), (pos, rot))
    )
    made[..., 2] += before - after
    pos[..., 2] += (before - after)[..., None]
    return made, pos, rot
