"""Who is who after a crossing: told by how both walked before, from looks whose number people do not change."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from physhmr.errors import ConfigError
from physhmr.types import Array, PersonBox
from physhmr.vision.identity import IdentityConfig, IdentityGuard, Walker

SIZE, FRAME_NS = 300.0, 33_333_333
Path = list[Array]


class Seeing:
    """A detector that sees everybody whose centre is in the region; of two who overlap only the one in front.

    It looks at `image_of` a frame, maybe after the next one came.
    """

    def __init__(self, people: Callable[[int], Path]) -> None:
        self._people = people  # in a frame; the first is in front
        self.looks = 0

    def detect(self, image: np.ndarray, region: PersonBox) -> list[PersonBox]:
        self.looks += 1
        seen: list[Array] = []
        for center in self._people(int(image[0, 0, 0])):
            inside = (np.abs(center - region.center) < region.size / 2).all()
            if inside and all(np.linalg.norm(center - other) > 0.15 * SIZE for other in seen):
                seen.append(center)
        return [box(center) for center in seen]


def image_of(frame: int) -> NDArray[np.uint8]:
    """An image that says which it is."""
    return np.full((1, 1, 3), frame, np.uint8)


def box(center: Array) -> PersonBox:
    return PersonBox(center, SIZE, 0.0, 0.9)


def line(start: Array, velocity: Array, frames: int) -> Path:
    """Places px, one a frame; the velocity is in px a frame."""
    return [start + velocity * frame for frame in range(frames)]


def followed(own: Path, other: Path, landmarks: Path) -> tuple[Path, Seeing]:
    """Where the guard puts the person in each frame, if the landmarks go where they go until they are put elsewhere."""
    seeing, found = Seeing(lambda frame: [other[frame], own[frame]]), []
    guard = IdentityGuard(seeing)  # type: ignore[arg-type]
    offset = None  # once put elsewhere, the landmarks stay with whom they were put on
    for frame, (mine, theirs, seen) in enumerate(zip(own, other, landmarks, strict=True)):
        at = seen if offset is None else (mine if offset == "own" else theirs)
        placed = guard.check(image_of(frame), box(at), frame * FRAME_NS).center
        if np.linalg.norm(placed - at) > 1.0:
            offset = "own" if np.linalg.norm(placed - mine) < np.linalg.norm(placed - theirs) else "other"
        found.append(placed)
    return found, seeing


speeds = st.floats(4.0, 9.0)


@settings(max_examples=40)
@given(mine=speeds, theirs=speeds, rise=st.floats(-20, 20), stolen=st.booleans())
def test_after_a_crossing_each_is_who_they_were(mine: float, theirs: float, rise: float, stolen: bool) -> None:
    frames, meeting = 130, 65
    own = line(np.array([1000 + mine * meeting, 200.0]), np.array([-mine, 0.0]), frames)
    other = line(np.array([1000 - theirs * meeting, 200.0 + rise]), np.array([theirs, 0.0]), frames)
    landmarks = [two if stolen and frame >= meeting else one for frame, (one, two) in enumerate(zip(own, other))]
    found, _ = followed(own, other, landmarks)
    np.testing.assert_allclose(found[-1], own[-1], atol=1.0)
    np.testing.assert_allclose(found[: meeting - 10], own[: meeting - 10], atol=1e-9)


@settings(max_examples=30)
@given(gap=st.floats(0.5, 1.2), speed=speeds)
def test_two_who_meet_and_part_again_are_left_alone(gap: float, speed: float) -> None:
    """They stop at arm's length, stand for a second, and go back where they came from."""
    near = 0.5 * gap * SIZE
    steps = [*range(40, 0, -1), *([0] * 30), *range(1, 40)]
    own = [np.array([1000 + near + speed * step, 200.0]) for step in steps]
    other = [np.array([1000 - near - speed * step, 200.0]) for step in steps]
    found, _ = followed(own, other, own)
    np.testing.assert_allclose(found, own, atol=1e-9)


def test_walking_past_somebody_who_stands_changes_nothing() -> None:
    own = line(np.array([1400.0, 200.0]), np.array([-7.0, 0.0]), 120)
    found, _ = followed(own, [np.array([1000.0, 205.0])] * 120, own)
    np.testing.assert_allclose(found, own, atol=1e-9)


@pytest.mark.parametrize("count", [1, 2, 6])
def test_a_crowd_costs_no_more_than_one(count: int) -> None:
    """One look in so many frames, whoever is there; two only when a crossing ends."""
    standing = [np.array([1000.0 + 200.0 * place, 200.0]) for place in (0, 1, -1, 2, -2, 3)][:count]
    seeing = Seeing(lambda frame: standing)
    guard = IdentityGuard(seeing)  # type: ignore[arg-type]
    for frame in range(240):
        placed = guard.check(image_of(frame), box(standing[0]), frame * FRAME_NS)
        np.testing.assert_array_equal(placed.center, standing[0])
        assert seeing.looks <= (frame + 1) // IdentityConfig.every
    guard.look()
    assert seeing.looks == 240 // IdentityConfig.every


def test_a_look_waits_until_it_is_asked_for_or_the_next_frame_comes() -> None:
    person = np.array([1000.0, 200.0])
    seeing = Seeing(lambda frame: [person])
    guard = IdentityGuard(seeing, IdentityConfig(every=1))  # type: ignore[arg-type]
    for frame in range(4):
        guard.check(image_of(frame), box(person), frame * FRAME_NS)
        assert seeing.looks == frame
    for _ in range(2):
        guard.look()
        assert seeing.looks == 4


def test_a_crossing_that_takes_too_long_is_given_up_and_forgotten_people_do_not_matter() -> None:
    frames = 160
    own = line(np.array([1300.0, 200.0]), np.array([-6.0, 0.0]), 60)
    own += [own[-1]] * (frames - 60)
    other = [np.array([940.0, 200.0])] * frames
    found, _ = followed(own, other, own)
    np.testing.assert_allclose(found, own, atol=1e-9)


def test_looking_can_be_turned_off() -> None:
    seeing = Seeing(lambda frame: [])
    guard = IdentityGuard(seeing, IdentityConfig(every=0))  # type: ignore[arg-type]
    for frame in range(50):
        guard.check(image_of(frame), box(np.array([100.0, 100.0])), frame * FRAME_NS)
    assert seeing.looks == 0


@given(st.floats(-500, 500), st.integers(20, 60))
def test_an_even_walk_is_learned_and_continued(speed: float, frames: int) -> None:
    walker = Walker(np.zeros(2), np.zeros(2), 0)
    for frame in range(1, frames * 3):
        walker = walker.seen(np.array([speed * frame / 30, 0.0]), frame * 10**9 // 30)
    later = walker.at(walker.stamp_ns + 10**9)
    np.testing.assert_allclose(later[0] - walker.center[0], speed, atol=0.01 + 0.01 * abs(speed))


@pytest.mark.parametrize("fields", [{"every": -1}, {"merged": 0.0}, {"merged": 0.5}, {"patience_s": 0.0}])
def test_impossible_settings_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="needs every"):
        IdentityConfig(**fields)  # type: ignore[arg-type]
