"""Makes training references as imperfect as lifted ones: offsets that wander slowly, rates that are off."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from physhmr.types import NV


@dataclass(frozen=True)
class ReferenceNoiseCfg:
    """Standard deviations at full strength; each episode draws its strength between 0 and 1."""

    root_xy: float = 0.04
    """m."""
    root_z: float = 0.02
    """m: feet that float or sink by an inexact camera pose."""
    root_tilt: float = 0.10
    """rad about each axis."""
    hinge: float = 0.08
    """rad."""
    rate: float = 0.4
    """rad/s or m/s on all velocities."""
    correlation: float = 0.93
    """From one control step to the next (time constant 0.46 s at 30 Hz)."""
    strength: float = 0.0
    """Scales all of it; 0 = perfect references."""


class ReferenceNoise:
    """An AR(1) process per environment on the reference's pose and velocity."""

    def __init__(self, cfg: ReferenceNoiseCfg, num_envs: int, generator: torch.Generator) -> None:
        self._cfg, self._random = cfg, generator
        pose = [cfg.root_xy, cfg.root_xy, cfg.root_z, *[cfg.root_tilt] * 3, *[cfg.hinge] * (NV - 6)]
        self._sigma = torch.tensor([pose, [cfg.rate] * NV])
        self.state = torch.zeros(num_envs, 2, NV)
        self.strength = torch.zeros(num_envs, 1, 1)

    def reset(self, which: Tensor) -> None:
        """New strength, and a start inside the stationary distribution."""
        count = len(which)
        self.strength[which] = self._cfg.strength * torch.rand(count, 1, 1, generator=self._random)
        self.state[which] = self.strength[which] * self._sigma * self._normal(count)

    def advance(self) -> None:
        """One control step."""
        rho = self._cfg.correlation
        drive = (1.0 - rho**2) ** 0.5 * self.strength * self._sigma
        self.state = rho * self.state + drive * self._normal(len(self.state))

    def apply(self, qpos: Tensor, qvel: Tensor) -> tuple[Tensor, Tensor]:
        """The (N, 76) poses and (N, 75) velocities that the policy is shown."""
        pose, rate = self.state.unbind(1)
        half = 0.5 * pose[:, 3:6]
        w, x, y, z = qpos[:, 3:7].unbind(-1)
        hx, hy, hz = half.unbind(-1)
        # Quaternion product with (1, half), normalised: exact to second order for these small angles.
        quat = torch.stack(
            [
                w - x * hx - y * hy - z * hz,
                x + w * hx + y * hz - z * hy,
                y + w * hy + z * hx - x * hz,
                z + w * hz + x * hy - y * hx,
            ],
            -1,
        )
        quat = quat / quat.norm(dim=-1, keepdim=True)
        return torch.cat([qpos[:, :3] + pose[:, :3], quat, qpos[:, 7:] + pose[:, 6:]], -1), qvel + rate

    def _normal(self, count: int) -> Tensor:
        return torch.randn(count, 2, NV, generator=self._random)
