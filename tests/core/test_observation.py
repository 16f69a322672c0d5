"""What the policy sees: sizes, and that it is blind to where and which way in the world it happens."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from physhmr.body.skeleton import BODY_INDEX, BODY_NAMES, Skeleton, mirror_name  # noqa: E402
from physhmr.geometry.rotation import quat_multiply, yaw_quat  # noqa: E402
from physhmr.motion.clip import mirror_qpos  # noqa: E402
from physhmr.policy.kinematics import Kinematics  # noqa: E402
from physhmr.policy.observation import (  # noqa: E402
    PROPRIOCEPTION_SIZE,
    TRACKING_SIZE,
    expert_observation,
    heading_rotation,
    proprioception,
    tracking,
)


def kinematics() -> Kinematics:
    module = Kinematics(Skeleton()).double()
    module.offsets = torch.tensor(Skeleton().offsets)
    return module


def random_states(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    qpos = rng.uniform(-0.6, 0.6, (count, 76))
    qpos[:, 3:7] = [1, 0, 0, 0] + 0.4 * rng.normal(size=(count, 4))
    qpos[:, 3:7] /= np.linalg.norm(qpos[:, 3:7], axis=1, keepdims=True)
    return qpos, rng.normal(size=(count, 75))


def observe(qpos: np.ndarray, qvel: np.ndarray, qpos_ref: np.ndarray, qvel_ref: np.ndarray) -> torch.Tensor:
    forward = kinematics()
    rows = [torch.tensor(value) for value in (qpos, qvel, qpos_ref, qvel_ref)]
    body, reference = forward(rows[0], rows[1]), forward(rows[2], rows[3])
    return expert_observation(body, reference, rows[0], rows[2], rows[3])


def moved(qpos: np.ndarray, qvel: np.ndarray, yaw: float, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same state elsewhere in the world, facing another way."""
    turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    qpos, qvel = qpos.copy(), qvel.copy()
    qpos[:, :3] = qpos[:, :3] @ turn.T + shift
    qpos[:, 3:7] = quat_multiply(np.tile(yaw_quat(np.array(yaw)), (len(qpos), 1)), qpos[:, 3:7])
    qvel[:, :3] = qvel[:, :3] @ turn.T
    return qpos, qvel


def test_sizes() -> None:
    assert (PROPRIOCEPTION_SIZE, TRACKING_SIZE) == (358, 222)
    assert observe(*random_states(3, 0), *random_states(3, 1)).shape == (3, 580)


@pytest.mark.parametrize("yaw", [0.7, -2.5, np.pi])
def test_blind_to_place_and_heading(yaw: float) -> None:
    state, reference, shift = random_states(4, 0), random_states(4, 1), np.array([12.0, -7.0, 0.0])
    elsewhere = observe(*moved(*state, yaw, shift), *moved(*reference, yaw, shift))
    torch.testing.assert_close(elsewhere, observe(*state, *reference), atol=1e-9, rtol=0)


def test_sees_its_height_and_where_the_reference_is() -> None:
    state, reference = random_states(4, 0), random_states(4, 1)
    plain = observe(*state, *reference)
    raised = observe(*moved(*state, 0.0, np.array([0, 0, 0.1])), *reference)
    torch.testing.assert_close(raised[:, 0], plain[:, 0] + 0.1)
    aside = observe(*state, *moved(*reference, 0.0, np.array([0.2, 0.0, 0.0])))
    torch.testing.assert_close(aside[:, :358], plain[:, :358])
    assert (aside[:, 358:430] - plain[:, 358:430]).reshape(4, 24, 3).norm(dim=-1).sub(0.2).abs().max() < 1e-9


def test_tracking_part_vanishes_on_the_reference() -> None:
    qpos, qvel = random_states(3, 4)
    body = kinematics()(torch.tensor(qpos), torch.tensor(qvel))
    rows = torch.tensor(qpos), torch.tensor(qpos), torch.tensor(qvel)
    difference = tracking(body, body, *rows)
    assert difference[:, :72].abs().max() == 0
    assert difference[:, 84:153].abs().max() == 0


def test_heading_is_the_yaw_part_of_the_root() -> None:
    qpos, qvel = random_states(5, 5)
    root = kinematics()(torch.tensor(qpos), torch.tensor(qvel)).rot[:, 0]
    R = heading_rotation(root)
    torch.testing.assert_close(R @ R.transpose(1, 2), torch.eye(3).double().expand(5, 3, 3))
    torch.testing.assert_close(R[:, 2], torch.tensor([0.0, 0, 1]).double().expand(5, 3))
    forward = R.transpose(1, 2) @ root[:, :, :1]
    assert forward[:, 1].abs().max() < 1e-9 and (forward[:, 0] > 0).all()


def test_mirrored_state_gives_the_mirrored_observation() -> None:
    qpos, _ = random_states(4, 6)
    still, swap = np.zeros((4, 75)), [BODY_INDEX[mirror_name(name)] - 1 for name in BODY_NAMES[1:]]
    forward = kinematics()
    plain, mirrored = (proprioception(forward(torch.tensor(q), torch.tensor(still))) for q in (qpos, mirror_qpos(qpos)))
    torch.testing.assert_close(mirrored[:, 0], plain[:, 0])
    flip = torch.tensor([1.0, -1.0, 1.0]).double()
    torch.testing.assert_close(
        mirrored[:, 1:70].reshape(4, 23, 3), plain[:, 1:70].reshape(4, 23, 3)[:, swap] * flip, atol=1e-12, rtol=0
    )
