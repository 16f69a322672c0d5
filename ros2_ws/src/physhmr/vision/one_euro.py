"""The One-Euro filter (Casiez, Roussel, Vogel, CHI 2012) on whole arrays, as MediaPipe applies it to landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from physhmr.errors import ConfigError
from physhmr.types import Array


@dataclass(frozen=True)
class OneEuroConfig:
    """How strongly to smooth. Speeds are in units of the object's size per second."""

    min_cutoff: float
    """Hz, cutoff at rest: lower means less jitter and more lag."""
    beta: float
    """Hz per unit of speed: higher means less lag in motion."""
    derivative_cutoff: float = 1.0
    """Hz, cutoff of the speed estimate."""
    max_gap: float = 0.5
    """s; after a longer gap, or a stamp that jumps back, the filter starts anew."""

    def __post_init__(self) -> None:
        if not (self.min_cutoff > 0 and self.derivative_cutoff > 0 and self.beta >= 0 and self.max_gap > 0):
            raise ConfigError("smoothing", "needs positive cutoffs and max_gap, and no negative beta", self)


class OneEuroFilter:
    """A causal low-pass whose cutoff rises with speed; every element of the array is its own channel."""

    def __init__(self, config: OneEuroConfig) -> None:
        """Start without history."""
        self.config = config
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._stamp_ns: int | None = None
        self._raw = self._value = self._speed = np.zeros(0)

    def __call__(self, stamp_ns: int, raw: Array, size: float = 1.0) -> Array:
        """Return the filtered `raw` (...); `size` is the object's extent in the units of `raw`."""
        elapsed = None if self._stamp_ns is None else (stamp_ns - self._stamp_ns) * 1e-9
        if elapsed is None or not 0.0 < elapsed <= self.config.max_gap:
            self._value, self._speed = raw.copy(), np.zeros_like(raw)
        else:
            speed = (raw - self._raw) / (size * elapsed)
            self._speed = self._speed + _weight(self.config.derivative_cutoff, elapsed) * (speed - self._speed)
            cutoff = self.config.min_cutoff + self.config.beta * np.abs(self._speed)
            self._value = self._value + _weight(cutoff, elapsed) * (raw - self._value)
        self._stamp_ns, self._raw = stamp_ns, raw.copy()
        return self._value.copy()


def _weight(cutoff: Array | float, elapsed: float) -> Array:
    """Weight of the new sample in a first-order low-pass of `cutoff` Hz."""
    return 1.0 / (1.0 + 1.0 / (2.0 * np.pi * np.asarray(cutoff) * elapsed))
