"""The environment of the vision policy: told by an encoder and shown rays, rewarded for the true motion."""

from __future__ import annotations

from typing import Literal

import torch
from tensordict import TensorDict
from torch import Tensor

from physhmr.body.keypoints import keypoint_points
from physhmr.body.skeleton import BALANCE_HINGES, Skeleton
from physhmr.errors import ConfigError
from physhmr.policy.action import DAMPING_TIME, RESIDUAL_SCALE
from physhmr.policy.kinematics import PlacedPoints
from physhmr.policy.observation import expert_observation, ray_observation
from physhmr.rl.env import TrackingEnv, TrackingEnvCfg
from physhmr.rl.reference_bank import ReferenceBank
from physhmr.sim.batch_sim import BatchSim

Seen = Literal["rays", "root"]
"""What the policy sees of the image beside the encoder's pose: the rays, or only the root that they were used for."""


class VisionEnv(TrackingEnv):
    """N humanoids, each with a camera that watches somebody do what it is rewarded for.

    Observations: `policy` (N, 664) of the vision policy; `expert` (N, 580) what the expert would see of the true
    motion; `offset` (N, 19) what is missing from the vision policy's PD targets to the true motion's, in units
    of its action.
    """

    def __init__(
        self, cfg: TrackingEnvCfg, bank: ReferenceBank, sim: BatchSim, skeleton: Skeleton, seen: Seen = "rays"
    ) -> None:
        if not len(bank.views.qpos):
            raise ConfigError("views", "are needed: run `physhmr data lift`", 0)
        self._keypoints, self._seen = PlacedPoints(keypoint_points(skeleton)), seen
        super().__init__(cfg, bank, sim, skeleton)

    def get_observations(self) -> TensorDict:
        """What the vision policy, its teacher and its critic see of the present state."""
        told = self._kinematics(self._qpos_ref, self._qvel_ref)
        ahead = self._frame + 1
        qpos_true, qvel_true = self.bank.qpos[ahead], self.bank.qvel[ahead]
        rays = ray_observation(self._body, self._keypoints(self._body), *self._rays)
        if self._seen == "root":
            rays = torch.zeros_like(rays)
        seen = expert_observation(self._body, told, self._qpos, self._qpos_ref, self._qvel_ref)
        true = expert_observation(self._body, self.bank.body[ahead], self._qpos, qpos_true, qvel_true)
        hinges = qpos_true[:, 7:] - self._qpos_ref[:, 7:]
        rates = qvel_true[:, 6:] - self._qvel_ref[:, 6:]
        offset = (hinges + DAMPING_TIME * rates)[:, list(BALANCE_HINGES)] / RESIDUAL_SCALE
        groups = {"policy": torch.cat([seen, rays], -1), "expert": true, "offset": offset}
        return TensorDict(groups, batch_size=[self.num_envs])

    def _look_ahead(self) -> None:
        views, at = self.bank.views, (self._view, self._frame + 1)
        self._qpos_ref, self._qvel_ref = views.qpos[at], views.qvel[at]
        self._rays = (views.origin_w[at][:, None], views.dir_w[at], views.score[at])

    def _choose_views(self, which: Tensor) -> None:
        self._view[which] = torch.randint(len(self.bank.views.qpos), (len(which),), generator=self._random)
