"""Everybody keeps their number: through crossings, beside others, and for the price of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physhmr.errors import ConfigError
from physhmr.types import PersonBox
from physhmr.vision.appearance import colours, likeness
from physhmr.vision.people import PeopleConfig, PeopleTracker, regions_in_turn
from physhmr.vision.person import Person
from physhmr.vision.search import whole_image
from physhmr.vision.walk import first_seen

SIZE, FRAME_NS = 200.0, 33_333_333
WIDTH, HEIGHT = 1280, 720
Places = Callable[[int], Sequence[tuple[float, float]]]


class Seeing:
    """A detector that sees everybody whose hips are in the region, roughly; of two who overlap only the first."""

    def __init__(self, places: Places, sees_all: bool, rough: float = 0.0) -> None:
        self.sees_all, self._places, self._rough = sees_all, places, rough
        self._random = np.random.default_rng(0)
        self.regions: list[PersonBox] = []

    def detect(self, image: np.ndarray, region: PersonBox) -> list[PersonBox]:
        self.regions.append(region)
        seen: list[PersonBox] = []
        for place in self._places(int(image[0, 0, 0])):
            center = np.array(place) + self._rough * SIZE * self._random.standard_normal(2)
            hidden = any(np.linalg.norm(center - other.center) < 0.2 * SIZE for other in seen)
            if (np.abs(center - region.center) < region.size / 2).all() and not hidden:
                seen.append(box(center))
        return seen


def box(center: Sequence[float] | np.ndarray, size: float = SIZE) -> PersonBox:
    return PersonBox(np.array(center, float), size, 0.0, 0.9)


def image_of(frame: int) -> np.ndarray:
    """A grey picture that says which it is."""
    return np.full((HEIGHT, WIDTH, 3), frame, np.uint8)


def watched(
    places: Places, frames: int, sees_all: bool = True, rough: float = 0.0, every: int = 4
) -> tuple[list[tuple[Person, ...]], Seeing]:
    """Who is known in each frame; the first of the places is the followed person's."""
    seeing, known = Seeing(places, sees_all, rough), []
    tracker = PeopleTracker(seeing, PeopleConfig(every))
    for frame in range(frames):
        tracker.step(image_of(frame), frame * FRAME_NS, box(places(frame)[0]))
        tracker.look()
        known.append(tracker.people)
    return known, seeing


def number_at(people: Sequence[Person], place: tuple[float, float]) -> int:
    """Whose box is there."""
    nearest = min(people, key=lambda person: float(np.linalg.norm(person.box.center - place)))
    assert np.linalg.norm(nearest.box.center - place) < 0.3 * SIZE
    return nearest.id


@settings(max_examples=25, deadline=None)
@given(
    speeds=st.tuples(st.floats(3.0, 7.0), st.floats(3.0, 7.0)), rise=st.floats(-20, 20), sees_all=st.booleans(),
    followed=st.booleans(),
)  # fmt: skip
def test_two_who_cross_keep_their_numbers(
    speeds: tuple[float, float], rise: float, sees_all: bool, followed: bool
) -> None:
    meeting, frames = 60, 115

    def places(frame: int) -> list[tuple[float, float]]:
        mine, theirs = (640 + speeds[0] * (frame - meeting), 300.0), (640 - speeds[1] * (frame - meeting), 300.0 + rise)
        return [mine, theirs] if followed else [(640.0, 640.0), mine, theirs]

    known, _ = watched(places, frames, sees_all, rough=0.02)
    before, after = known[45], known[-1]
    for place, later in list(zip(places(45), places(frames - 1), strict=True)):
        assert number_at(before, place) == number_at(after, later)
    assert len(after) == len(places(0)), "nobody was counted twice"


@pytest.mark.parametrize("sees_all", [True, False])
def test_six_cost_as_many_looks_as_one_and_each_has_a_number(sees_all: bool) -> None:
    crowd = [(150.0 + 190.0 * column, 250.0 + 5 * column) for column in range(6)]
    looks = []
    for count in (1, 6):
        known, seeing = watched(lambda _, count=count: crowd[:count], 240, sees_all)
        looks.append(len(seeing.regions))
        assert len({person.id for person in known[-1]}) == count
        assert [number_at(known[-1], place) for place in crowd[:count]] == [
            number_at(known[150], place) for place in crowd[:count]
        ]
    assert looks == [60, 60]


def test_no_frame_has_more_than_one_look() -> None:
    seeing = Seeing(lambda frame: [(600.0, 300.0), (300.0, 300.0)], sees_all=False)
    tracker = PeopleTracker(seeing, PeopleConfig(every=1))
    for frame in range(30):
        tracker.step(image_of(frame), frame * FRAME_NS, None)
        for _ in range(3):
            tracker.look()
        assert len(seeing.regions) == frame + 1


def test_a_detector_that_sees_all_looks_at_all_and_another_also_at_those_who_are_known() -> None:
    everybody = [(600.0, 300.0), (300.0, 300.0)]
    _, wide = watched(lambda _: everybody, 60)
    for region in wide.regions:
        np.testing.assert_array_equal(region.center, whole_image(WIDTH, HEIGHT).center)
        assert region.size == WIDTH
    _, near = watched(lambda _: everybody, 200, sees_all=False)
    around = [region for region in near.regions if region.size == pytest.approx(1.5 * SIZE)]
    assert len(around) >= 20 and all(np.allclose(region.center, everybody[1], atol=5.0) for region in around)


def test_the_parts_of_the_picture_come_in_turns_and_cover_it() -> None:
    turn = regions_in_turn(640, 480)
    seen = [next(turn) for _ in range(40)]
    assert seen[0].size == 640 and {region.size for region in seen[1::2]} == {240.0}
    covered = np.zeros((480, 640), bool)
    for region in seen[1::2]:
        (x, y), half = region.center.astype(int), int(region.size // 2)
        covered[max(y - half, 0) : y + half, max(x - half, 0) : x + half] = True
    assert covered.all()


def test_who_leaves_is_forgotten_and_who_comes_gets_a_new_number() -> None:
    def places(frame: int) -> list[tuple[float, float]]:
        other = [(300.0, 300.0)] if frame < 60 else [] if frame < 140 else [(320.0, 300.0)]
        return [(900.0, 300.0), *other]

    known, _ = watched(places, 180)
    assert [len(known[frame]) for frame in (59, 139, 179)] == [2, 1, 2]
    assert known[179][1].id not in {person.id for people in known[:140] for person in people}


def test_who_is_hidden_for_a_moment_walks_on_and_says_since_when() -> None:
    def places(frame: int) -> list[tuple[float, float]]:
        return [(1000.0, 600.0), *([(300.0 + 5.0 * frame, 300.0)] if not 60 <= frame < 78 else [])]

    known, _ = watched(places, 100)
    hidden = known[75][1]
    assert hidden.unseen_s > 0.4
    np.testing.assert_allclose(hidden.box.center, [300.0 + 5.0 * 75, 300.0], atol=10.0)
    assert known[99][1].id == known[59][1].id and known[99][1].unseen_s < 0.2


def test_one_false_alarm_is_nobody() -> None:
    known, _ = watched(lambda frame: [(900.0, 300.0), *([(300.0, 300.0)] if frame == 11 else [])], 60)
    assert {len(people) for people in known} == {1}


def test_who_is_followed_next_keeps_the_number_that_they_had() -> None:
    places = [(900.0, 300.0), (300.0, 300.0)]
    tracker = PeopleTracker(Seeing(lambda _: places, True))
    for frame in range(20):
        tracker.step(image_of(frame), frame * FRAME_NS, box(places[0]))
        tracker.look()
    first, second = tracker.people
    assert first.followed and not second.followed
    tracker.release()
    tracker.step(image_of(20), 20 * FRAME_NS, box(places[1]))
    assert [(person.id, person.followed) for person in tracker.people] == [(second.id, True), (first.id, False)]
    tracker.step(image_of(21), 21 * FRAME_NS, None)
    assert not any(person.followed for person in tracker.people)


def test_the_followed_person_is_where_the_landmarks_say() -> None:
    known, _ = watched(lambda frame: [(300.0 + 6 * frame, 300.0)], 40, rough=0.2)
    for frame, people in enumerate(known):
        np.testing.assert_array_equal(people[0].box.center, [300.0 + 6 * frame, 300.0])
        assert (people[0].id, people[0].unseen_s, len(people)) == (1, 0.0, 1)


@pytest.mark.parametrize("jump", ["time", "size"])
def test_another_stream_begins_with_nobody_and_with_new_numbers(jump: str) -> None:
    tracker = PeopleTracker(Seeing(lambda _: [(300.0, 300.0)], True))
    tracker.step(image_of(0), 10**12, box((300.0, 300.0)))
    if jump == "time":
        tracker.step(image_of(0), 0, box((300.0, 300.0)))
    else:
        tracker.step(image_of(0)[:480], 10**12 + FRAME_NS, box((300.0, 300.0)))
    assert [person.id for person in tracker.people] == [2]


def test_nobody_is_looked_for_if_that_is_turned_off() -> None:
    known, seeing = watched(lambda _: [(300.0, 300.0), (900.0, 300.0)], 40, every=0)
    assert not seeing.regions and len(known[-1]) == 1


@pytest.mark.parametrize("fields", [{"every": -1}, {"merged": 0.6}, {"merged": 0.0}, {"memory_s": 0.0}])
def test_impossible_settings_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="needs every"):
        PeopleConfig(**fields)  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.floats(-400, 400), st.integers(2, 12))
def test_an_even_walk_is_learned_from_rough_sightings(speed: float, gap: int) -> None:
    random, walk = np.random.default_rng(1), first_seen(box((0.0, 0.0)), 0)
    for sighting in range(1, 30):
        stamp = sighting * gap * FRAME_NS
        rough = 0.05 * SIZE * random.standard_normal(2)
        walk = walk.seen(box(np.array([speed * stamp * 1e-9, 50.0]) + rough), stamp)
    later = walk.at(walk.stamp_ns + 500_000_000)
    np.testing.assert_allclose(later.center, [speed * (walk.stamp_ns * 1e-9 + 0.5), 50.0], atol=0.3 * SIZE)
    assert np.linalg.eigvalsh(walk.covariance).min() > 0


def test_clothes_of_another_colour_are_told_apart_wherever_they_are_worn() -> None:
    image = np.full((480, 640, 3), 90, np.uint8)
    for x, colour in ((150, (200, 30, 30)), (330, (30, 60, 200)), (510, (200, 35, 30))):
        cv2.rectangle(image, (x - 40, 100), (x + 40, 300), colour, -1)
    red, blue, also_red = (colours(image, PersonBox(np.array([x, 260.0]), 300.0, 0.0, 1.0)) for x in (150, 330, 510))
    assert likeness(red, red) == pytest.approx(1.0)
    assert likeness(red, also_red) > 0.9 > 0.2 > likeness(red, blue)


@pytest.mark.parametrize("red_above", [True, False])
def test_clothes_tell_who_is_who_where_places_do_not(red_above: bool) -> None:
    """Red stood on the left, blue on the right; later one is above and one below, as far from either."""
    red, blue = (200, 30, 30), (30, 60, 200)
    before, after = [(560.0, 360.0), (720.0, 360.0)], [(640.0, 280.0), (640.0, 440.0)]

    def dressed(worn: Sequence[tuple[tuple[float, float], tuple[int, int, int]]]) -> np.ndarray:
        image = image_of(90)
        for (x, y), colour in worn:
            cv2.rectangle(image, (int(x) - 30, int(y) - 60), (int(x) + 30, int(y) + 10), colour, -1)
        return image

    places = before
    tracker = PeopleTracker(Seeing(lambda _: places, True), PeopleConfig(every=1, near=0.7))
    for frame in range(30):
        tracker.step(dressed(list(zip(before, (red, blue)))), frame * FRAME_NS, None)
        tracker.look()
    in_red, in_blue = (number_at(tracker.people, place) for place in before)
    places = after
    for frame in range(30, 60):
        tracker.step(dressed(list(zip(after, (red, blue) if red_above else (blue, red)))), frame * FRAME_NS, None)
        tracker.look()
    found = [number_at(tracker.people, place) for place in after]
    assert found == ([in_red, in_blue] if red_above else [in_blue, in_red])
