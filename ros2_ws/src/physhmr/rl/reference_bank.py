"""All reference motion as tensors, with a sampler that visits more often what fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from physhmr.motion.clip import clip_velocities
from physhmr.motion.lifted import LiftedView
from physhmr.policy.kinematics import BodyMotion, Kinematics
from physhmr.types import MotionClip


@dataclass(frozen=True)
class ViewBank:
    """What V cameras make of all frames, as `LiftedView` says; V may be 0."""

    qpos: Tensor
    """(V, F, 76)."""
    qvel: Tensor
    """(V, F, 75)."""
    origin_w: Tensor
    """(V, F, 3)."""
    dir_w: Tensor
    """(V, F, 21, 3)."""
    score: Tensor
    """(V, F, 21)."""

    @staticmethod
    def from_views(views: Sequence[Sequence[LiftedView]]) -> ViewBank:
        """Concatenate the views of all clips, clip by clip, the same number for each."""
        rows = list(zip(*views, strict=True))
        parts = (
            [np.concatenate([getattr(view, part.name) for view in row]) for row in rows] for part in fields(ViewBank)
        )
        return ViewBank(*(torch.tensor(np.array(part), dtype=torch.float32) for part in parts))


@dataclass
class ReferenceBank:
    """Frames of all clips, one after the other."""

    qpos: Tensor
    """(F, 76)."""
    qvel: Tensor
    """(F, 75)."""
    body: BodyMotion
    last: Tensor
    """(F,) index of the last frame of each frame's clip."""
    clip: Tensor
    """(F,) index of each frame's clip."""
    first: Tensor
    """(C,) first frame of each clip."""
    length: Tensor
    """(C,) frames of each clip."""
    failure: Tensor
    """(C,) running share of each clip's episodes that fail."""
    steps: Tensor
    """(C,) running mean length of each clip's episodes."""
    views: ViewBank

    @staticmethod
    def from_clips(
        clips: list[MotionClip], kinematics: Kinematics, views: Sequence[Sequence[LiftedView]] = ()
    ) -> ReferenceBank:
        """Concatenate clips, and the views of each of them if there are any; all must run at the control rate."""
        qpos = torch.tensor(np.concatenate([clip.qpos for clip in clips]), dtype=torch.float32)
        velocities = [clip_velocities(clip.qpos, clip.fps) for clip in clips]
        qvel = torch.tensor(np.concatenate(velocities), dtype=torch.float32)
        length = torch.tensor([len(clip.qpos) for clip in clips])
        first = length.cumsum(0) - length
        clip = torch.arange(len(clips)).repeat_interleave(length)
        last = (first + length - 1)[clip]
        chunks = [kinematics(q, v) for q, v in zip(qpos.split(4096), qvel.split(4096), strict=True)]
        parts = ("pos", "rot", "linvel", "angvel")
        body = BodyMotion(*(torch.cat([getattr(chunk, part) for chunk in chunks]) for part in parts))
        share, steps = torch.full((len(clips),), 0.5), length.float().clamp_max(100.0)
        seen = ViewBank.from_views(views)
        return ReferenceBank(qpos, qvel, body, last, clip, first, length, share, steps, seen)

    def sample(self, count: int, generator: torch.Generator, focus: float = 0.85, most: float = 5.0) -> Tensor:
        """(count,) start frames, never a clip's last two.

        A share `focus` is drawn so that the steps spent on a second of a clip grow with its failures per
        step: episodes on hard clips are short, so they must begin the more often. But a second of any clip
        at `most` times as often as one of the median clip: what nobody can learn must not crowd out the rest.
        """
        uniform = torch.randint(len(self.qpos), (count,), generator=generator)
        often = (self.failure + 0.01) / self.steps**2
        often = often.clamp_max(most * float(often.quantile(0.5)))
        clips = torch.multinomial(self.length * often, count, replacement=True, generator=generator)
        within = torch.rand(count, generator=generator) * self.length[clips]
        focused = self.first[clips] + within.long()
        pick = torch.rand(count, generator=generator) < focus
        frame = torch.where(pick, focused, uniform).clamp_max(len(self.qpos) - 1)
        return torch.minimum(frame, self.last[frame] - 2)

    def record(self, frame: Tensor, failed: Tensor, steps: Tensor, rate: float = 0.1) -> None:
        """Update the clips in which episodes ended after `steps`, `failed` or well."""
        for clip, outcome, count in zip(self.clip[frame].tolist(), failed.tolist(), steps.tolist(), strict=True):
            self.failure[clip] += rate * (float(outcome) - self.failure[clip])
            self.steps[clip] += rate * (float(count) - self.steps[clip])
