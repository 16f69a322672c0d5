"""Joint commands that never break a position, velocity or acceleration limit, whatever is asked.

With steps of dt and a deceleration a, a joint that moves at v comes to rest after f(v) = dt (n v - n (n-1)/2 a dt),
n = ceil(v / a dt), this step included. Each step's speed is chosen with f(v) at most the room that is left, towards
the wish and towards the limits; braking is therefore always possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from physhmr.errors import RobotError, ShapeError
from physhmr.retarget.robot import Robot
from physhmr.types import Array

LONGEST_STOP = 0.1
"""s that any joint may take from its full speed to rest."""
_INWARD = 1e-9
"""rad that commands stay inside of their range, against rounding."""


@dataclass(frozen=True)
class JointLimits:
    """What each of J joints may do."""

    low: Array
    """(J,) rad."""
    high: Array
    """(J,) rad."""
    velocity: Array
    """(J,) rad/s."""
    acceleration: Array
    """(J,) rad/s^2, for speeding up and braking."""

    def __post_init__(self) -> None:
        arrays = [np.asarray(getattr(self, name), float) for name in ("low", "high", "velocity", "acceleration")]
        if any(array.shape != arrays[0].shape or array.ndim != 1 for array in arrays):
            raise ShapeError("limits", "four arrays (J,)", [array.shape for array in arrays])
        low, high, velocity, acceleration = arrays
        if not all(np.isfinite(array).all() for array in arrays):
            raise RobotError("limits of joints must be finite")
        if not ((low < high).all() and (velocity > 0).all() and (acceleration > 0).all()):
            raise RobotError("limits need low < high, velocity > 0 and acceleration > 0 for every joint")
        slowest = float((velocity / acceleration).max())
        if slowest > LONGEST_STOP + 1e-12:
            raise RobotError(f"a joint would need {1000 * slowest:.0f} ms to stop: more acceleration or less velocity")


def limits_of(robot: Robot, joints: Sequence[int], speed: float) -> JointLimits:
    """Limits of some joints of a robot at the share `speed` of their velocities; each can stop in 80 ms."""
    chosen = list(joints)
    velocity = speed * robot.velocity[chosen]
    low, high = robot.ranges[chosen].T
    return JointLimits(low, high, velocity, velocity / (0.8 * LONGEST_STOP))


class JointLimiter:
    """Moves J joints towards wishes; its state is the position and speed of its last command."""

    def __init__(self, limits: JointLimits, dt: float, position: Array) -> None:
        """Start at rest at `position` (J,) rad, with commands every `dt` s.

        Raises `RobotError` if that is outside the limits: where the robot stands must be known to be safe.
        """
        if not 0.0005 <= dt <= 0.05:
            raise RobotError(f"dt must lie in [0.0005, 0.05] s, got {dt:g}")
        self.limits, self.dt = limits, dt
        start = np.asarray(position, float)
        if start.shape != limits.low.shape:
            raise ShapeError("position", limits.low.shape, start.shape)
        outside = ~((start >= limits.low - 1e-3) & (start <= limits.high + 1e-3))
        if outside.any():
            raise RobotError(f"joint {int(np.flatnonzero(outside)[0])} is outside its limits or not a number")
        self.position = np.clip(start, limits.low + _INWARD, limits.high - _INWARD)
        self.velocity = np.zeros(len(start))

    def towards(self, wish: Array, speed: Array | None = None) -> Array:
        """One command (J,) rad nearer to `wish` (J,), at most at `speed` (J,) rad/s; raises `ShapeError`.

        A wish that is not a number is refused by holding that joint.
        """
        return self.go(self.aim(wish, speed))

    def brake(self) -> Array:
        """One command (J,) rad of the shortest stop."""
        return self.go(np.zeros(len(self.position)))

    @property
    def at_rest(self) -> bool:
        """No joint moves."""
        return not self.velocity.any()

    def aim(self, wish: Array, speed: Array | None = None) -> Array:
        """(J,) rad/s that the next command of `towards` would have if it only had to stop at `wish`."""
        wish = np.asarray(wish, float)
        if wish.shape != self.position.shape:
            raise ShapeError("wish", self.position.shape, wish.shape)
        limit = self.limits.velocity if speed is None else np.minimum(speed, self.limits.velocity)
        inside = np.clip(wish, self.limits.low, self.limits.high)
        gap = np.where(np.isfinite(wish), inside, self.position) - self.position
        return np.sign(gap) * np.minimum(self._fastest(np.abs(gap)), limit)

    def reach(self) -> tuple[Array, Array]:
        """Least and largest velocity (J,) rad/s of the next command: acceleration, speed, the room to the limits."""
        change, full = self.limits.acceleration * self.dt, self.limits.velocity
        room_up = np.maximum(self.limits.high - _INWARD - self.position, 0.0)
        room_down = np.maximum(self.position - self.limits.low - _INWARD, 0.0)
        fastest_down, fastest_up = -self._fastest(room_down), self._fastest(room_up)
        low = np.clip(np.clip(self.velocity - change, fastest_down, fastest_up), -full, full)
        high = np.clip(np.clip(self.velocity + change, fastest_down, fastest_up), -full, full)
        return low, high

    def go(self, velocity: Array) -> Array:
        """One command (J,) rad at the velocity (J,) rad/s that is nearest within `reach`."""
        self.velocity = np.clip(velocity, *self.reach())
        self.position = self.position + self.velocity * self.dt
        return self.position.copy()

    def braking(self, velocity: Array) -> Array:
        """(K, J) rad, K >= 1: the next command, if at `velocity` (J,) within `reach`, and all that brake after it."""
        first = self.position + self.dt * velocity
        return np.concatenate([first[None], self._stop(first, velocity)[:-1]])

    def stop(self) -> Array:
        """(K, J) rad, the commands that brake from now on; the last repeats where they end, none are at rest."""
        return self._stop(self.position, self.velocity)

    def _stop(self, position: Array, velocity: Array) -> Array:
        unit, speed = self.limits.acceleration * self.dt, np.abs(velocity)
        steps = 1 + np.arange(int(np.ceil((speed / unit).max())))
        speeds = np.sign(velocity) * np.maximum(speed - steps[:, None] * unit, 0.0)
        return np.asarray(position + self.dt * np.cumsum(speeds, axis=0))

    def stretch(self, velocity: Array) -> Array:
        """(J,) s, how far the end of `braking` moves with the velocity."""
        steps = np.ceil(np.abs(velocity) / (self.limits.acceleration * self.dt))
        return self.dt * np.maximum(steps, 1.0)

    def _fastest(self, room: Array) -> Array:
        """(J,) the largest v with f(v) <= room: the inverse of f, which is linear between multiples of a dt."""
        unit = self.limits.acceleration * self.dt
        steps = np.maximum(np.ceil(0.5 * (np.sqrt(1.0 + 8.0 * room / (unit * self.dt)) - 1.0)), 1.0)
        return np.asarray((room / self.dt + 0.5 * steps * (steps - 1.0) * unit) / steps)
