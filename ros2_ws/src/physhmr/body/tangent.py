"""Differences of poses and steps along them, as MuJoCo's velocities are: root in the world, turn in the body."""

from __future__ import annotations

import numpy as np

from physhmr.geometry.rotation import quat_conjugate, quat_multiply, quat_to_rotvec, rotvec_to_quat
from physhmr.types import Array


def pose_shifted(qpos: Array, offset_w: Array) -> Array:
    """(..., 76) the pose moved by (3,) m, as it is."""
    shifted = qpos.copy()
    shifted[..., :3] += offset_w
    return shifted


def pose_difference(start: Array, end: Array) -> Array:
    """(..., 75) tangent that carries (..., 76) `start` to `end`: root translation (world), turn (body), hinges."""
    turn = quat_to_rotvec(quat_multiply(quat_conjugate(start[..., 3:7]), end[..., 3:7]))
    return np.concatenate([end[..., :3] - start[..., :3], turn, end[..., 7:] - start[..., 7:]], -1)


def pose_add(qpos: Array, tangent: Array) -> Array:
    """(..., 76) the pose `tangent` away from `qpos`, the inverse of `pose_difference`."""
    quat = quat_multiply(qpos[..., 3:7], rotvec_to_quat(tangent[..., 3:6]))
    quat = quat / np.linalg.norm(quat, axis=-1, keepdims=True)
    return np.concatenate([qpos[..., :3] + tangent[..., :3], quat, qpos[..., 7:] + tangent[..., 6:]], -1)


def pose_between(start: Array, end: Array, share: float) -> Array:
    """(..., 76) the pose a share of the way from `start` to `end`, 0 to 1."""
    return pose_add(start, share * pose_difference(start, end))
