"""The extrapolated centre of mass: MuJoCo's own, still over its feet, leading a fall, mirrored, wherever one stands."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from physhmr.body.humanoid_mjcf import FOOT_BODIES, build_model, standing_qpos  # noqa: E402
from physhmr.body.skeleton import Skeleton  # noqa: E402
from physhmr.geometry.gravity import STANDARD  # noqa: E402
from physhmr.motion.clip import mirror_qpos  # noqa: E402
from physhmr.policy.kinematics import Kinematics  # noqa: E402
from physhmr.rl.balance import Balance  # noqa: E402
from physhmr.rl.rewards import RewardCfg, balance_penalty  # noqa: E402

SKELETON = Skeleton()
BALANCE, KINEMATICS = Balance(SKELETON), Kinematics(SKELETON)


def states(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(5)
    qpos = np.tile(standing_qpos(SKELETON), (count, 1))
    qpos[:, 7:] += random.normal(0.0, 0.2, (count, 69))
    qpos[:, :2] += random.normal(0.0, 2.0, (count, 2))
    return torch.tensor(qpos).float(), torch.tensor(random.normal(0.0, 0.4, (count, 75))).float()


def test_the_centre_of_mass_and_its_velocity_are_mujocos() -> None:
    model, (qpos, qvel) = build_model(), states(4)
    center, velocity = BALANCE.center_of_mass(KINEMATICS(qpos, qvel))
    data, jacobian = mujoco.MjData(model), np.empty((3, model.nv))
    pelvis = model.body("Pelvis").id
    for row in range(len(qpos)):
        data.qpos[:], data.qvel[:] = qpos[row].numpy(), qvel[row].numpy()
        mujoco.mj_forward(model, data)
        mujoco.mj_jacSubtreeCom(model, data, jacobian, pelvis)
        np.testing.assert_allclose(center[row], data.subtree_com[pelvis], atol=1e-5)
        np.testing.assert_allclose(velocity[row], jacobian @ data.qvel, atol=1e-5)
        middle = np.mean([data.body(foot).xpos for foot in FOOT_BODIES], 0)
        away, time = data.subtree_com[pelvis] - middle, np.sqrt((data.subtree_com[pelvis] - middle)[2] / STANDARD)
        expected = away[:2] + time * (jacobian @ data.qvel)[:2]
        np.testing.assert_allclose(BALANCE(KINEMATICS(qpos, qvel))[row], expected, atol=1e-5)


def test_it_does_not_matter_where_somebody_stands() -> None:
    qpos, qvel = states(3)
    moved = qpos.clone()
    moved[:, :2] += 3.0
    torch.testing.assert_close(BALANCE(KINEMATICS(moved, qvel)), BALANCE(KINEMATICS(qpos, qvel)), atol=1e-5, rtol=0.0)


def test_a_mirrored_body_comes_to_rest_on_the_other_side() -> None:
    qpos, still = states(3)[0], torch.zeros(3, 75)
    mirrored = torch.tensor(mirror_qpos(qpos.double().numpy())).float()
    expected = BALANCE(KINEMATICS(qpos, still)) * torch.tensor([1.0, -1.0])
    torch.testing.assert_close(BALANCE(KINEMATICS(mirrored, still)), expected, atol=1e-5, rtol=0.0)


def test_in_a_free_fall_of_the_pendulum_it_runs_away_exponentially() -> None:
    # c'' = omega^2 (c - p): xi - p grows by exp(omega t), whatever is lost of c - exp(-omega t) vanishes.
    omega, dt = 3.2, 1e-4
    c, v = 0.02, 0.01
    first = c + v / omega
    for _ in range(5000):
        v += dt * omega**2 * c
        c += dt * v
    assert c + v / omega == pytest.approx(first * np.exp(omega * 0.5), rel=1e-3)


def test_the_penalty_is_zero_at_the_reference_and_bounded() -> None:
    cfg, off = RewardCfg(), torch.tensor([[0.0, 0.0], [0.05, 0.0], [0.0, 0.1], [0.2, 0.0], [9.0, 0.0]])
    cost = balance_penalty(off, torch.zeros(5, 2), cfg)
    # Who leans a little to catch up does nothing wrong.
    assert (cost[:2] == 0.0).all() and cfg.balance_slack > 0.05
    assert (cost[1:].diff() > 0).all() and cost[-1] == pytest.approx(cfg.balance_weight)
