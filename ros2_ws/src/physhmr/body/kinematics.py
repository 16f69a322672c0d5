"""Forward kinematics of the humanoid in plain numpy, for those who draw or measure and have no simulator."""

from __future__ import annotations

import numpy as np

from physhmr.body.skeleton import BODY_NAMES, PARENTS, Skeleton
from physhmr.errors import ShapeError
from physhmr.geometry.rotation import hinges_to_matrix, quat_to_matrix
from physhmr.types import NQ, Array


def forward_kinematics(qpos: Array, skeleton: Skeleton) -> tuple[Array, Array]:
    """Return body origins (..., 24, 3) m and rotations (..., 24, 3, 3) in the world for qpos (..., 76).

    MuJoCo order; each joint turns by R = Rx Ry Rz. Raises `ShapeError` for another width.
    """
    qpos = np.asarray(qpos, float)
    if qpos.shape[-1:] != (NQ,):
        raise ShapeError("qpos", f"(..., {NQ})", qpos.shape)
    local = hinges_to_matrix(qpos[..., 7:].reshape(*qpos.shape[:-1], -1, 3))
    rot = np.empty((*qpos.shape[:-1], len(BODY_NAMES), 3, 3))
    rot[..., 0, :, :] = quat_to_matrix(qpos[..., 3:7])
    for body, parent in enumerate(PARENTS[1:], start=1):
        rot[..., body, :, :] = rot[..., parent, :, :] @ local[..., body - 1, :, :]
    return body_origins(qpos[..., :3], rot, skeleton), rot


def body_origins(root: Array, rot: Array, skeleton: Skeleton) -> Array:
    """(..., 24, 3) m, body origins in the world, for the pelvis at `root` (..., 3) m and rotations (..., 24, 3, 3)."""
    pos = np.empty(rot.shape[:-1])
    pos[..., 0, :] = root
    for body, parent in enumerate(PARENTS[1:], start=1):
        pos[..., body, :] = pos[..., parent, :] + rot[..., parent, :, :] @ skeleton.offsets[body]
    return pos
