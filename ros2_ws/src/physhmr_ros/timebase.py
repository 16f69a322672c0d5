"""Stamps that only run forward, whatever the camera's clock does."""

from __future__ import annotations

from collections import deque

NANOSECONDS = 1_000_000_000
OUT_OF_ORDER = NANOSECONDS // 2
"""A step back up to this is a late or doubled image; a larger one is a clock that was set or a bag that looped."""
RESTART_GAP = NANOSECONDS // 30
"""Time between the last image before a restart of the camera's clock and the first one after."""

ANOTHER_TIME = 60.0
"""s between an image's stamp and our clock, from which on it says when a file was recorded, not how late we are."""


class TimeBase:
    """Turns the camera's stamps into strictly increasing ones, equal to the camera's until its clock jumps back."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._offset = 0
        self.refused = 0
        """Images that came out of order."""
        self.restarts = 0
        """Times that the camera's clock jumped back."""

    def accept(self, stamp_ns: int) -> int | None:
        """Return the stamp to use for an image, or None if the image came out of order and must not be used."""
        shifted = stamp_ns + self._offset
        if self._last is not None and shifted <= self._last:
            if self._last - shifted <= OUT_OF_ORDER:
                self.refused += 1
                return None
            self._offset += self._last + RESTART_GAP - shifted
            self.restarts += 1
            shifted = stamp_ns + self._offset
        self._last = shifted
        return shifted

    @property
    def offset_s(self) -> float:
        """Seconds by which the given stamps are ahead of the camera's; 0 until its clock jumps back."""
        return self._offset / NANOSECONDS


class GapCounter:
    """Counts images that never arrived, by the holes in the stamps of a steady camera.

    rclpy's message-lost event would say it directly, but taking it can deadlock with Fast DDS's receiver.
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self._recent: deque[int] = deque(maxlen=15)
        self.lost = 0
        """Images so far."""

    def saw(self, stamp_ns: int) -> None:
        """Note the stamp of an image that arrived; stamps that do not increase start anew."""
        if self._last is not None:
            gap = stamp_ns - self._last
            if gap <= 0:
                self._recent.clear()
            else:
                self._note(gap)
        self._last = stamp_ns

    def _note(self, gap: int) -> None:
        self._recent.append(gap)
        usual = sorted(self._recent)[len(self._recent) // 4]
        # A camera that stood still for seconds lost nothing: it took no images.
        if len(self._recent) == self._recent.maxlen and gap < NANOSECONDS:
            self.lost += max(round(gap / usual) - 1, 0)


class TickStamps:
    """Stamps of control ticks in the images' time base: the image's own when it is new, else run on by the clock."""

    def __init__(self) -> None:
        self._image: tuple[int, float] | None = None
        self._offset = 0
        self._last: int | None = None

    def saw(self, stamp_ns: int, at: float) -> None:
        """Note an image's stamp and when it arrived, `time.monotonic` seconds."""
        shifted = stamp_ns + self._offset
        if self._last is not None and self._last - shifted > OUT_OF_ORDER:
            self._offset += self._last + RESTART_GAP - shifted
            shifted = stamp_ns + self._offset
        self._image = shifted, at

    @property
    def known(self) -> bool:
        """Whether an image was seen, so that there is a time base."""
        return self._image is not None

    def tick(self, now: float, fresh: bool) -> int:
        """Return the stamp of a tick at `now`; `fresh`: it is the first one since `saw`. Strictly increasing."""
        if self._image is None:
            raise RuntimeError("a tick needs an image to take its time base from")
        stamp, at = self._image
        if not fresh:
            stamp += round((now - at) * NANOSECONDS)
        # An image that arrives after the clock has run on is late by milliseconds: time must not turn back.
        self._last = stamp if self._last is None else max(stamp, self._last + 1)
        return self._last
