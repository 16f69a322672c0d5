"""When to step: a steady control period whose phase follows the camera, so that fresh rays never wait for a tick."""

from __future__ import annotations

EARLIEST = 0.6
"""Fraction of the period after which fresh rays may start the next tick at once."""
SHORTEST = 0.5
"""Fraction of the period that lies between two ticks at least, also where the phase is set anew."""
MARGIN = 0.2
"""Fraction of the period by which the deadline lies behind the expected arrival, so that jitter does not miss it."""
PULL = 0.05
"""Fraction of the phase error that one arrival corrects, at most 1 % of the period."""
PATIENCE = 0.2
"""Rays older than this fraction of the period, when a tick may start, wait for newer ones until the deadline."""
NEAR = 0.25
"""Fraction of the period around the expected arrival within which rays say something about the phase."""
MISSES = 10
"""So many arrivals in a row that are not near: the camera was restarted, set the phase anew."""


class Ticker:
    """Decides on `time.monotonic` seconds; owns no clock, so that a test can be its clock.

    The mean rate stays that of the period (within 2 %), also for cameras of another rate: only the phase moves.
    """

    def __init__(self, period: float, now: float) -> None:
        self.period = period
        self.deadline = now + period
        """When to tick at the latest."""
        self._misses = MISSES
        self._last = now

    @property
    def opens(self) -> float:
        """When fresh rays may start a tick at once."""
        return max(self.deadline - (1.0 - EARLIEST) * self.period, self._last + SHORTEST * self.period)

    def takes(self, arrived: float) -> bool:
        """Return whether rays that arrived then are new enough to start the tick before its deadline."""
        return arrived >= self.opens - PATIENCE * self.period

    def arrived(self, at: float) -> None:
        """Move the phase towards an arrival of rays at time `at`; the first one sets it."""
        error = at + MARGIN * self.period - self.deadline
        error -= self.period * round(error / self.period)
        near = abs(error) < NEAR * self.period
        self._misses = 0 if near else self._misses + 1
        if self._misses > MISSES:
            self._misses = 0
            self.deadline += error
        elif near:
            limit = 0.01 * self.period
            self.deadline += min(max(PULL * error, -limit), limit)

    def ticked(self, now: float) -> None:
        """Set the next deadline; after a stall the missed ticks are left out instead of caught up."""
        self._last = now
        self.deadline += self.period
        if self.deadline <= now:
            self.deadline = now + self.period
        self.deadline = max(self.deadline, now + SHORTEST * self.period)
