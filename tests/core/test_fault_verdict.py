"""The arithmetic of benchmarks/faults.py on what would be heard, and its pictures."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from fault_campaign.clip import Clip, read_clip, with_a_crossing
from fault_campaign.heard import Heard, Told
from fault_campaign.verdict import BACK_WITHIN, Times, figures, markdown, off_course

from physhmr.geometry.camera import camera_from_fov
from physhmr.inference.model_files import models_dir

TIMES = Times(fault=10.0, good=13.0, end=17.0)


def states(back: float, falls: int = 0) -> list[Told]:
    """Thirty a second: tracking, stale from the fault on, tracking again from `back` on."""
    ats = np.arange(270, 510) / 30
    return [Told(at, "stale" if 10.0 <= at < back else "tracking", True, falls * (at > 11.0)) for at in ats.tolist()]


def verdict(heard: Heard, said: str = "", died: tuple[str, ...] = (), same: bool | None = None):
    return figures("n", "w", heard, TIMES, said, died, same)


def test_time_counts_from_good_input_to_the_first_state_that_tracks_a_new_image() -> None:
    heard = Heard(states=states(14.0, falls=2))
    row = verdict(heard)
    assert row.back_after_s == pytest.approx(1.0, abs=1 / 30)
    assert row.tracked_percent == 0.0
    assert row.timeline == ((-3.0, "stale"), (1.0, "tracking"))
    assert row.longest_silence_s == pytest.approx(1 / 30, abs=0.02)
    assert row.falls == 2 and row.holds


def test_tracking_without_new_images_is_not_tracking_again() -> None:
    blind = [Told(told.at, told.state, told.at > 15.5, 0) for told in states(13.0)]
    row = verdict(Heard(states=blind))
    assert row.back_after_s == pytest.approx(2.5, abs=1 / 30) and not row.holds


def test_who_never_comes_back_fails() -> None:
    row = verdict(Heard(states=states(99.0)))
    assert row.back_after_s is None and not row.holds
    assert "| never: 1 | 0 % |" in markdown([[row]]) and "FAILS, 1 of 1" in markdown([[row]])


def test_a_row_of_the_table_is_about_all_rounds() -> None:
    rounds = [verdict(Heard(states=states(back, falls))) for back, falls in ((13.5, 1), (14.0, 2), (99.0, 0))]
    *_, line = markdown([rounds]).splitlines()
    assert line.startswith("| w | 0.50 - 1.00 s, never: 1 | 0 % |")
    assert line.endswith("| 3 | 0 | 0 | FAILS, 1 of 3 |")
    assert markdown([rounds[:2]]).endswith("| holds |")


def test_silence_is_counted_up_to_the_end_and_over_restarts() -> None:
    early = [told for told in states(14.0) if told.at < 12.0 or 14.5 < told.at < 15.0]
    assert verdict(Heard(states=early)).longest_silence_s == pytest.approx(2.5, abs=1 / 15)
    assert verdict(Heard()).longest_silence_s == 7.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"said": "Traceback (most recent call last)"},
        {"died": ("policy",)},
        {"same": False},
    ],
)
def test_whatever_else_goes_wrong_fails(wrong: dict[str, object]) -> None:
    assert verdict(Heard(states=states(13.5))).holds
    assert verdict(Heard(states=states(13.5)), same=True).holds
    assert not verdict(Heard(states=states(13.5)), **wrong).holds


def test_bad_numbers_and_stamps_that_do_not_increase_are_counted_and_fail() -> None:
    heard = Heard(states=states(13.5))
    heard.note("/tf", {"a": 5, "b": 5}, np.array([1.0, np.nan]))
    heard.note("/tf", {"a": 5, "b": 6}, np.array([np.inf, -np.inf]))
    heard.note("rays", {"": 1}, np.zeros(2))
    row = verdict(heard)
    assert (row.messages, row.non_finite, row.stamps_back) == (3, 3, 1)
    assert not row.holds and row.back_after_s < BACK_WITHIN


def test_somebody_else_is_off_the_course_of_the_same_pictures() -> None:
    ahead, aside = np.array([1.0, 0.0, 0.0]), np.array([1.0, 1.0, 0.0])
    hips = {1: ahead, 2: ahead, 5: aside, 6: 3.0 * ahead, 7: aside}
    angles = off_course(hips, {1: 0, 2: 1, 5: 0, 6: 1, 7: 2}, before_ns=3, since_ns=5)
    np.testing.assert_allclose(angles, [45.0, 0.0], atol=1e-6)


@given(st.integers(2, 50), st.integers(0, 500))
def test_pictures_are_neighbours_also_at_both_ends(count: int, index: int) -> None:
    clip = Clip([np.zeros((2, 2, 3), np.uint8)] * count, camera_from_fov(2, 2, 1.0))
    assert clip.at(0) == 0 and clip.at(count - 1) == count - 1
    assert 0 <= clip.at(index) < count
    assert abs(clip.at(index + 1) - clip.at(index)) == 1


def test_who_crosses_is_the_mirrored_person_in_front() -> None:
    clip = read_clip(models_dir() / "clips" / "walk.mp4", (320, 96))
    both = with_a_crossing(clip)
    empty = np.median(clip.pictures[::8], axis=0)
    picture, crowd = clip.pictures[30].astype(float), both.pictures[30].astype(float)

    def people(image: np.ndarray, scene: np.ndarray) -> np.ndarray:
        return np.flatnonzero((np.abs(image - scene).max(-1) > 60).sum(0) > 5)

    alone = people(picture, empty).mean()
    added = people(crowd, picture).mean()
    assert added == pytest.approx(319 - alone, abs=12.0)
    assert clip.camera.T_wc is not None and both.camera is clip.camera
