"""The environment of the vision policy: told by an encoder and shown rays, rewarded for the true motion."""

from __future__ import annotations

from typing import Literal

import torch
from tensordict import TensorDict
from torch import Tensor

from physhmr.approach import LOST_LEASH, drawn_near
from physhmr.body.keypoints import keypoint_points
from physhmr.body.skeleton import BALANCE_HINGES, Skeleton
from physhmr.body.soles import on_floor
from physhmr.errors import ConfigError
from physhmr.halt import halting_motion
from physhmr.policy.action import DAMPING_TIME, RESIDUAL_SCALE
from physhmr.policy.kinematics import PlacedPoints
from physhmr.policy.observation import PREVIEW_STEPS, expert_observation, preview_observation, ray_observation
from physhmr.rl.env import TrackingEnv, TrackingEnvCfg
from physhmr.rl.reference_bank import ReferenceBank
from physhmr.sim.batch_sim import BatchSim
from physhmr.types import NQ, NV

Seen = Literal["rays", "root"]
"""What the policy sees of the image beside the encoder's pose: the rays, or only the root that they were used for."""


class VisionEnv(TrackingEnv):
    """N humanoids, each with a camera that watches somebody do what it is rewarded for.

    Observations: `policy` (N, 664) of the vision policy; `expert` (N, 580) what the expert would see of the true
    motion; `preview` (N, 225) what else its critic sees, where that motion goes; `offset` (N, 19) what is missing from
    the vision policy's PD targets to the true motion's, in units of its action.
    """

    _kept = (*TrackingEnv._kept, "_lost_for", "_truth")

    def __init__(
        self, cfg: TrackingEnvCfg, bank: ReferenceBank, sim: BatchSim, skeleton: Skeleton, seen: Seen = "rays"
    ) -> None:
        if not len(bank.views.qpos):
            raise ConfigError("views", "are needed: run `physhmr data lift`", 0)
        self._keypoints, self._seen = PlacedPoints(keypoint_points(skeleton)), seen
        self._skeleton = skeleton
        self._lost_for = torch.zeros(cfg.num_envs, dtype=torch.long)
        """Control steps since the person was seen; 0: they are."""
        self._truth = torch.zeros(cfg.num_envs)
        """How far what an episode is told is on the way from what was lifted, 0, to the truth, 1."""
        super().__init__(cfg, bank, sim, skeleton)

    def get_observations(self) -> TensorDict:
        """What the vision policy, its teacher and its critic see of the present state."""
        rays = ray_observation(self._body, self._keypoints(self._body), *self._rays)
        if self._seen == "root":
            rays = torch.zeros_like(rays)
        seen = expert_observation(self._body, self._told, self._qpos, self._qpos_ref, self._qvel_ref)
        true = expert_observation(self._body, self._asked, self._qpos, self._qpos_true, self._qvel_true)
        hinges = self._qpos_true[:, 7:] - self._qpos_ref[:, 7:]
        rates = self._qvel_true[:, 6:] - self._qvel_ref[:, 6:]
        offset = (hinges + DAMPING_TIME * rates)[:, list(BALANCE_HINGES)] / RESIDUAL_SCALE
        groups = {"policy": torch.cat([seen, rays], -1), "expert": true, "preview": self._preview(), "offset": offset}
        return TensorDict(groups, batch_size=[self.num_envs])

    def _preview(self) -> Tensor:
        """(N, 225) where the true motion goes and is told to be; a halt, as far as anybody knows, stays where it is."""
        bank, steps = self.bank, torch.tensor(PREVIEW_STEPS)
        ahead = torch.minimum(self._frame[:, None] + 1 + steps, bank.last[self._frame][:, None])
        coming = bank.body.pos[ahead]
        told = torch.lerp(bank.views.qpos[self._view[:, None], ahead, :3], coming[:, :, 0], self._truth[:, None, None])
        lost = torch.nonzero(self._lost_for).flatten()
        coming[lost], told[lost] = self._told.pos[lost, None], self._told.pos[lost, None, 0]
        return preview_observation(self._body, coming, told)

    def _proceed(self) -> None:
        """To the next frame, where somebody is still watched."""
        self._lost_for += self._lost_for > 0
        seen = self._lost_for == 0
        self._frame += seen
        goes = torch.rand(self.num_envs, generator=self._random) < self.cfg.lost_probability
        self._lost_for[seen & goes] = 1

    def _finished(self) -> Tensor:
        """(N,) True where clip or episode end, or nobody came back."""
        return super()._finished() | (self._lost_for >= self.cfg.lost_steps)

    def _learn_from(self, ended: Tensor, failed: Tensor) -> None:
        """What became of a halt says nothing about the clip."""
        super()._learn_from(ended[self._lost_for[ended] == 0], failed)

    def _tell(self) -> None:
        """What the camera makes of the next frame; who has lost their person goes on halting."""
        lost = torch.nonzero(self._lost_for).flatten()
        halting = self._halting(lost)
        self._qpos_ref, self._qvel_ref = self._told_at(self._view, self._frame + 1, self._truth)
        self._qpos_ref[lost], self._qvel_ref[lost] = halting

    def _ask(self) -> None:
        """The next frame itself, or to halt as told; and the rays to it."""
        views, ahead = self.bank.views, self._frame + 1
        at, lost = (self._view, ahead), torch.nonzero(self._lost_for).flatten()
        self._qpos_true, self._qvel_true = self.bank.qpos[ahead], self.bank.qvel[ahead]
        self._qpos_true[lost], self._qvel_true[lost] = self._qpos_ref[lost], self._qvel_ref[lost]
        score = views.score[at]
        score[lost] = 0.0
        self._rays = (views.origin_w[at][:, None], views.dir_w[at], score)
        self._told = self._kinematics(self._qpos_ref, self._qvel_ref)
        self._asked = self.bank.body[ahead]
        self._asked[lost] = self._told[lost]

    def _told_at(self, view: Tensor, frame: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """(M, 76), (M, 75) what `view` (M,) makes of `frame` (M,), as much truer as `truth` (M,) says."""
        bank, share = self.bank, truth[:, None]
        qpos, true = bank.views.qpos[view, frame], bank.qpos[frame]
        # A quaternion and its negative are the same rotation: the way between them is the short one.
        true[:, 3:7] *= torch.where((qpos[:, 3:7] * true[:, 3:7]).sum(1, keepdim=True) < 0.0, -1.0, 1.0)
        qpos = torch.lerp(qpos, true, share)
        qpos[:, 3:7] /= qpos[:, 3:7].norm(dim=1, keepdim=True)
        return qpos, torch.lerp(bank.views.qvel[view, frame], bank.qvel[frame], share)

    def _halting(self, lost: Tensor) -> tuple[Tensor, Tensor]:
        """What the live chain tells who has `lost` their person, and what is then asked of them."""
        if not len(lost):
            return torch.empty(0, NQ), torch.empty(0, NV)
        told = self._qpos_ref[lost].double().numpy(), self._qvel_ref[lost].double().numpy()
        qpos, qvel = halting_motion(*told, self._skeleton)
        qpos[:, :2] += drawn_near(qpos[:, :2] - self._qpos[lost, :2].double().numpy(), LOST_LEASH)
        return torch.tensor(qpos, dtype=torch.float32), torch.tensor(qvel, dtype=torch.float32)

    def _reset(self, which: Tensor) -> None:
        """As ever, or as the live chain starts: standing in the pose that it is told; and seen."""
        super()._reset(which)
        self._lost_for[which] = 0
        between, truer = torch.rand(2, len(which), generator=self._random)
        self._truth[which] = between * (truer < self.cfg.truer_share)
        told = which[torch.rand(len(which), generator=self._random) < self.cfg.told_starts]
        if len(told):
            qpos, qvel = self._told_at(self._view[told], self._frame[told], self._truth[told])
            kept, slow = torch.rand(2, len(told), 1, generator=self._random)
            qvel[:, :2] *= torch.where(slow < self.cfg.slow_starts, 0.2 + 0.8 * kept, 1.0)
            grounded = on_floor(qpos.double().numpy(), self._skeleton)
            self._qpos[told], self._qvel[told] = torch.tensor(grounded, dtype=torch.float32), qvel

    def _choose_views(self, which: Tensor) -> None:
        self._view[which] = torch.randint(len(self.bank.views.qpos), (len(which),), generator=self._random)
