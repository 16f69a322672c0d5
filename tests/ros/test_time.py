"""Stamps only run forward, ticks keep their rate and follow the camera's phase, holes in the stamps are counted."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physhmr_ros.ticker import Ticker
from physhmr_ros.timebase import OUT_OF_ORDER, RESTART_GAP, GapCounter, TickStamps, TimeBase

PERIOD = 1.0 / 30.0
FRAME = 33_333_333
STAMPS = st.lists(st.integers(0, 10**12), min_size=1, max_size=50)


@given(STAMPS)
def test_accepted_stamps_strictly_increase(stamps: list[int]) -> None:
    times = TimeBase()
    accepted = [s for s in map(times.accept, stamps) if s is not None]
    assert all(b > a for a, b in pairwise(accepted))
    assert times.refused + len(accepted) == len(stamps)


@given(STAMPS)
def test_increasing_stamps_stay_as_they_are(stamps: list[int]) -> None:
    stamps = sorted(set(stamps))
    times = TimeBase()
    assert [times.accept(s) for s in stamps] == stamps
    assert times.restarts == times.refused == 0


def test_a_late_or_doubled_image_is_refused() -> None:
    times = TimeBase()
    assert times.accept(10**9) == 10**9
    assert times.accept(10**9) is None
    assert times.accept(10**9 - OUT_OF_ORDER) is None
    assert times.refused == 2


def test_a_clock_that_jumps_back_is_followed_at_its_new_pace() -> None:
    times = TimeBase()
    times.accept(10**12)
    first = times.accept(5)
    assert first == 10**12 + RESTART_GAP
    assert times.accept(5 + FRAME) == first + FRAME
    assert times.restarts == 1
    assert times.offset_s == pytest.approx((10**12 + RESTART_GAP - 5) / 1e9)


EVENTS = st.lists(st.tuples(st.floats(0.0, 0.2), st.one_of(st.none(), st.integers(-(10**11), 10**11))), max_size=60)


@given(EVENTS)
def test_tick_stamps_strictly_increase_whatever_the_camera_says(events: list[tuple[float, int | None]]) -> None:
    stamps, now, told = TickStamps(), 0.0, []
    stamps.saw(0, now)
    for wait, stamp in events:
        now += wait
        if stamp is not None:
            stamps.saw(stamp, now)
        told.append(stamps.tick(now, fresh=stamp is not None))
    assert all(b > a for a, b in pairwise(told))


def test_a_tick_carries_the_new_images_stamp_and_runs_on_without_one() -> None:
    stamps = TickStamps()
    assert not stamps.known
    stamps.saw(1_000, 10.0)
    assert stamps.tick(10.004, fresh=True) == 1_000
    assert stamps.tick(10.5, fresh=False) == 1_000 + 500_000_000
    # Late by milliseconds: never back.
    stamps.saw(1_000 + 490_000_000, 10.51)
    assert stamps.tick(10.51, fresh=True) == 1_000 + 500_000_001


@given(st.sets(st.integers(20, 199), max_size=40))
def test_each_hole_in_the_stamps_is_counted(missing: set[int]) -> None:
    # Holes of a second and more are pauses, not losses.
    gaps = GapCounter()
    present = [n for n in range(201) if n not in missing]
    expected = sum(b - a - 1 for a, b in pairwise(present) if (b - a) * FRAME < 10**9)
    for n in present:
        gaps.saw(n * FRAME)
    assert gaps.lost == expected


def ticks_of(rate: float, jitter: float, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Return tick times, and how long each picture that was used had waited."""
    rng = np.random.default_rng(0)
    arrivals = np.arange(0.51, 0.51 + seconds, 1.0 / rate)
    arrivals = np.sort(arrivals + rng.uniform(-jitter, jitter, len(arrivals)))
    ticker = Ticker(PERIOD, 0.0)
    ticks, waits, used = [], [], 0
    while not ticks or ticks[-1] < arrivals[-1]:
        now, came = ticker.opens, int(np.searchsorted(arrivals, ticker.opens, side="right"))
        if came == used or not ticker.takes(arrivals[came - 1]):
            now = min(ticker.deadline, arrivals[came] if came < len(arrivals) else np.inf)
            came += came < len(arrivals) and arrivals[came] <= now
        if came > used:
            ticker.arrived(arrivals[came - 1])
            waits.append(now - arrivals[came - 1])
            used = came
        ticker.ticked(now)
        ticks.append(now)
    return np.array(ticks), np.array(waits)


@pytest.mark.parametrize("rate", [5.0, 15.0, 24.0, 25.0, 29.0, 29.97, 30.0, 30.1, 31.0, 50.0, 60.0, 120.0])
def test_the_mean_rate_stays_thirty_hertz_for_any_camera(rate: float) -> None:
    ticks, _ = ticks_of(rate, 0.003, 60.0)
    assert len(ticks) / ticks[-1] == pytest.approx(30.0, rel=0.02)
    assert np.diff(ticks).min() > 0.49 * PERIOD
    assert np.diff(ticks).max() < 1.6 * PERIOD


@pytest.mark.parametrize("rate", [29.97, 30.0, 30.05, 60.0])
def test_pictures_of_a_thirty_hertz_camera_do_not_wait(rate: float) -> None:
    _, waits = ticks_of(rate, 0.003, 60.0)
    assert np.quantile(waits[10:], 0.95) < 0.002


def test_after_a_stall_ticks_are_left_out_not_caught_up() -> None:
    ticker = Ticker(PERIOD, 0.0)
    ticker.ticked(5.0)
    assert ticker.deadline == pytest.approx(5.0 + PERIOD)


def test_a_restarted_camera_finds_its_phase_again() -> None:
    ticker = Ticker(PERIOD, 0.0)
    now = 0.0
    for shift in (0.0, 0.45 * PERIOD):
        for _ in range(40):
            now += PERIOD
            ticker.arrived(now + shift)
            ticker.ticked(now + shift)
        assert ticker.opens <= now + PERIOD + shift <= ticker.deadline
