"""The tracker's behaviour with a detector that sees what the test says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from physhmr.errors import ConfigError
from physhmr.types import PersonBox
from physhmr.vision.selection import Selection
from physhmr.vision.tracker import PersonTracker, TrackerConfig

IMAGE = np.zeros((480, 640, 3), np.uint8)
FRAME_NS = 33_000_000


def person(x: float, y: float = 240.0, size: float = 200.0) -> PersonBox:
    return PersonBox(center=np.array([x, y]), size=size, rotation=0.0, score=0.9)


class FakeDetector:
    """Counts its runs and answers by the region."""

    def __init__(self, answer: Callable[[PersonBox], list[PersonBox]]) -> None:
        self.answer = answer
        self.regions: list[PersonBox] = []

    def detect(self, _image: np.ndarray, region: PersonBox) -> list[PersonBox]:
        self.regions.append(region)
        return self.answer(region)


def tracker_of(answer: Callable[[PersonBox], list[PersonBox]], **config: object) -> tuple[PersonTracker, FakeDetector]:
    detector = FakeDetector(answer)
    return PersonTracker(detector, TrackerConfig(**config)), detector  # type: ignore[arg-type]


def test_detects_once_then_follows() -> None:
    tracker, detector = tracker_of(lambda _: [person(300)])
    found = tracker.locate(IMAGE, 0)
    assert found is not None and not tracker.tracking
    for step in range(5):
        tracker.follow(person(300 + step), step * FRAME_NS)
        following = tracker.locate(IMAGE, (step + 1) * FRAME_NS)
        assert following is not None and following.center[0] == 300 + step
    assert len(detector.regions) == 1


def test_a_frame_without_people_costs_a_bounded_number_of_looks() -> None:
    tracker, detector = tracker_of(lambda _: [], regions_per_frame=3)
    for step in range(10):
        assert tracker.locate(IMAGE, step * FRAME_NS) is None
        tracker.lose()
        assert len(detector.regions) == 3 * (step + 1)


def test_someone_small_is_found_in_a_tile() -> None:
    tracker, detector = tracker_of(lambda region: [person(500, size=60)] if region.size < 300 else [])
    steps = 0
    while tracker.locate(IMAGE, steps * FRAME_NS) is None:
        steps += 1
    assert steps <= 10
    assert detector.regions[0].size == 640


def test_lost_person_is_sought_where_they_were() -> None:
    tracker, detector = tracker_of(lambda _: [person(100, size=400), person(420)])
    tracker.follow(person(400), 0)
    tracker.lose()
    found = tracker.locate(IMAGE, FRAME_NS)
    assert detector.regions[0].center[0] == 400 and detector.regions[0].size == 400
    assert found is not None and found.center[0] == 420


def test_memory_of_a_lost_person_ends() -> None:
    tracker, detector = tracker_of(lambda _: [person(100, size=400), person(420)], memory_s=1.0)
    tracker.follow(person(400), 0)
    tracker.lose()
    found = tracker.locate(IMAGE, 2_000_000_000)
    assert detector.regions[0].size == 640
    assert found is not None and found.size == 400


def test_stamps_that_jump_back_do_not_keep_an_old_person() -> None:
    tracker, _ = tracker_of(lambda _: [person(100, size=400), person(420)])
    tracker.follow(person(400), 10**12)
    tracker.lose()
    found = tracker.locate(IMAGE, 0)
    assert found is not None and found.size == 400


@pytest.mark.parametrize("gone", [person(-10), person(650), person(300, 500), person(300, size=10)])
def test_region_that_left_the_image_is_given_up(gone: PersonBox) -> None:
    tracker, detector = tracker_of(lambda _: [])
    tracker.follow(gone, 0)
    assert tracker.locate(IMAGE, FRAME_NS) is None
    assert not tracker.tracking and detector.regions


def test_people_outside_the_search_area_are_ignored() -> None:
    tracker, _ = tracker_of(lambda _: [person(300, 100, 400), person(300, 400)], search_area=(0.0, 0.5, 1.0, 1.0))
    found = tracker.locate(IMAGE, 0)
    assert found is not None and found.center[1] == 400


def test_image_of_another_size_starts_a_new_search() -> None:
    tracker, detector = tracker_of(lambda _: [])
    tracker.locate(IMAGE, 0)
    tracker.locate(np.zeros((720, 1280, 3), np.uint8), FRAME_NS)
    assert [detector.regions[0].size, detector.regions[2].size] == [640, 1280]


def test_after_an_occlusion_the_same_person_is_followed_not_who_stands_elsewhere() -> None:
    """Somebody else is in view all the time; the own person is hidden for half a second."""
    other, visible = person(500, size=260), [False]
    tracker, _ = tracker_of(lambda _: [other, person(180)] if visible[0] else [other])
    tracker.follow(person(150), 0)
    tracker.lose()
    for frame in range(1, 16):
        assert tracker.locate(IMAGE, frame * FRAME_NS) is None
    visible[0] = True
    found = tracker.locate(IMAGE, 16 * FRAME_NS)
    assert found is not None and found.center[0] == 180


def test_who_does_not_come_back_is_given_up_for_another() -> None:
    tracker, _ = tracker_of(lambda _: [person(500, size=260)])
    tracker.follow(person(150), 0)
    tracker.lose()
    frames = 0
    while tracker.locate(IMAGE, frames * FRAME_NS) is None:
        frames += 1
    assert 0.5 < frames * FRAME_NS * 1e-9 <= 1.1


def test_somebody_else_is_followed_once_that_is_asked_for() -> None:
    people = [person(150, size=300), person(330, size=150)]
    tracker, detector = tracker_of(lambda _: people)
    first = tracker.locate(IMAGE, 0)
    assert first is people[0]
    tracker.follow(first, 0)
    tracker.select(Selection("centre"))
    assert not tracker.tracking and tracker.locate(IMAGE, FRAME_NS) is people[1]
    tracker.select(Selection("pixel", (630.0, 470.0)))
    assert all(tracker.locate(IMAGE, frame * FRAME_NS) is None for frame in range(2, 30))
    assert tuple(detector.regions[2].center) == (630.0, 470.0)
    people.append(person(600, 440, size=80))
    tracker.select(Selection("pixel", (610.0, 450.0)))
    assert tracker.locate(IMAGE, 30 * FRAME_NS) is people[2]


@pytest.mark.parametrize("config", [{"search_area": (0.5, 0, 0.4, 1)}, {"regions_per_frame": 0}])
def test_impossible_configurations_are_refused(config: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(config))):
        TrackerConfig(**config)  # type: ignore[arg-type]
