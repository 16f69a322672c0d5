from __future__ import annotations

import mujoco
import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import build_model
from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import Shape, Skeleton
from physhmr.errors import ShapeError


def random_qpos(count: int) -> np.ndarray:
    qpos = np.random.default_rng(0).uniform(-1.0, 1.0, (count, 76))
    qpos[:, 3:7] /= np.linalg.norm(qpos[:, 3:7], axis=1, keepdims=True)
    return qpos


def test_it_agrees_with_mujoco() -> None:
    shape = Shape(height=1.83, mass=80.0)
    model = build_model(shape)
    sim, poses = mujoco.MjData(model), random_qpos(6)
    pos, rot = forward_kinematics(poses, Skeleton(shape))
    for row, qpos in enumerate(poses):
        sim.qpos[:] = qpos
        mujoco.mj_kinematics(model, sim)
        np.testing.assert_allclose(pos[row], sim.xpos[1:], atol=1e-8)
        np.testing.assert_allclose(rot[row].reshape(-1, 9), sim.xmat[1:], atol=1e-8)


def test_batches_and_single_poses_agree() -> None:
    poses = random_qpos(6).reshape(2, 3, 76)
    pos, rot = forward_kinematics(poses, Skeleton())
    alone = forward_kinematics(poses[1, 2], Skeleton())
    np.testing.assert_allclose(pos[1, 2], alone[0])
    np.testing.assert_allclose(rot[1, 2], alone[1])


def test_another_width_is_refused() -> None:
    with pytest.raises(ShapeError, match="76"):
        forward_kinematics(np.zeros((3, 75)), Skeleton())
