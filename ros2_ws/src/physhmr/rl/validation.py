"""How far policies follow whole clips or lifted views of them, all side by side: quick, to choose a checkpoint.

What `physhmr evaluate` tells is the live chain's own word; this is the same physics in a batch, with depth
errors of whole views taken out, as in training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from physhmr.body.skeleton import Skeleton
from physhmr.rl.env import TrackingEnv, TrackingEnvCfg
from physhmr.rl.reference_bank import ReferenceBank
from physhmr.rl.terminations import mean_body_distance
from physhmr.rl.vision_env import VisionEnv
from physhmr.sim.batch_sim import BatchSim

_UNDISTURBED = TrackingEnvCfg(
    push_probability=0.0, start_noise=0.0, told_starts=0.0, truer_share=0.0, lost_probability=0.0, hard_share=0.0
)


@dataclass(frozen=True)
class Followed:
    """What came of N clips or views."""

    clip: Tensor
    """(N,) index of the clip."""
    steps: Tensor
    """(N,) control steps until the mean body distance passed the limit, or to the end."""
    share: Tensor
    """(N,) of the clip, in [0, 1]; 1: followed to its end."""
    distance: float
    """m, mean over bodies, added up over what was survived: divided by `judged`, G-MPJPE."""
    judged: int
    """Control steps."""


class _Whole(TrackingEnv):
    """Everything once, from its first frame on, undisturbed, until `limit` m are passed or it ends."""

    clip: Tensor
    """(N,) index of the clip of each environment."""
    _first_view: Tensor
    """(N,) of the camera; -1: none."""

    def _undisturbed(self, bank: ReferenceBank, limit: float) -> TrackingEnvCfg:
        longest = int(bank.length.max()) + 1
        return replace(_UNDISTURBED, num_envs=len(self.clip), episode_steps=longest, max_distance=limit)

    def begin(self) -> None:
        """Everybody stands on the first frame of their clip."""
        self._reset(torch.arange(self.num_envs))
        self._view[:], self._frame[:] = self._first_view, self.bank.first[self.clip]
        self._qpos[:], self._qvel[:] = self.bank.qpos[self._frame], self.bank.qvel[self._frame]
        self._body = self._kinematics(self._qpos, self._qvel)
        self._look_ahead()

    def distances(self) -> Tensor:
        """(N,) m, mean body distance to what was asked for in the last step."""
        return mean_body_distance(self._body, self.bank.body[self._frame])


class WholeClips(_Whole):
    """Every clip once, told without an error: what the expert is judged by."""

    def __init__(self, bank: ReferenceBank, sim: BatchSim, skeleton: Skeleton, limit: float) -> None:
        self.clip = torch.arange(len(bank.length))
        self._first_view = torch.full_like(self.clip, -1)
        super().__init__(self._undisturbed(bank, limit), bank, sim, skeleton)


class WholeViews(_Whole, VisionEnv):
    """Every view of every clip once, as the vision policy is told and shown it."""

    def __init__(self, bank: ReferenceBank, sim: BatchSim, skeleton: Skeleton, limit: float) -> None:
        count, views = len(bank.length), len(bank.views.qpos)
        self.clip = torch.arange(count).repeat(views)
        self._first_view = torch.arange(views).repeat_interleave(count)
        super().__init__(self._undisturbed(bank, limit), bank, sim, skeleton)


@torch.no_grad()
def follow(policy: Callable[[Tensor], Tensor], whole: WholeClips | WholeViews) -> Followed:
    """Let `policy`, (N, 580 or 664) observations to (N, 19) mean actions, follow all of it to the end."""
    whole.begin()
    observation, length = whole.get_observations(), whole.bank.length[whole.clip] - 2
    alive, complete = torch.ones(whole.num_envs, dtype=torch.bool), torch.zeros(whole.num_envs, dtype=torch.bool)
    steps, distance, judged = torch.zeros(whole.num_envs), 0.0, 0
    while alive.any():
        observation, _, done, extras = whole.step(policy(observation["policy"]))
        steps += alive
        complete |= alive & done & extras["time_outs"]
        alive &= ~done
        # Those whose clip has just ended stand elsewhere already.
        distance += float(whole.distances()[alive].sum())
        judged += int(alive.sum())
    share = torch.where(complete, 1.0, (steps / length).clamp_max(1.0))
    return Followed(whole.clip, steps, share, distance, judged)
