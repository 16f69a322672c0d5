"""From the tracking expert to the vision policy: DAgger, then PPO that still listens to the expert.

The student acts; the expert, which sees the true motion instead of the camera's, says what it would have done
(Ross et al. 2011; PhysHMR's distillation). Refinement then maximises the physical reward with a pull towards
the expert that fades, so that what was distilled is not forgotten while the critic is still wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from rsl_rl.algorithms import PPO, Distillation
from rsl_rl.models import MLPModel
from tensordict import TensorDict
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from physhmr.errors import ModelFileError
from physhmr.policy.action import NUM_ACTIONS
from physhmr.rl.checkpoint import read_checkpoint
from physhmr.rl.runner import NETWORK, load_policy, policy_state, widened
from physhmr.rl.symmetric_model import SymmetricModel

NEGLIGIBLE = 0.01
"""A weaker pull towards the teacher is left out: it costs as much as the rest of an update."""
NORMALISER_MEMORY = 200_000
"""Observations that the statistics taken over from the expert count for, where the policy sees more than the expert."""
FROZEN = 10**12
"""Observations that those of a policy that is gone on with count for: all that it knows is in their terms.

Other clips have other statistics. Where the normaliser followed those of upright people, the policy that had learned
from crouching ones brought 65 instead of 88 % of 105 views to their end, before a single weight had changed."""


class Teacher(SymmetricModel):
    """The expert on the true motion, in the student's units: PD targets relative to what the student is told."""

    def forward(self, obs: TensorDict, *arguments: Any, **options: Any) -> Tensor:
        """(N, 19) actions that make the student's PD targets the expert's."""
        return super().forward(obs) + obs["offset"]


class Imitation:
    """The pull towards the teacher, as an additional loss of rsl-rl's PPO.

    PPO has one door for such a loss, made for symmetry; ours is symmetric already and needs no such loss.
    """

    use_mirror_loss = True

    def __init__(self, teacher: Teacher, weight: float) -> None:
        self._teacher, self.mirror_loss_coeff = teacher, weight

    def augment_batch(self, batch: Any, original_batch_size: int) -> None:
        """Add nothing."""

    def compute_loss(self, actor: MLPModel, batch: Any, original_batch_size: int) -> Tensor:
        """Mean Huber distance of the actor's mean action from the teacher's."""
        with torch.no_grad():
            wanted = self._teacher(batch.observations)
        return nn.functional.huber_loss(actor(batch.observations), wanted)


class RefiningPPO(PPO):
    """PPO with a fading pull towards a teacher, which waits for its critic before it changes the actor.

    What is used in the end is a moving average of the actor: its last steps follow the noise of few episodes.
    """

    def __init__(
        self,
        *arguments: Any,
        imitation: float,
        imitation_half_life: float,
        critic_warm_up: int,
        memory: float,
        **options: Any,
    ) -> None:
        """`imitation` is the pull's first weight, its half life and the critic's warm-up count updates.

        `memory` is the average's, an update.
        """
        super().__init__(*arguments, **options)
        self._average = AveragedModel(self.actor, multi_avg_fn=get_ema_multi_avg_fn(memory))
        self._imitation, self._half_life, self._warm_up = imitation, imitation_half_life, critic_warm_up
        self._updates = 0
        self._teacher: Teacher | None = None

    def imitate(self, teacher: Teacher) -> None:
        """Pull towards `teacher` from now on."""
        self._teacher = teacher.eval().requires_grad_(False)

    def update(self) -> dict[str, float]:
        """One update; the first ones change the critic only."""
        weight = self._imitation * 0.5 ** (self._updates / self._half_life)
        self.symmetry = None
        if self._teacher is not None and weight >= NEGLIGIBLE:
            self.symmetry = Imitation(self._teacher, weight)
        self.actor.requires_grad_(self._updates >= self._warm_up)
        self._updates += 1
        losses = super().update()
        self._average.update_parameters(self.actor)
        if "symmetry" in losses:
            losses["imitation"] = losses.pop("symmetry")
        return losses

    def save(self) -> dict:
        """Networks, optimizer, the actor's average, and how far the pull has faded."""
        return super().save() | {"updates": self._updates, "average": self._average.state_dict()}

    def load(self, loaded_dict: dict, load_cfg: dict | None, strict: bool) -> bool:
        """As `save` wrote it."""
        self._updates = int(loaded_dict["updates"])
        self._average.load_state_dict(loaded_dict["average"])
        return super().load(loaded_dict, load_cfg, strict)


def teach(student: SymmetricModel, expert: dict[str, Tensor], examples: TensorDict) -> None:
    """Let `student`, an actor or a critic, begin as the expert's of this state dict: it ignores what else it sees.

    `examples` are observations; they tell how to normalise what the expert never saw.
    """
    student.train().update_normalization(examples)
    state = student.state_dict()
    expert = widened(expert, state)
    first = next(name for name in expert if name.startswith("mlp."))
    state[first].zero_()
    for name, value in expert.items():
        if name == first or (value.dim() == 2 and name.startswith("obs_normalizer.")):
            state[name][:, : value.shape[1]] = value
        elif name != "obs_normalizer.count":
            state[name].copy_(value)
    state["obs_normalizer.count"].fill_(NORMALISER_MEMORY)


def prepare_distillation(algorithm: Distillation, examples: TensorDict, teacher: Path, begin: bool) -> None:
    """Give a distillation its teacher and, to `begin` with, a student that is the expert in disguise.

    `teacher` is what `policy_state` reads, `examples` observations; raises `ModelFileError` for another file.
    """
    expert, _ = policy_state(teacher)
    with _named(teacher):
        load_policy(algorithm.teacher, expert)
        algorithm.teacher_loaded = True
        if begin:
            teach(algorithm.student, expert, examples)


def prepare_refinement(
    algorithm: RefiningPPO, examples: TensorDict, teacher: Path | None, student: Path | None, begin: bool
) -> None:
    """Give a refinement its teacher, if any, and to `begin` with its actor: `student`, or the teacher in disguise.

    `teacher` and `student` are what `policy_state` reads, `examples` observations; raises `ModelFileError` for others.
    """
    if teacher is not None:
        expert, _ = policy_state(teacher)
        options = {key: value for key, value in NETWORK.items() if key != "class_name"}
        guide = Teacher(examples, {"teacher": ["expert"]}, "teacher", NUM_ACTIONS, **options)
        with _named(teacher):
            load_policy(guide, expert)
            algorithm.imitate(guide)
            if begin and student is None:
                teach(algorithm.actor, expert, examples)
            if begin and teacher.suffix != ".onnx":
                # An exported expert left its critic behind: one is learned anew while the critic warms up.
                critic = read_checkpoint(teacher)["critic_state_dict"]
                teach(algorithm.critic, critic, examples)
    if begin and student is not None:
        with _named(student):
            load_policy(algorithm.actor, policy_state(student)[0])
            algorithm.actor.obs_normalizer.count.fill_(FROZEN)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Say which file does not fit the network."""
    try:
        yield
    except (KeyError, RuntimeError) as error:
        raise ModelFileError(f"{path} is not a checkpoint of this network: {error}") from error
