"""Late and lost images: nothing comes twice or early, the shares are as stated, and falls of all kinds count."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from physhmr.eval.unsteady import LATE, LOST, count_falls, unsteady
from physhmr.types import RayBundle

PERIOD = 33_333_333


def image(index: int) -> tuple[int, RayBundle]:
    """One whose first score says which it is."""
    score = np.full(21, index / 1e4)
    rays = RayBundle(index * PERIOD, np.zeros((21, 3)), np.tile([1.0, 0, 0], (21, 1)), score, np.zeros((21, 3)))
    return rays.stamp_ns, rays


def test_images_come_in_time_one_step_late_or_never() -> None:
    count = 4000
    told = list(unsteady(map(image, range(count)), np.random.default_rng(0)))
    assert [stamp for stamp, _ in told] == [index * PERIOD for index in range(count)]
    lags = []
    for index, (stamp, rays) in enumerate(told):
        if rays is not None:
            assert rays.stamp_ns == stamp
            lags.append(index - round(1e4 * rays.score[0]))
    assert set(lags) == {0, 1}
    # A late image that the next one overtakes is lost as well.
    assert np.mean(np.array(lags) == 1) == pytest.approx(LATE * (LATE + LOST) / (1 - LOST - LATE * 0.8), abs=0.01)
    assert len(lags) / count == pytest.approx(1 - LOST - LATE * (1 - LATE - LOST), abs=0.02)


def test_without_a_person_there_is_nothing_to_delay() -> None:
    assert list(unsteady([(0, None), (PERIOD, None)], np.random.default_rng(0))) == [(0, None), (PERIOD, None)]


def test_falls_and_divergences_are_counted_at_the_end() -> None:
    counters = [None, {"falls": 0, "divergences": 0}, {"falls": 2, "divergences": 1}]
    answers = iter([None if one is None else SimpleNamespace(counters=one) for one in counters])
    control = SimpleNamespace(advance=lambda stamp_ns, rays: next(answers))
    assert count_falls(map(image, range(3)), control) == 3  # type: ignore[arg-type]
