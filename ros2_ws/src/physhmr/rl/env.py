"""The tracking environment for rsl-rl: follow a reference stream with physics only, no root force, ever."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict
from torch import Tensor

from physhmr.body.skeleton import Skeleton
from physhmr.body.soles import sole_corners
from physhmr.errors import ConfigError
from physhmr.policy.action import NUM_ACTIONS, on_all_hinges, residual_target
from physhmr.policy.kinematics import BodyMotion, Kinematics, PlacedPoints
from physhmr.policy.observation import expert_observation
from physhmr.rl.balance import Balance
from physhmr.rl.hard_starts import HardStarts
from physhmr.rl.reference_bank import ReferenceBank
from physhmr.rl.reference_noise import ReferenceNoise, ReferenceNoiseCfg
from physhmr.rl.rewards import (
    RewardCfg,
    action_rate_penalty,
    balance_penalty,
    power_penalty,
    sink_penalty,
    task_reward,
    unrest_penalty,
)
from physhmr.rl.terminations import mean_body_distance
from physhmr.sim.batch_sim import BatchSim
from physhmr.types import NUM_HINGES


@dataclass(frozen=True)
class TrackingEnvCfg:
    """Size, episodes and disturbances of the environment."""

    num_envs: int = 1024
    episode_steps: int = 200
    max_distance: float = 0.35
    """m; an episode ends early beyond this mean body distance."""
    push_speed: float = 0.4
    """m/s; standard deviation of the root's velocity kick."""
    push_probability: float = 0.01
    """Per environment and step."""
    start_noise: float = 0.05
    """rad and rad/s scale of the random start pose around the reference."""
    lifted_share: float = 0.5
    """Of the episodes: those whose references are lifted from a synthetic view, where the bank has views."""
    told_starts: float = 0.3
    """Share of the episodes, for a policy with a camera, that start in the pose and at the velocity that it is told."""
    slow_starts: float = 0.5
    """Of those: the share that is slower than told, down to a fifth, as humanoids of people are who are met walking:
    by the first images of somebody the encoder tells the pose, but too little of their velocity."""
    truer_share: float = 0.25
    """Of the episodes, for a policy with a camera: those told something between what was lifted and the truth."""
    lost_probability: float = 0.003
    """Per environment and step, for a policy with a camera: nobody is seen any more, it has to come to a halt."""
    lost_steps: int = 75
    """Until an episode ends in which nobody is seen any more."""
    hard_share: float = 0.2
    """Of the episodes: those that begin where another one was about to fail. With half of them balance is learned
    sooner, at the expense of the pose."""
    hard_steps: int = 60
    """Until such an episode ends."""
    seed: int = 0
    reward: RewardCfg = field(default_factory=RewardCfg)
    noise: ReferenceNoiseCfg = field(default_factory=ReferenceNoiseCfg)


class TrackingEnv(VecEnv):
    """N humanoids, each asked to be at its reference's next frame."""

    _kept: tuple[str, ...] = (
        "episode_length_buf", "_frame", "_view", "_qpos", "_qvel", "_qpos_ref", "_qvel_ref", "_action"
    )  # fmt: skip
    """What a step leaves behind; everything else follows from it. The physics begins every control step anew."""

    def __init__(self, cfg: TrackingEnvCfg, bank: ReferenceBank, sim: BatchSim, skeleton: Skeleton) -> None:
        self.cfg = cfg
        self.num_envs, self.num_actions = cfg.num_envs, NUM_ACTIONS
        self.max_episode_length = cfg.episode_steps
        self.device = "cpu"
        self.bank = bank
        self._sim, self._kinematics = sim, Kinematics(skeleton)
        self._soles, self._balance = PlacedPoints(sole_corners(skeleton)), Balance(skeleton)
        self._gains = torch.tensor(skeleton.gains, dtype=torch.float32)
        self._random = torch.Generator().manual_seed(cfg.seed)
        self.episode_length_buf = torch.zeros(cfg.num_envs, dtype=torch.long)
        self._frame = torch.zeros(cfg.num_envs, dtype=torch.long)
        self._qpos = torch.zeros(cfg.num_envs, 76)
        self._qvel = torch.zeros(cfg.num_envs, 75)
        self._action = torch.zeros(cfg.num_envs, NUM_ACTIONS)
        self._noise = ReferenceNoise(cfg.noise, cfg.num_envs, self._random)
        self._asked: BodyMotion
        """What the next step is rewarded for."""
        self._view = torch.full((cfg.num_envs,), -1)
        """Which camera's references an episode follows; -1: the clip itself, with noise."""
        self._hard_starts = HardStarts(cfg.num_envs, self._random)
        self._reset(torch.arange(cfg.num_envs))
        self._body = self._kinematics(self._qpos, self._qvel)
        self._look_ahead()

    def state(self) -> dict[str, Tensor]:
        """All that the coming steps depend on, but for the bank's statistics and torch's own generator."""
        kept = {name.strip("_"): getattr(self, name).clone() for name in self._kept}
        noise = {"noise": self._noise.state.clone(), "noise_strength": self._noise.strength.clone()}
        hard = {f"hard_{name}": value for name, value in self._hard_starts.state().items()}
        return kept | noise | hard | {"random": self._random.get_state()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a `state` of an environment with the same bank, bit for bit.

        Raises `ConfigError` where it is one of another size, or follows views that the bank does not have.
        """
        sizes, own = ({name: part.shape for name, part in parts.items()} for parts in (state, self.state()))
        if sizes != own:
            raise ConfigError("num_envs", "(or what an environment keeps) is not the checkpoint's", self.num_envs)
        views = len(self.bank.views.qpos)
        if int(state["view"].max()) >= views:
            raise ConfigError("library", "has fewer views of each clip than the checkpoint follows", views)
        for name in self._kept:
            setattr(self, name, state[name.strip("_")].clone())
        self._noise.state, self._noise.strength = state["noise"].clone(), state["noise_strength"].clone()
        hard = {name.removeprefix("hard_"): value for name, value in state.items() if name.startswith("hard_")}
        self._hard_starts.restore(hard)
        self._random.set_state(state["random"])
        self._body = self._kinematics(self._qpos, self._qvel)
        self._ask()

    def get_observations(self) -> TensorDict:
        """The expert's observation of the present state and the reference's next frame."""
        reference = self._kinematics(self._qpos_ref, self._qvel_ref)
        obs = expert_observation(self._body, reference, self._qpos, self._qpos_ref, self._qvel_ref)
        return TensorDict({"policy": obs}, batch_size=[self.num_envs])

    def step(self, actions: Tensor) -> tuple[TensorDict, Tensor, Tensor, dict]:
        """One control step; finished environments are reset and observed afresh."""
        self._proceed()
        self.episode_length_buf += 1
        target = self._target(actions)
        diverged = self._advance(target)
        self._hard_starts.watch(self.episode_length_buf, self._frame, self._view, self._qpos, self._qvel)
        reference = self._asked
        torque = self._torque(target)
        reward = task_reward(self._body, reference, self.cfg.reward)
        reward = reward - unrest_penalty(self._body, reference, self.cfg.reward)
        reward = reward - balance_penalty(self._balance(self._body), self._balance(reference), self.cfg.reward)
        reward = reward - sink_penalty(self._soles(self._body), self.cfg.reward)
        reward = reward - power_penalty(torque, self._qvel[:, 6:], self.cfg.reward)
        reward = reward - action_rate_penalty(actions, self._action, self.cfg.reward)
        distance = mean_body_distance(self._body, reference)
        self._action = actions.clone()
        failed = (distance > self.cfg.max_distance) | diverged
        finished = self._finished()
        done = failed | finished
        extras = {"time_outs": finished & ~failed, "log": self._log(distance, failed)}
        ended = torch.nonzero(done).flatten()
        if len(ended):
            self._learn_from(ended, failed)
            self._reset(ended)
            self._start_hard(ended)
            self._body[ended] = self._kinematics(self._qpos[ended], self._qvel[ended])
        self._noise.advance()
        self._look_ahead()
        return self.get_observations(), reward, done, extras

    def _proceed(self) -> None:
        """To the next frame."""
        self._frame += 1

    def _finished(self) -> Tensor:
        """(N,) True where clip or episode end."""
        longest = torch.where(self._hard_starts.again, self.cfg.hard_steps, self.max_episode_length)
        return (self._frame + 1 >= self.bank.last[self._frame]) | (self.episode_length_buf >= longest)

    def _log(self, distance: Tensor, failed: Tensor) -> dict[str, Tensor]:
        """What a training tells of a step; episodes that begin where others were about to fail count apart."""
        again = self._hard_starts.again
        rates = [1000 * (failed & group).sum() / group.sum().clamp_min(1) for group in (~again, again)]
        return {
            "/distance_mm": 1000 * distance[~again].mean().nan_to_num(),
            "/failures_per_1000": rates[0],
            "/hard_failures_per_1000": rates[1],
        }

    def _learn_from(self, ended: Tensor, failed: Tensor) -> None:
        """Which clips are hard, and where; `failed` (N,) of those that `ended`."""
        steps, fresh = self.episode_length_buf, ended[~self._hard_starts.again[ended]]
        self.bank.record(self._frame[fresh], failed[fresh], steps[fresh])
        fell = ended[failed[ended]]
        self._hard_starts.failed(fell, steps[fell])

    def _start_hard(self, ended: Tensor) -> None:
        """Let some of the new episodes begin where others were about to fail."""
        which, (frame, view, qpos, qvel) = self._hard_starts.draw(ended, self.cfg.hard_share)
        self._frame[which], self._view[which] = frame, view
        self._qpos[which], self._qvel[which] = qpos, qvel

    def _target(self, actions: Tensor) -> Tensor:
        """(N, 69) PD targets, rad."""
        return residual_target(on_all_hinges(actions), self._qpos_ref[:, 7:], self._qvel_ref[:, 6:])

    def _look_ahead(self) -> None:
        """To what comes next."""
        self._tell()
        self._ask()

    def _ask(self) -> None:
        """What is asked for next: the next frame."""
        self._asked = self.bank.body[self._frame + 1]

    def _tell(self) -> None:
        """What the policy is told of it, the same seen imperfectly."""
        ahead = self._frame + 1
        self._qpos_ref, self._qvel_ref = self._noise.apply(self.bank.qpos[ahead], self.bank.qvel[ahead])
        lifted = torch.nonzero(self._view >= 0).flatten()
        if not len(lifted):
            return
        view, frame = self._view[lifted], ahead[lifted]
        self._qpos_ref[lifted], self._qvel_ref[lifted] = (
            self.bank.views.qpos[view, frame],
            self.bank.views.qvel[view, frame],
        )

    def _advance(self, target: Tensor) -> Tensor:
        """Step the physics; (N,) True where it diverged (those are put back on the reference)."""
        self._push()
        qpos, qvel = self._sim.step(self._qpos.numpy(), self._qvel.numpy(), target.numpy())
        bad = ~(np.isfinite(qpos).all(1) & np.isfinite(qvel).all(1) & (np.abs(qvel).max(1) < 200.0))
        self._qpos, self._qvel = torch.tensor(qpos, dtype=torch.float32), torch.tensor(qvel, dtype=torch.float32)
        diverged = torch.tensor(bad)
        self._qpos[diverged] = self.bank.qpos[self._frame[diverged]]
        self._qvel[diverged] = self.bank.qvel[self._frame[diverged]]
        self._body = self._kinematics(self._qpos, self._qvel)
        return diverged

    def _push(self) -> None:
        pushed = torch.rand(self.num_envs, generator=self._random) < self.cfg.push_probability
        kick = torch.randn(self.num_envs, 3, generator=self._random) * torch.tensor([1.0, 1.0, 0.2])
        self._qvel[:, :3] += self.cfg.push_speed * kick * pushed[:, None]

    def _torque(self, target: Tensor) -> Tensor:
        """(N, 69) N m, the PD law at the end of the step."""
        kp, kd, limit = self._gains.unbind(-1)
        torque = kp * (target - self._qpos[:, 7:]) - kd * self._qvel[:, 6:]
        return torch.maximum(torch.minimum(torque, limit), -limit)

    def _choose_views(self, which: Tensor) -> None:
        """Which camera each of the new episodes follows, if any."""
        views = len(self.bank.views.qpos)
        if views:
            chosen = torch.randint(views, (len(which),), generator=self._random)
            lifted = torch.rand(len(which), generator=self._random) < self.cfg.lifted_share
            self._view[which] = torch.where(lifted, chosen, -1)

    def _reset(self, which: Tensor) -> None:
        """Random state initialisation: on the reference, a little off."""
        frame = self.bank.sample(len(which), self._random)
        self._frame[which] = frame
        self.episode_length_buf[which] = 0
        self._action[which] = 0.0
        self._noise.reset(which)
        self._choose_views(which)
        noise = self.cfg.start_noise
        qpos = self.bank.qpos[frame].clone()
        qvel = self.bank.qvel[frame] + noise * torch.randn(len(which), 75, generator=self._random)
        qpos[:, 7:] += noise * torch.randn(len(which), NUM_HINGES, generator=self._random)
        qpos[:, 2] += 0.01
        self._qpos[which], self._qvel[which] = qpos, qvel
