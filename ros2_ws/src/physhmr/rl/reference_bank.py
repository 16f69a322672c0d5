"""All reference motion as tensors, with a sampler that visits more often what fails."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from physhmr.motion.clip import clip_velocities
from physhmr.policy.kinematics import BodyMotion, Kinematics
from physhmr.types import MotionClip

BIN_FRAMES = 30
"""Failures are counted per second of motion."""


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
    failure: Tensor
    """(B,) running failure rate of each one-second bin."""

    @staticmethod
    def from_clips(clips: list[MotionClip], kinematics: Kinematics) -> ReferenceBank:
        """Concatenate clips; all must run at the control rate."""
        qpos = torch.tensor(np.concatenate([clip.qpos for clip in clips]), dtype=torch.float32)
        velocities = [clip_velocities(clip.qpos, clip.fps) for clip in clips]
        qvel = torch.tensor(np.concatenate(velocities), dtype=torch.float32)
        ends = np.cumsum([len(clip.qpos) for clip in clips]) - 1
        last = torch.tensor(np.repeat(ends, [len(clip.qpos) for clip in clips]))
        chunks = [kinematics(q, v) for q, v in zip(qpos.split(4096), qvel.split(4096), strict=True)]
        parts = ("pos", "rot", "linvel", "angvel")
        body = BodyMotion(*(torch.cat([getattr(chunk, part) for chunk in chunks]) for part in parts))
        return ReferenceBank(qpos, qvel, body, last, torch.full((-(-len(qpos) // BIN_FRAMES),), 0.5))

    def sample(self, count: int, generator: torch.Generator, focus: float = 0.7) -> Tensor:
        """(count,) start frames, never a clip's last two; a share `focus` is drawn by failure rate."""
        uniform = torch.randint(len(self.qpos), (count,), generator=generator)
        bins = torch.multinomial(self.failure + 0.02, count, replacement=True, generator=generator)
        focused = bins * BIN_FRAMES + torch.randint(BIN_FRAMES, (count,), generator=generator)
        pick = torch.rand(count, generator=generator) < focus
        frame = torch.where(pick, focused, uniform).clamp_max(len(self.qpos) - 1)
        return torch.minimum(frame, self.last[frame] - 2)

    def record(self, frame: Tensor, failed: Tensor, rate: float = 0.05) -> None:
        """Update the bins in which episodes ended: 1 for a failure, 0 for a clip followed to its end."""
        bins = frame // BIN_FRAMES
        self.failure[bins] += rate * (failed.float() - self.failure[bins])
