"""Which way is up, by an accelerometer and a gyroscope that move with a camera."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque

import numpy as np

from physhmr.geometry.rotation import quat_to_matrix, rotvec_to_quat
from physhmr.types import Array

STANDARD = 9.81
"""m/s2."""
UNACCELERATED = 1.0
"""m/s2 by which the measured force may differ from gravity, to be taken for it."""
SETTLES = 1.0
"""s in which the accelerometer corrects the gyroscope's drift."""
LONGEST_GAP = 0.5
"""s between two readings, after which the gyroscope has missed too much."""
REMEMBERED = 1000
"""Readings: a second of the fastest sensors."""


class Gravity:
    """A complementary filter: turned by the gyroscope at once, drawn to the accelerometer slowly."""

    def __init__(self) -> None:
        self.up: Array | None = None
        """(3,) unit vector in the sensor's axes; None before the first reading."""
        self.stamp_ns = 0
        """Of the newest reading."""
        self._past: deque[tuple[int, Array]] = deque(maxlen=REMEMBERED)

    def read(self, stamp_ns: int, force: Array, rate: Array) -> None:
        """Take specific force (3,) m/s2 (at rest it points up) and turn rate (3,) rad/s, both in the sensor's axes.

        Readings without numbers, without a force, or older than the newest one are left out, unless the clock was set.
        """
        strength = float(np.linalg.norm(force))
        elapsed = (stamp_ns - self.stamp_ns) * 1e-9
        late = self.up is not None and -LONGEST_GAP < elapsed <= 0.0
        if late or not np.isfinite([strength, *rate]).all() or strength < UNACCELERATED:
            return
        if elapsed <= 0.0:
            self._past.clear()
        if self.up is None or not 0.0 < elapsed <= LONGEST_GAP:
            self.up = force / strength
        else:
            self.up = _turned(self.up, elapsed, force, strength, rate)
        self.stamp_ns = stamp_ns
        self._past.append((stamp_ns, self.up))

    def at(self, stamp_ns: int) -> tuple[int, Array] | None:
        """Return stamp and up (3,) of the newest reading that is not newer than `stamp_ns`, else of the oldest kept.

        So what is said of a time does not depend on which readings have come since. None before the first reading.
        """
        if not self._past:
            return None
        return self._past[max(bisect_right(self._past, stamp_ns, key=lambda reading: reading[0]) - 1, 0)]


def _turned(up: Array, elapsed: float, force: Array, strength: float, rate: Array) -> Array:
    """The vertical `up`, `elapsed` s later."""
    up = quat_to_matrix(rotvec_to_quat(-elapsed * rate)) @ up
    if abs(strength - STANDARD) <= UNACCELERATED:
        up = up + min(elapsed / SETTLES, 1.0) * (force / strength - up)
    return np.asarray(up / np.linalg.norm(up))
