"""The humanoid's pose in SMPL's words, for everything that speaks SMPL: mesh viewers, avatars, motion data sets.

SMPL: Loper et al., "SMPL: A Skinned Multi-Person Linear Model", SIGGRAPH Asia 2015. Its body stands in a T-pose,
x left, y up, z forward; a pose is one rotation vector a joint, about axes parallel to those, in its parent. Our
bodies are its 24 joints, with our own bones between them: rotations carry over as they are, its shape does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from physhmr.body.skeleton import SMPL_TO_MUJOCO
from physhmr.errors import NonFiniteError, ShapeError
from physhmr.geometry.rotation import (
    Y_UP_TO_Z_UP,
    hinges_to_quat,
    matrix_to_quat,
    quat_multiply,
    quat_to_rotvec,
)
from physhmr.types import NQ, NUM_BODIES, NUM_HINGES, Array

NUM_BETAS = 10
"""Shape parameters that every release of SMPL has."""
_SMPL_QUAT = matrix_to_quat(Y_UP_TO_Z_UP)
"""(4,) wxyz, the orientation of SMPL's axes in those of our bodies."""
_HINGE_ROWS = np.array(SMPL_TO_MUJOCO[1:]) - 1


@dataclass(frozen=True)
class SmplParameters:
    """Pose and place of one body or many, as `smplx` names them; its shape is SMPL's mean, betas of zero.

    The model's y-up body is laid into a z-up world by the root's rotation, as AMASS does.
    """

    global_orient: Array
    """(..., 3) rad, rotation vector of the root joint from SMPL's axes into the world's (z up)."""
    body_pose: Array
    """(..., 69) rad, rotation vectors of the 23 other joints in SMPL's order, each in its parent, SMPL's axes."""
    transl: Array
    """(..., 3) m, where the root joint is in the world. `smplx` puts it at its transl + J_root(betas), the root in the
    rest pose, which is zero for our bones: of another body, J_root must be taken off first."""

    def __post_init__(self) -> None:
        leading = np.shape(self.transl)[:-1]
        for name, width in (("global_orient", 3), ("body_pose", NUM_HINGES), ("transl", 3)):
            value = np.asarray(getattr(self, name), float)
            if value.shape != (*leading, width):
                raise ShapeError(name, (*leading, width), value.shape)
            if not np.isfinite(value).all():
                raise NonFiniteError(name, int(np.count_nonzero(~np.isfinite(value))))
            object.__setattr__(self, name, value)


def smpl_parameters(qpos: Array) -> SmplParameters:
    """Return what moves SMPL's joints like our bodies, for qpos (..., 76) in a z-up world.

    Rotation vectors are the shortest, up to pi long: they may jump from one step to the next, rotations do not.
    Raises `ShapeError` for another width.
    """
    qpos = np.asarray(qpos, float)
    if qpos.shape[-1:] != (NQ,):
        raise ShapeError("qpos", f"(..., {NQ})", qpos.shape)
    leading = qpos.shape[:-1]
    local = hinges_to_quat(qpos[..., 7:].reshape(*leading, NUM_BODIES - 1, 3))
    # A turn about v is, for somebody who names the axes differently, a turn about v with other coordinates.
    body_pose = quat_to_rotvec(local[..., _HINGE_ROWS, :]) @ Y_UP_TO_Z_UP
    root = qpos[..., 3:7] / np.linalg.norm(qpos[..., 3:7], axis=-1, keepdims=True)
    global_orient = quat_to_rotvec(quat_multiply(root, np.broadcast_to(_SMPL_QUAT, root.shape)))
    return SmplParameters(global_orient, body_pose.reshape(*leading, NUM_HINGES), qpos[..., :3])
