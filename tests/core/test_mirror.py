"""The observation of a mirrored state is the mirrored observation of the state; so are actions and networks."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("rsl_rl")

from tensordict import TensorDict  # noqa: E402

from physhmr.body.skeleton import HINGE_NAMES, Skeleton, mirror_name  # noqa: E402
from physhmr.geometry.rotation import rotvec_to_quat  # noqa: E402
from physhmr.motion.clip import clip_velocities, mirror_qpos  # noqa: E402
from physhmr.policy.action import NUM_ACTIONS, on_all_hinges, residual_target  # noqa: E402
from physhmr.policy.kinematics import Kinematics  # noqa: E402
from physhmr.policy.mirror import mirror_action, mirror_observation  # noqa: E402
from physhmr.policy.observation import expert_observation  # noqa: E402
from physhmr.rl.runner import actor_config  # noqa: E402
from physhmr.rl.symmetric_model import SymmetricModel  # noqa: E402
from physhmr.types import Array  # noqa: E402

KINEMATICS = Kinematics(Skeleton())


def motion(seed: int) -> Array:
    """(8, 76) a path through random poses."""
    rng = np.random.default_rng(seed)
    start, step = rng.normal(0, 0.4, 76), rng.normal(0, 0.05, 76)
    qpos = start + np.arange(8)[:, None] * step
    qpos[:, 3:7] = rotvec_to_quat(qpos[:, 3:6])
    return qpos


def observe(state: Array, reference: Array) -> torch.Tensor:
    """(8, 580) observations of one path whose reference is another."""
    rows = [state, clip_velocities(state, 30.0), reference, clip_velocities(reference, 30.0)]
    qpos, qvel, qpos_ref, qvel_ref = (torch.tensor(row, dtype=torch.float32) for row in rows)
    return expert_observation(KINEMATICS(qpos, qvel), KINEMATICS(qpos_ref, qvel_ref), qpos, qpos_ref, qvel_ref)


@pytest.mark.parametrize("seed", range(3))
def test_observing_commutes_with_mirroring(seed: int) -> None:
    state, reference = motion(seed), motion(seed + 10)
    mirrored = observe(mirror_qpos(state), mirror_qpos(reference))
    torch.testing.assert_close(mirrored, mirror_observation(observe(state, reference)), atol=2e-4, rtol=1e-4)


def test_mirroring_twice_changes_nothing() -> None:
    obs, action = torch.randn(4, 580), torch.randn(4, NUM_ACTIONS)
    assert torch.equal(mirror_observation(mirror_observation(obs)), obs)
    assert torch.equal(mirror_action(mirror_action(action)), action)


def test_a_mirrored_action_turns_the_other_sides_hinges() -> None:
    action, zero = torch.randn(1, NUM_ACTIONS), torch.zeros(1, 69)
    here = dict(zip(HINGE_NAMES, residual_target(on_all_hinges(action), zero, zero)[0].tolist(), strict=True))
    there = dict(
        zip(HINGE_NAMES, residual_target(on_all_hinges(mirror_action(action)), zero, zero)[0].tolist(), strict=True)
    )
    for name, angle in here.items():
        body, axis = name.rsplit("_", 1)
        assert there[f"{mirror_name(body)}_{axis}"] == pytest.approx(angle if axis == "y" else -angle)


def test_the_network_is_symmetric_whatever_it_has_seen() -> None:
    obs = TensorDict({"policy": torch.randn(32, 580) + torch.randn(580)}, batch_size=[32])
    options = {key: value for key, value in actor_config().items() if key != "class_name"}
    actor = SymmetricModel(obs, {"actor": ["policy"]}, "actor", NUM_ACTIONS, **options)
    critic = SymmetricModel(obs, {"critic": ["policy"]}, "critic", 1, hidden_dims=[8], obs_normalization=True)
    for model in (actor, critic):
        model.update_normalization(obs)
    mirrored = TensorDict({"policy": mirror_observation(obs["policy"])}, batch_size=[32])
    torch.testing.assert_close(actor(mirrored), mirror_action(actor(obs)), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(critic(mirrored), critic(obs), atol=1e-5, rtol=1e-4)
    exported = actor.as_onnx(verbose=False)
    torch.testing.assert_close(exported(obs["policy"]), actor.eval()(obs))


def test_a_network_that_may_be_rough_gives_nearly_the_same_and_learns_nearly_the_same() -> None:
    obs = TensorDict({"policy": torch.randn(256, 580)}, batch_size=[256])
    options = {key: value for key, value in actor_config().items() if key != "class_name"}
    actor = SymmetricModel(obs, {"actor": ["policy"]}, "actor", NUM_ACTIONS, **options)

    def answer() -> tuple[torch.Tensor, torch.Tensor]:
        actor.zero_grad()
        action = actor(obs)
        action.square().mean().backward()
        return action.detach(), torch.cat([p.grad.flatten() for p in actor.mlp.parameters() if p.grad is not None])

    exact, exact_gradient = answer()
    torch.set_float32_matmul_precision("medium")
    rough, rough_gradient = answer()
    # bfloat16 has 8 bits, and errors of many units partly cancel.
    assert rough.dtype == rough_gradient.dtype == torch.float32
    assert float((rough - exact).norm() / exact.norm()) < 0.02
    assert float((rough_gradient - exact_gradient).norm() / exact_gradient.norm()) < 0.03
