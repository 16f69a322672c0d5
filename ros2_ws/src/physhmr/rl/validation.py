"""How far vision policies follow lifted views of whole clips, all of them side by side: quick, to choose a checkpoint.

What `physhmr evaluate --views` tells is the live chain's own word; this is the same physics in a batch, with depth
errors of whole views taken out, as in training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from physhmr.body.skeleton import Skeleton
from physhmr.rl.env import TrackingEnvCfg
from physhmr.rl.reference_bank import ReferenceBank
from physhmr.rl.terminations import mean_body_distance
from physhmr.rl.vision_env import VisionEnv
from physhmr.sim.batch_sim import BatchSim

_UNDISTURBED = TrackingEnvCfg(
    push_probability=0.0, start_noise=0.0, told_starts=0.0, lost_probability=0.0, hard_share=0.0
)


@dataclass(frozen=True)
class Followed:
    """What came of N views."""

    clip: Tensor
    """(N,) index of the clip that each view shows."""
    steps: Tensor
    """(N,) control steps until the mean body distance passed the limit, or to the end."""
    share: Tensor
    """(N,) of the view, in [0, 1]; 1: followed to its end."""
    distance: float
    """m, mean over bodies and survived steps: G-MPJPE."""


class WholeViews(VisionEnv):
    """Every view of every clip once, from its first frame on, undisturbed, until `limit` m are passed or it ends."""

    def __init__(self, bank: ReferenceBank, sim: BatchSim, skeleton: Skeleton, limit: float) -> None:
        count, views = len(bank.length), len(bank.views.qpos)
        longest = int(bank.length.max()) + 1
        cfg = replace(_UNDISTURBED, num_envs=count * views, episode_steps=longest, max_distance=limit)
        self.clip = torch.arange(count).repeat(views)
        self.first_view = torch.arange(views).repeat_interleave(count)
        super().__init__(cfg, bank, sim, skeleton)

    def begin(self) -> None:
        """Everybody stands on the first frame of their clip."""
        super()._reset(torch.arange(self.num_envs))
        self._view[:], self._frame[:] = self.first_view, self.bank.first[self.clip]
        self._qpos[:], self._qvel[:] = self.bank.qpos[self._frame], self.bank.qvel[self._frame]
        self._body = self._kinematics(self._qpos, self._qvel)
        self._look_ahead()

    def distances(self) -> Tensor:
        """(N,) m, mean body distance to what was asked for in the last step."""
        return mean_body_distance(self._body, self.bank.body[self._frame])


@torch.no_grad()
def follow_views(policy: Callable[[Tensor], Tensor], views: WholeViews) -> Followed:
    """Let `policy`, (N, 664) observations to (N, 19) mean actions, follow all `views` to their ends."""
    views.begin()
    observation, length = views.get_observations(), views.bank.length[views.clip] - 2
    alive, complete = torch.ones(views.num_envs, dtype=torch.bool), torch.zeros(views.num_envs, dtype=torch.bool)
    steps, distance, judged = torch.zeros(views.num_envs), 0.0, 0
    while alive.any():
        observation, _, done, extras = views.step(policy(observation["policy"]))
        steps += alive
        complete |= alive & done & extras["time_outs"]
        alive &= ~done
        # Those whose view has just ended stand elsewhere already.
        distance += float(views.distances()[alive].sum())
        judged += int(alive.sum())
    share = torch.where(complete, 1.0, (steps / length).clamp_max(1.0))
    return Followed(views.clip, steps, share, distance / max(judged, 1))
