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

    def __init__(self, capacity: int = 1, weigh: Callable[[T], int] = lambda letter: 1) -> None:
        """Count letters, or what they `weigh`, bytes say; one that outweighs the whole box goes in alone."""
        if capacity < 1:
            raise ValueError(f"a mailbox needs room for one letter at least, got {capacity}")
        self._letters: deque[T] = deque()
        self._capacity, self._weigh = capacity, weigh
        self._load = 0
        self._changed = threading.Condition()
        self._closed = False
        self._put = 0
        self._dropped = 0

    def put(self, letter: T) -> None:
        """Lay a letter into the box and wake whoever waits; never blocks. A closed box swallows it."""
        with self._changed:
            if self._closed:
                return
            weight = self._weigh(letter)
            while self._letters and self._load + weight > self._capacity:
                self._first()
                self._dropped += 1
            self._letters.append(letter)
            self._load += weight
            self._put += 1
            self._changed.notify()

    def take(self, timeout: float = 0.0) -> T | None:
        """Return the oldest letter that is there or arrives within `timeout` seconds, else None."""
        with self._changed:
            self._changed.wait_for(lambda: self._letters or self._closed, max(timeout, 0.0))
            return self._first() if self._letters else None

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
            self._clear()
            self._closed = False

    def close(self) -> None:
        """Wake whoever waits, and refuse letters until `open`."""
        with self._changed:
            self._clear()
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

    def _first(self) -> T:
        letter = self._letters.popleft()
        self._load -= self._weigh(letter)
        return letter

    def _clear(self) -> None:
        self._letters.clear()
        self._load = 0
