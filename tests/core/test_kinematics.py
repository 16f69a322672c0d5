"""Kinematics in torch against MuJoCo: positions, rotations, and velocities by its own Jacobians."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from physhmr.body.humanoid_mjcf import build_model  # noqa: E402
from physhmr.body.skeleton import BODY_INDEX, BODY_NAMES, Shape, Skeleton, mirror_name  # noqa: E402
from physhmr.motion.clip import mirror_qpos  # noqa: E402
from physhmr.policy.kinematics import BodyMotion, Kinematics, compose, quat_to_matrix, rotate  # noqa: E402

MIRROR = np.diag([1.0, -1.0, 1.0])
SWAP = [BODY_INDEX[mirror_name(name)] for name in BODY_NAMES]


def random_states(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    qpos = rng.uniform(-1.2, 1.2, (count, 76))
    qpos[:, 3:7] = rng.normal(size=(count, 4))
    qpos[:, 3:7] /= np.linalg.norm(qpos[:, 3:7], axis=1, keepdims=True)
    return qpos, rng.normal(size=(count, 75))


def exact(skeleton: Skeleton, qpos: np.ndarray, qvel: np.ndarray) -> BodyMotion:
    """In double precision, so that the tolerance is about the formulas and not about float32."""
    kinematics = Kinematics(skeleton).double()
    kinematics.offsets = torch.tensor(skeleton.offsets)
    return kinematics(torch.tensor(qpos), torch.tensor(qvel))


def test_poses_and_velocities_equal_mujocos() -> None:
    shape = Shape(height=1.83, mass=80.0)
    model, (qpos, qvel) = build_model(shape), random_states(6)
    motion, sim = exact(Skeleton(shape), qpos, qvel), mujoco.MjData(model)
    jac_pos, jac_rot = np.zeros((3, model.nv)), np.zeros((3, model.nv))
    for row in range(len(qpos)):
        sim.qpos[:], sim.qvel[:] = qpos[row], qvel[row]
        mujoco.mj_fwdPosition(model, sim)
        np.testing.assert_allclose(motion.pos[row], sim.xpos[1:], atol=1e-8)
        np.testing.assert_allclose(motion.rot[row].reshape(24, 9), sim.xmat[1:], atol=1e-8)
        for body in range(24):
            # mj_jacBody: the body's origin, world axes.
            mujoco.mj_jacBody(model, sim, jac_pos, jac_rot, body + 1)
            np.testing.assert_allclose(motion.linvel[row, body], jac_pos @ qvel[row], atol=1e-7)
            np.testing.assert_allclose(motion.angvel[row, body], jac_rot @ qvel[row], atol=1e-7)


def test_velocities_are_the_positions_derivative() -> None:
    qpos, qvel = random_states(4, seed=1)
    skeleton, model, step = Skeleton(), build_model(), 1e-6
    moved = qpos.copy()
    for row in range(len(qpos)):
        mujoco.mj_integratePos(model, moved[row], qvel[row], step)
    before, after = exact(skeleton, qpos, qvel), exact(skeleton, moved, qvel)
    np.testing.assert_allclose((after.pos - before.pos) / step, before.linvel, atol=1e-4)
    spin = (after.rot - before.rot) / step @ before.rot.transpose(-1, -2)
    axial = torch.stack([spin[..., 2, 1], spin[..., 0, 2], spin[..., 1, 0]], -1)
    np.testing.assert_allclose(axial, before.angvel, atol=1e-4)


def test_mirrored_pose_is_the_reflected_body() -> None:
    qpos, qvel = random_states(4, seed=2)
    plain, mirrored = exact(Skeleton(), qpos, qvel), exact(Skeleton(), mirror_qpos(qpos), qvel)
    np.testing.assert_allclose(mirrored.pos, (plain.pos.numpy() @ MIRROR)[:, SWAP], atol=1e-12)
    np.testing.assert_allclose(mirrored.rot, (MIRROR @ plain.rot.numpy() @ MIRROR)[:, SWAP], atol=1e-12)


def test_single_precision_is_enough_for_millimetres() -> None:
    qpos, qvel = random_states(16, seed=3)
    single = Kinematics(Skeleton())(torch.tensor(qpos).float(), torch.tensor(qvel).float())
    assert (single.pos - exact(Skeleton(), qpos, qvel).pos).abs().max() < 1e-5


def test_written_out_products_are_matrix_products() -> None:
    A, B = torch.randn(5, 7, 3, 3), torch.randn(5, 7, 3, 3)
    torch.testing.assert_close(compose(A, B), A @ B)
    torch.testing.assert_close(rotate(A, B[..., 0]), (A @ B[..., :1])[..., 0])


def test_quaternions_need_not_be_normalised() -> None:
    quat = torch.randn(6, 4)
    torch.testing.assert_close(quat_to_matrix(quat), quat_to_matrix(3.0 * quat))


def test_indexing_selects_along_the_batch() -> None:
    motion = exact(Skeleton(), *random_states(5))
    chosen = motion[torch.tensor([3, 1])]
    assert chosen.pos.shape == (2, 24, 3)
    torch.testing.assert_close(chosen.angvel[0], motion.angvel[3])


def test_bodies_stay_exact_where_networks_may_be_rough() -> None:
    qpos, qvel = (torch.tensor(value).float() for value in random_states(256, seed=4))
    qpos[:, :2] += 7.3
    plain = Kinematics(Skeleton())(qpos, qvel)
    torch.set_float32_matmul_precision("medium")
    try:
        rough = Kinematics(Skeleton())(qpos, qvel)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert torch.equal(rough.pos, plain.pos) and torch.equal(rough.linvel, plain.linvel)
    assert torch.equal(rough.angvel, plain.angvel)
