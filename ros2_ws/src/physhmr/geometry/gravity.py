"""Which way is up, by an accelerometer and a gyroscope that move with a camera."""

from __future__ import annotations

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


class Gravity:
    """A complementary filter: turned by the gyroscope at once, drawn to the accelerometer slowly."""

    def __init__(self) -> None:
        self.up: Array | None = None
        """(3,) unit vector in the sensor's axes; None before the first reading."""
        self.stamp_ns = 0
        """Of the newest reading."""

    def read(self, stamp_ns: int, force: Array, rate: Array) -> None:
        """Take specific force (3,) m/s2 (at rest it points up) and turn rate (3,) rad/s, both in the sensor's axes.

        Readings without numbers, without a force, or older than the newest one are left out, unless the clock was set.
        """
        strength = float(np.linalg.norm(force))
        elapsed = (stamp_ns - self.stamp_ns) * 1e-9
        late = self.up is not None and -LONGEST_GAP < elapsed <= 0.0
        if late or not np.isfinite([strength, *rate]).all() or strength < UNACCELERATED:
            return
        self.stamp_ns = stamp_ns
        if self.up is None or not 0.0 < elapsed <= LONGEST_GAP:
            self.up = force / strength
            return
        up = quat_to_matrix(rotvec_to_quat(-elapsed * rate)) @ self.up
        if abs(strength - STANDARD) <= UNACCELERATED:
            up = up + min(elapsed / SETTLES, 1.0) * (force / strength - up)
        self.up = up / np.linalg.norm(up)
