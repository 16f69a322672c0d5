"""How far ahead of its images the humanoid is carried: as far as they are late, within bounds, and never by jumps."""

from __future__ import annotations

from collections import deque

WINDOW = 31
"""Images whose median is the delay: one that is late by itself moves nothing."""
SLOWNESS = 10
"""A change of the horizon takes so many times as long as it is large: stamps keep 0.9 to 1.1 s a second."""
NANOSECONDS = 1_000_000_000


class Horizon:
    """Follows the delay that is measured; owns no clock."""

    def __init__(self, longest: float) -> None:
        """Carry forward by at most `longest` s; 0: never."""
        self._longest_ns = round(longest * NANOSECONDS)
        self._delays: deque[int] = deque(maxlen=WINDOW)
        self._delay_ns: int | None = None
        self._stamp_ns: int | None = None
        self._ahead_ns = 0

    @property
    def delay_s(self) -> float | None:
        """From an image's stamp to its control step; None until it is measured."""
        return None if self._delay_ns is None else self._delay_ns / NANOSECONDS

    @property
    def ahead_s(self) -> float:
        """By which the newest step was carried forward."""
        return self._ahead_ns / NANOSECONDS

    @property
    def complaint(self) -> str:
        """What is wrong, for a person to read; empty: nothing, or nobody wants to be carried forward."""
        if not self._longest_ns:
            return ""
        if self._delay_ns is None:
            return "how late images are is not known: their stamps are of another time"
        if self._delay_ns <= self._longest_ns:
            return ""
        return f"images are {1e-6 * self._delay_ns:.0f} ms late, {1e-6 * self._longest_ns:.0f} of them are predicted"

    def measured(self, delay_ns: int) -> None:
        """An image was used so long after its stamp."""
        self._delays.append(delay_ns)
        self._delay_ns = sorted(self._delays)[len(self._delays) // 2]

    def ahead_ns(self, stamp_ns: int) -> int:
        """By which to carry the step of `stamp_ns` forward; of stamps that increase, the sum increases too."""
        wanted = min(max(self._delay_ns or 0, 0), self._longest_ns)
        if self._stamp_ns is not None:
            reach = max(stamp_ns - self._stamp_ns, 0) // SLOWNESS
            wanted = min(max(wanted, self._ahead_ns - reach), self._ahead_ns + reach)
        self._stamp_ns, self._ahead_ns = stamp_ns, wanted
        return wanted
