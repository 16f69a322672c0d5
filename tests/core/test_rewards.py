"""Rewards and terminations: bounds, best value, monotone in every error."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from physhmr.policy.kinematics import BodyMotion, quat_to_matrix  # noqa: E402
from physhmr.rl.rewards import (  # noqa: E402
    FEET,
    STILL,
    RewardCfg,
    action_rate_penalty,
    body_errors,
    pose_error,
    power_penalty,
    sink_penalty,
    task_reward,
    unrest_penalty,
)
from physhmr.rl.terminations import lost_track, mean_body_distance  # noqa: E402

CFG = RewardCfg()


def motion(count: int = 5, seed: int = 0) -> BodyMotion:
    random = torch.Generator().manual_seed(seed)
    rot = quat_to_matrix(torch.randn(count, 24, 4, generator=random))
    pos, linvel, angvel = torch.randn(3, count, 24, 3, generator=random)
    return BodyMotion(pos, rot, linvel, angvel)


def about_x(angle: float) -> torch.Tensor:
    half = torch.tensor(angle / 2)
    return quat_to_matrix(torch.stack([half.cos(), half.sin(), torch.zeros(()), torch.zeros(())]))


def disturbed(body: BodyMotion, part: str, size: float) -> BodyMotion:
    if part == "rot":
        return replace(body, rot=body.rot @ about_x(size))
    offset = size * torch.tensor([0.6, 0.0, 0.8])
    return replace(body, **{part: getattr(body, part) + offset})


def test_perfect_tracking_earns_one() -> None:
    torch.testing.assert_close(task_reward(motion(), motion(), CFG), torch.ones(5))


def test_any_tracking_earns_between_zero_and_one() -> None:
    reward = task_reward(motion(seed=1), motion(seed=2), CFG)
    assert (reward > 0).all() and (reward <= 1).all()


@pytest.mark.parametrize("part", ["pos", "rot", "linvel", "angvel"])
def test_larger_errors_earn_less(part: str) -> None:
    reward = [float(task_reward(disturbed(motion(1), part, size), motion(1), CFG)) for size in (0.0, 0.05, 0.1, 0.2)]
    assert reward == sorted(reward, reverse=True) and reward[0] > reward[-1]


def test_who_is_far_behind_still_gains_by_catching_up() -> None:
    at = [float(task_reward(disturbed(motion(1), "pos", size), motion(1), CFG)) for size in (0.4, 0.5)]
    assert at[0] - at[1] > 0.03


def test_errors_have_their_units() -> None:
    for part, index, size in (("pos", 0, 0.1), ("linvel", 2, 0.5), ("angvel", 3, 2.0)):
        errors = body_errors(disturbed(motion(), part, size), motion())
        torch.testing.assert_close(errors[index], torch.full((5,), size**2), atol=1e-4, rtol=1e-4)
    # Chordal: 3 - trace = 2 (1 - cos angle), which is angle^2 for small angles.
    rot = body_errors(disturbed(motion(), "rot", 0.1), motion())[1]
    torch.testing.assert_close(rot, torch.full((5,), 0.01), rtol=2e-3, atol=1e-5)


def test_weights_sum_to_one() -> None:
    wild = RewardCfg(1e3, 1e3, 1e3, rot_width=1e3, linvel_width=1e3, angvel_width=1e3)
    shares = {"pos": 0.35, "rot": 0.25, "linvel": 0.1, "angvel": 0.1}
    for part, share in shares.items():
        reward = task_reward(disturbed(motion(), part, 0.5), motion(), wild)
        torch.testing.assert_close(reward, torch.full((5,), 1.0 - share), atol=2e-3, rtol=0)


def test_the_pose_counts_wherever_it_is() -> None:
    """Moved as a whole it is the same pose; a body moved about the pelvis costs, also far from the reference."""
    body = motion()
    away = disturbed(body, "pos", 5.0)
    torch.testing.assert_close(pose_error(away, body), torch.zeros(5), atol=1e-10, rtol=0)
    bent = replace(away, pos=away.pos.clone())
    bent.pos[:, 7] += torch.tensor([0.0, 0.24, 0.0])
    torch.testing.assert_close(pose_error(bent, body), torch.full((5,), 0.24**2 / 24))
    assert (task_reward(away, body, CFG) - task_reward(bent, body, CFG) > 0.03).all()


def test_power_is_torque_times_rate_of_either_sign() -> None:
    torque, rate = torch.tensor([[10.0, -20.0]]), torch.tensor([[2.0, 3.0]])
    torch.testing.assert_close(power_penalty(torque, rate, CFG), torch.tensor([80.0 * CFG.power_weight]))
    torch.testing.assert_close(power_penalty(torque, rate, CFG), power_penalty(-torque, rate, CFG))


def test_steady_actions_are_free() -> None:
    action = torch.randn(4, 69)
    assert action_rate_penalty(action, action, CFG).abs().max() == 0
    torch.testing.assert_close(
        action_rate_penalty(action + 2.0, action, CFG), torch.full((4,), 4.0 * CFG.action_rate_weight)
    )


def test_only_feet_that_should_stand_are_asked_to() -> None:
    still = motion()
    still.linvel[:] = 0.0
    walking = disturbed(still, "linvel", 1.01 * STILL)
    one_foot = replace(still, linvel=still.linvel.clone())
    one_foot.linvel[:, FEET[:2]] = 10.0
    half = torch.full((5,), 0.5 * CFG.unrest_weight)
    torch.testing.assert_close(unrest_penalty(one_foot, still, CFG), half)
    torch.testing.assert_close(unrest_penalty(disturbed(still, "linvel", 10.0), one_foot, CFG), half)
    assert unrest_penalty(one_foot, walking, CFG).abs().max() == 0.0
    assert unrest_penalty(still, still, CFG).abs().max() == 0.0


def test_distance_is_the_mean_over_bodies() -> None:
    body = motion()
    torch.testing.assert_close(mean_body_distance(disturbed(body, "pos", 0.3), body), torch.full((5,), 0.3))
    one = body.pos.clone()
    one[:, 7] += torch.tensor([0.0, 0.0, 2.4])
    torch.testing.assert_close(mean_body_distance(replace(body, pos=one), body), torch.full((5,), 0.1))


def test_track_is_lost_beyond_the_limit_only() -> None:
    body = motion()
    assert not lost_track(disturbed(body, "pos", 0.24), body, 0.25).any()
    assert lost_track(disturbed(body, "pos", 0.26), body, 0.25).all()


def test_soles_below_the_floor_cost_by_how_deep_the_lowest_is() -> None:
    soles = torch.zeros(3, 16, 3)
    soles[0, :, 2] = 0.2
    soles[1, 3, 2], soles[1, 7, 2] = -0.004, -0.001
    soles[2, :, 2] = -0.002
    torch.testing.assert_close(sink_penalty(soles, CFG), CFG.sink_weight * torch.tensor([0.0, 0.004, 0.002]))
