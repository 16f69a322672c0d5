"""How somebody walks who is seen now and then and roughly: a Kalman filter of nearly constant velocity.

Both axes of the image have the same noise, so that one covariance serves them; lengths in sizes of the person's box.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from physhmr.types import Array, PersonBox

_ROUGH = 0.06
"""Standard deviation of a detection's place."""
_STROLL = 0.6
"""The same, 1/s, of the velocity of somebody who is seen for the first time: a walk across the picture."""
_WHIM = 0.5
"""How much velocities change, 1/s in a second."""
_RESIZE = 0.3
"""Weight of a detection in the size of the box."""


@dataclass(frozen=True)
class Walk:
    """Somebody's place, velocity and box at the time they were last seen."""

    box: PersonBox
    velocity: Array
    """(2,) px/s."""
    covariance: Array
    """(2, 2) of place and velocity along one axis, in sizes of the box and 1/s."""
    stamp_ns: int
    sightings: int = 1

    def at(self, stamp_ns: int) -> PersonBox:
        """Return where they are expected at another time."""
        return _moved(self.box, self.velocity * _seconds(self.stamp_ns, stamp_ns))

    def seen(self, box: PersonBox, stamp_ns: int) -> Walk:
        """Return them after they were found in `box`, later than before."""
        seconds = _seconds(self.stamp_ns, stamp_ns)
        step = np.array([[1.0, seconds], [0.0, 1.0]])
        whim = _WHIM**2 * np.array([[seconds**3 / 3, seconds**2 / 2], [seconds**2 / 2, seconds]])
        covariance = step @ self.covariance @ step.T + whim
        gain = covariance[:, 0] / (covariance[0, 0] + _ROUGH**2)
        expected = self.at(stamp_ns)
        missed = box.center - expected.center
        size = expected.size * (box.size / expected.size) ** _RESIZE
        corrected = PersonBox(expected.center + gain[0] * missed, size, box.rotation, box.score)
        rest = np.eye(2) - np.outer(gain, [1.0, 0.0])
        return Walk(corrected, self.velocity + gain[1] * missed, rest @ covariance, stamp_ns, self.sightings + 1)

    def led(self, box: PersonBox, stamp_ns: int) -> Walk:
        """Return them in `box`, which is known exactly, as landmarks tell it for each frame; how they walk stays."""
        seen = self.seen(box, stamp_ns)
        return Walk(box, seen.velocity, seen.covariance, stamp_ns, seen.sightings)


def first_seen(box: PersonBox, stamp_ns: int) -> Walk:
    """Return somebody new, who stands or walks anywhere."""
    return Walk(box, np.zeros(2), np.diag([_ROUGH**2, _STROLL**2]), stamp_ns)


def _moved(box: PersonBox, by: Array) -> PersonBox:
    return PersonBox(box.center + by, box.size, box.rotation, box.score)


def _seconds(before_ns: int, after_ns: int) -> float:
    return max(after_ns - before_ns, 0) * 1e-9
