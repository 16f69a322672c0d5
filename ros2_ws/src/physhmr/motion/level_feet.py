"""Flat soles: who stands, stands on the whole foot. What tilts a foot all the time is its skeleton's, not the person's.

Feet are what skeletons agree on least: where ankle and toes are in a shoe, and what counts as a foot at rest.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from physhmr.body.humanoid_mjcf import CONTROL_HZ
from physhmr.body.kinematics import body_origins
from physhmr.body.skeleton import BODY_INDEX, Skeleton
from physhmr.motion.onto_humanoid import rotation_between
from physhmr.motion.source import PoseStream
from physhmr.types import Array

STANDS = 0.15
"""m/s; a foot whose ankle and toes are slower stands."""
LOWEST = 0.2, 0.015
"""Of a standing foot's ankle heights this share, and so many m above: with the heel down, unlike on tiptoe."""
ENOUGH = 10
"""Frames that it takes to tell."""
MOST = 0.2
"""rad; a larger tilt is no skeleton's."""


def with_level_feet(stream: PoseStream, skeleton: Skeleton) -> PoseStream:
    """The stream with each foot turned by an angle of its own, the same all the time, so that it stands flat."""
    rot = stream.rot_w.copy()
    pos = body_origins(stream.root_w, rot, skeleton)
    for side in "LR":
        ankle, toe = (BODY_INDEX[f"{side}_{part}"] for part in ("Ankle", "Toe"))
        stands = _stands(pos[:, [ankle, toe]])
        if stands.sum() < ENOUGH:
            continue
        up_from_foot = np.median(rot[stands, ankle, 2], 0)
        turn = rotation_between(np.eye(3)[2], up_from_foot)
        if turn[2, 2] > np.cos(MOST):
            rot[:, [ankle, toe]] = rot[:, [ankle, toe]] @ turn
    return replace(stream, rot_w=rot)


def _stands(foot: Array) -> NDArray[np.bool_]:
    """(T,) True where ankle and toes (T, 2, 3) rest, and the heel is down."""
    still = np.linalg.norm(np.gradient(foot, 1 / CONTROL_HZ, axis=0), axis=-1).max(1) < STANDS
    if not still.any():
        return still
    height = foot[:, 0, 2]
    share, above = LOWEST
    return np.asarray(still & (height < np.quantile(height[still], share) + above))
