"""A mailbox between two threads: newest wins, what was overwritten is counted, nothing ever queues up."""

from __future__ import annotations

import threading
import time
from collections import deque
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

    def wait(self, until: float) -> bool:
        """Wait for a letter until `time.monotonic()` reads `until`; return whether there is one, and leave it."""
        with self._changed:
            self._changed.wait_for(lambda: self._letters or self._closed, max(until - time.monotonic(), 0.0))
            return bool(self._letters)

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
