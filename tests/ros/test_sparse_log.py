"""The log of changes: never crowded, and never without the last word."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from physhmr_ros.sparse_log import PERIOD, SparseLog


@given(st.lists(st.tuples(st.floats(0.0, 3.0), st.booleans()), max_size=60))
def test_the_last_change_is_told_and_no_two_within_a_second(steps: list[tuple[float, bool]]) -> None:
    told: list[tuple[float, str]] = []
    now, changes = 100.0, [f"change {index}" for index in range(len(steps))]
    log = SparseLog(lambda text: told.append((now, text)))
    last = None
    for (wait, changed), text in zip(steps, changes, strict=True):
        now += wait
        if changed:
            log.change(text)
            last = text
        log.work(now)
    now += PERIOD
    log.work(now)
    assert all(after - before >= PERIOD for (before, _), (after, _) in itertools.pairwise(told))
    assert ([text for _, text in told] or [None])[-1] == last
    assert [text for _, text in told] == sorted({text for _, text in told}, key=changes.index)


def test_the_first_change_is_told_at_once() -> None:
    told: list[str] = []
    log = SparseLog(told.append)
    log.change("searching")
    log.work(0.0)
    assert told == ["searching"]
