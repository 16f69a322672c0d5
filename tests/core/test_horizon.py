"""The horizon follows the delay, stays within its bound, and its stamps never turn back."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from physhmr.horizon import WINDOW, Horizon

TICK = 33_333_333
MS = 1_000_000
STEPS = st.lists(st.tuples(st.integers(1, 10**10), st.none() | st.integers(-(10**9), 10**9)), max_size=80)


def told(horizon: Horizon, steps: list[tuple[int, int | None]]) -> list[tuple[int, int]]:
    """Stamp and horizon of control steps so far apart, with the delay of the image of each."""
    stamp, found = 0, []
    for wait, delay in steps:
        stamp += wait
        if delay is not None:
            horizon.measured(delay)
        found.append((stamp, horizon.ahead_ns(stamp)))
    return found


@given(STEPS, st.floats(0.0, 0.3))
def test_stamps_increase_and_the_bound_holds_however_the_delay_changes(
    steps: list[tuple[int, int | None]], longest: float
) -> None:
    found = told(Horizon(longest), steps)
    assert all(0 <= ahead <= round(1e9 * longest) for _, ahead in found)
    assert all(after[0] + after[1] > before[0] + before[1] for before, after in pairwise(found))


@given(STEPS)
def test_with_no_bound_given_nothing_is_carried_forward(steps: list[tuple[int, int | None]]) -> None:
    assert all(ahead == 0 for _, ahead in told(Horizon(0.0), steps))


def test_the_horizon_is_the_delay_and_follows_it_slowly() -> None:
    horizon = Horizon(0.3)
    assert told(horizon, [(TICK, 150 * MS)]) == [(TICK, 150 * MS)]
    shrinking = [ahead for _, ahead in told(horizon, [(TICK, 50 * MS)] * 60)]
    assert shrinking[0] == 150 * MS and shrinking[-1] == 50 * MS
    assert max(a - b for a, b in pairwise(shrinking)) == TICK // 10
    assert horizon.ahead_s == horizon.delay_s == pytest.approx(0.05)


def test_one_late_image_moves_nothing() -> None:
    horizon = Horizon(0.3)
    before = told(horizon, [(TICK, 100 * MS)] * WINDOW)[-1][1]
    assert [ahead for _, ahead in told(horizon, [(TICK, 900 * MS), *[(TICK, 100 * MS)] * 20])] == [before] * 21


def test_what_is_not_known_or_not_enough_is_complained_about() -> None:
    horizon, off = Horizon(0.1), Horizon(0.0)
    assert "another time" in horizon.complaint
    horizon.measured(90 * MS)
    assert horizon.complaint == ""
    for one in (horizon, off):
        told(one, [(TICK, 250 * MS)] * WINDOW)
    assert horizon.complaint == "images are 250 ms late, 100 of them are predicted"
    assert horizon.ahead_s == pytest.approx(0.1)
    assert (off.complaint, off.delay_s) == ("", 0.25)
