"""Processes that work for another one, and end when it ends."""

from __future__ import annotations

import os
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from threading import Thread


def end_with_parent() -> None:
    """Initializer of a pool's processes: they end when the one that started them does, even if it was killed.

    They would wait for its next order for ever otherwise, for each of them holds the ends of its pipes open.
    """
    parent = parent_process()
    if parent is not None:
        Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
