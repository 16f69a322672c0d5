"""A mailbox between two threads: newest wins, what was overwritten is counted, nothing ever queues up."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Holds up to `capacity` letters; a full box drops its oldest. With one slot, the newest wins."""

    def __init__(self, capacity: int = 1) -> None:
        if capacity < 1:
            raise ValueError(f"a mailbox needs room for one letter at least, got {capacity}")
        self._letters: deque[T] = deque()
        self._capacity = capacity
        self._changed = threading.Condition()
        self._closed = False
        self._put = 0
        self._dropped = 0

    def put(self, letter: T) -> None:
        """Lay a letter into the box and wake whoever waits; never blocks. A closed box swallows it."""
        with self._changed:
            if self._closed:
                return
            if len(self._letters) == self._capacity:
                self._letters.popleft()
                self._dropped += 1
            self._letters.append(letter)
            self._put += 1
            self._changed.notify()

    def take(self, timeout: float = 0.0) -> T | None:
        """Return the oldest letter that is there or arrives within `timeout` seconds, else None."""
        with self._changed:
            self._changed.wait_for(lambda: self._letters or self._closed, max(timeout, 0.0))
            return self._letters.popleft() if self._letters else None

    def wait(self, until: float, wanted: Callable[[T], bool] = lambda letter: True) -> bool:
        """Wait until `time.monotonic()` reads `until` for a newest letter that is `wanted`; it stays in the box.

        Return whether there is one.
        """

        def there() -> bool:
            return bool(self._letters) and wanted(self._letters[-1])

        with self._changed:
            self._changed.wait_for(lambda: self._closed or there(), max(until - time.monotonic(), 0.0))
            return there()

    def open(self) -> None:
        """Empty the box and accept letters (again)."""
        with self._changed:
            self._letters.clear()
            self._closed = False

    def close(self) -> None:
        """Wake whoever waits, and refuse letters until `open`."""
        with self._changed:
            self._letters.clear()
            self._closed = True
            self._changed.notify_all()

    @property
    def put_count(self) -> int:
        """Letters that ever came in."""
        return self._put

    @property
    def dropped(self) -> int:
        """Letters that were overwritten before anybody took them."""
        return self._dropped
