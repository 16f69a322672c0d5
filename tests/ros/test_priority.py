"""Threads keep to the core that they were given, and no other thread does."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

import pytest

from physhmr_ros.priority import hurry_this_thread, leave_the_control_core

CORES = os.sched_getaffinity(0) if sys.platform == "linux" else set()
pytestmark = [pytest.mark.ros, pytest.mark.skipif(sys.platform != "linux", reason="Linux decides about threads")]


def in_a_thread(ask: Callable[[], bool]) -> tuple[bool, set[int], set[int]]:
    """What the system said, on which cores the thread may run then, and on which this one may."""
    found: list[tuple[bool, set[int]]] = []

    def body() -> None:
        found.append((ask(), os.sched_getaffinity(0)))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    ((granted, cores),) = found
    return granted, cores, os.sched_getaffinity(0)


@pytest.mark.skipif(len(CORES) < 2, reason="one core only: nobody can leave it")
def test_who_leaves_the_control_core_may_run_everywhere_else() -> None:
    allowed = os.sched_getaffinity(0)
    granted, cores, of_this_thread = in_a_thread(leave_the_control_core)
    assert granted and cores == allowed - {min(allowed)}
    assert of_this_thread == allowed


def test_who_hurries_keeps_to_the_control_core_or_is_refused() -> None:
    allowed = os.sched_getaffinity(0)
    granted, cores, of_this_thread = in_a_thread(hurry_this_thread)
    assert cores == ({min(allowed)} if granted else allowed)
    assert of_this_thread == allowed


def test_where_nobody_may_choose_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = os.sched_getaffinity(0)

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    if len(allowed) > 1:
        assert not leave_the_control_core()
    assert os.sched_getaffinity(0) == allowed


def test_a_single_core_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    assert not leave_the_control_core()
