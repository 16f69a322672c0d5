"""Rewards of the tracking task as pure functions of batched tensors (method.md, "Reward and termination")."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from physhmr.policy.kinematics import BodyMotion
from physhmr.rl.balance import FEET

STILL = 0.1
"""m/s; a foot of the reference that is slower stands."""


@dataclass(frozen=True)
class RewardCfg:
    """Widths and weights. The widths are the release's, eased by a factor where a small budget needs it."""

    pos_width: float = 60.0
    """1/m^2, of the first part of the position term."""
    far_pos_width: float = 6.0
    """1/m^2, of the second: who has fallen behind by a step still gains from every centimetre, and catches up."""
    pose_width: float = 100.0
    """1/m^2, of the third, about the pelvis: the pose counts, too, where somebody stands is off by more than that."""
    rot_width: float = 8.0
    """1/rad^2."""
    linvel_width: float = 0.3
    """s^2/m^2."""
    angvel_width: float = 0.03
    """s^2/rad^2."""
    power_weight: float = 1e-4
    """1/W."""
    action_rate_weight: float = 0.2
    """Per mean squared change of the action."""
    unrest_weight: float = 0.1
    """Of feet that move while they should stand."""
    unrest_width: float = 100.0
    """s^2/m^2."""
    sink_weight: float = 20.0
    """1/m, of the lowest corner of the soles below the floor: of hard steps, and of weight on an edge."""
    balance_weight: float = 0.1
    """Of who is about to come to rest elsewhere over their feet than the reference."""
    balance_width: float = 50.0
    """1/m^2, of what is beyond the slack."""
    balance_slack: float = 0.08
    """m that are free: who has fallen behind leans so far to catch up, by a quarter of a metre a second."""


def body_errors(body: BodyMotion, reference: BodyMotion) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Mean over bodies of squared errors: position m^2, rotation rad^2 (chordal), linear, angular velocity. (N,)."""
    pos = (body.pos - reference.pos).square().sum(-1).mean(-1)
    trace = (body.rot * reference.rot).sum((-1, -2))
    rot = (3.0 - trace).mean(-1)
    linvel = (body.linvel - reference.linvel).square().sum(-1).mean(-1)
    angvel = (body.angvel - reference.angvel).square().sum(-1).mean(-1)
    return pos, rot, linvel, angvel


def pose_error(body: BodyMotion, reference: BodyMotion) -> Tensor:
    """(N,) m^2, mean over bodies of squared errors of the position from the pelvis, in world axes."""
    offset = body.pos - reference.pos
    return (offset - offset[:, :1]).square().sum(-1).mean(-1)


def task_reward(body: BodyMotion, reference: BodyMotion, cfg: RewardCfg) -> Tensor:
    """(N,) in (0, 1]: 0.55 position, in the world and about the pelvis + 0.25 rotation + 0.2 velocities."""
    pos, rot, linvel, angvel = body_errors(body, reference)
    return (
        0.15 * torch.exp(-cfg.pos_width * pos)
        + 0.2 * torch.exp(-cfg.far_pos_width * pos)
        + 0.2 * torch.exp(-cfg.pose_width * pose_error(body, reference))
        + 0.25 * torch.exp(-cfg.rot_width * rot)
        + 0.1 * torch.exp(-cfg.linvel_width * linvel)
        + 0.1 * torch.exp(-cfg.angvel_width * angvel)
    )


def power_penalty(torque: Tensor, rates: Tensor, cfg: RewardCfg) -> Tensor:
    """(N,) weighted sum over hinges of |torque * rate|, torque N m, rates rad/s."""
    return cfg.power_weight * (torque * rates).abs().sum(-1)


def unrest_penalty(body: BodyMotion, reference: BodyMotion, cfg: RewardCfg) -> Tensor:
    """(N,) weighted share of the feet and toes that move although the reference's stand."""
    stands = reference.linvel[:, FEET].square().sum(-1) < STILL**2
    moves = 1.0 - torch.exp(-cfg.unrest_width * body.linvel[:, FEET].square().sum(-1))
    return cfg.unrest_weight * (stands * moves).mean(-1)


def balance_penalty(balance: Tensor, reference: Tensor, cfg: RewardCfg) -> Tensor:
    """(N,) weighted distance, less than the weight, of extrapolated centres of mass (N, 2) m from the reference's."""
    beyond = ((balance - reference).norm(dim=-1) - cfg.balance_slack).clamp_min(0.0)
    return cfg.balance_weight * (1.0 - torch.exp(-cfg.balance_width * beyond.square()))


def sink_penalty(soles: Tensor, cfg: RewardCfg) -> Tensor:
    """(N,) weighted depth of the lowest of the soles' corners (N, C, 3) m below the floor."""
    return cfg.sink_weight * (-soles[..., 2]).amax(-1).clamp_min(0.0)


def action_rate_penalty(action: Tensor, previous: Tensor, cfg: RewardCfg) -> Tensor:
    """(N,) weighted mean squared change of the action."""
    return cfg.action_rate_weight * (action - previous).square().mean(-1)
