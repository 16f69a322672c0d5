"""A log that is quiet enough to be read: the newest change once a second at most, and the last one always."""

from __future__ import annotations

from collections.abc import Callable

PERIOD = 1.0
"""s."""


class SparseLog:
    """Its state is the change that has not been told yet, and when one was; owns no clock."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        """`tell` writes a line."""
        self._tell = tell
        self._untold: str | None = None
        self._told_at = -PERIOD

    def change(self, text: str) -> None:
        """Something changed; what did before and was not told yet is left out."""
        self._untold = text

    def work(self, now: float) -> None:
        """Tell the newest change if it is time; `now` is s of any steady clock."""
        if self._untold is not None and now - self._told_at >= PERIOD:
            self._tell(self._untold)
            self._untold, self._told_at = None, now
