"""A causal filter of poses: One-Euro (Casiez et al. 2012) per coordinate, rotations in the tangent space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from physhmr.body.tangent import pose_add, pose_difference
from physhmr.types import NV, Array


@dataclass(frozen=True)
class PoseFilterCfg:
    """Cut-offs: smooth when still, quick when moving."""

    min_cutoff: float = 2.0
    """Hz at rest."""
    speed_gain: float = 1.0
    """Hz per rad/s (or m/s)."""
    velocity_cutoff: float = 4.0
    """Hz of the velocity estimate."""
    max_rate: float = 12.0
    """rad/s or m/s: no reference velocity is larger."""


class PoseFilter:
    """Filters (76,) poses at their stamps and tells the velocity of what it returns."""

    def __init__(self, cfg: PoseFilterCfg | None = None) -> None:
        self._cfg = cfg or PoseFilterCfg()
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next pose passes as it is, at rest."""
        self._stamp_ns: int | None = None
        self._qpos = np.zeros(0)
        self._qvel = np.zeros(NV)

    def step(self, stamp_ns: int, qpos: Array) -> tuple[Array, Array]:
        """The filtered (76,) pose and (75,) velocity at `stamp_ns`."""
        if self._stamp_ns is None or stamp_ns <= self._stamp_ns:
            self._stamp_ns, self._qpos, self._qvel = stamp_ns, qpos.copy(), np.zeros(NV)
            return self._qpos.copy(), self._qvel.copy()
        dt = 1e-9 * (stamp_ns - self._stamp_ns)
        self._stamp_ns = stamp_ns
        innovation = pose_difference(self._qpos, qpos)
        rate = np.clip(innovation / dt, -self._cfg.max_rate, self._cfg.max_rate)
        speed = self._qvel + _gain(np.full(NV, self._cfg.velocity_cutoff), dt) * (rate - self._qvel)
        blend = _gain(self._cfg.min_cutoff + self._cfg.speed_gain * np.abs(speed), dt)
        moved = blend * innovation
        self._qpos = pose_add(self._qpos, moved)
        # The velocity of the filtered pose itself, smoothed: what the reference really does.
        velocity = np.clip(moved / dt, -self._cfg.max_rate, self._cfg.max_rate)
        self._qvel = self._qvel + _gain(np.full(NV, self._cfg.velocity_cutoff), dt) * (velocity - self._qvel)
        return self._qpos.copy(), self._qvel.copy()


def _gain(cutoff_hz: Array, dt: float) -> Array:
    """Weight of the new sample in a first-order low-pass."""
    return 1.0 - np.exp(-2.0 * np.pi * cutoff_hz * dt)
