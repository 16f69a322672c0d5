"""Who is followed among several people, and who counts as the same one after an occlusion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from physhmr.config import SELECTIONS, PerceptionConfig
from physhmr.errors import ConfigError
from physhmr.types import PersonBox
from physhmr.vision.selection import Reach, Selection, selection_of, unlikeness

WIDTH, HEIGHT = 640, 480


def person(x: float, y: float = 240.0, size: float = 200.0, rotation: float = 0.0) -> PersonBox:
    return PersonBox(center=np.array([x, y]), size=size, rotation=rotation, score=0.9)


crowds = st.lists(
    st.builds(person, st.floats(0, WIDTH), st.floats(0, HEIGHT), st.floats(30.0, 400.0)), min_size=1, max_size=6
)


def test_each_rule_takes_its_own_person() -> None:
    large, central, small = person(100, size=300), person(340, size=150), person(560, 300, size=80)
    people = [small, large, central]
    assert Selection().best(people, WIDTH, HEIGHT) is large
    assert Selection("centre").best(people, WIDTH, HEIGHT) is central
    assert Selection("pixel", (550.0, 330.0)).best(people, WIDTH, HEIGHT) is small
    assert Selection("pixel", (640.0, 10.0)).best(people, WIDTH, HEIGHT) is None


def farness(box: PersonBox, select: Selection) -> float:
    """What the rule makes small, for upright boxes; infinite for who does not fit."""
    if select.rule == "largest":
        return -box.size
    middle = np.array(select.pixel if select.rule == "pixel" else (WIDTH / 2, HEIGHT / 2))
    if select.rule == "centre":
        return float(np.linalg.norm(box.center - middle))
    aside = float(np.abs(box.center - middle).max()) / box.size
    return aside if aside <= 0.5 else np.inf


@given(crowds, st.sampled_from(SELECTIONS), st.tuples(st.floats(0, WIDTH), st.floats(0, HEIGHT)))
def test_nobody_fits_the_rule_better_than_the_chosen_one(
    people: list[PersonBox], rule: str, pixel: tuple[float, float]
) -> None:
    select = Selection(rule, pixel)
    chosen, least = select.best(people, WIDTH, HEIGHT), min(farness(box, select) for box in people)
    assert (chosen is None) == np.isinf(least)
    assert chosen is None or farness(chosen, select) == pytest.approx(least)


@given(st.floats(-1.5, 1.5), st.floats(-0.7, 0.7), st.floats(-0.7, 0.7))
def test_under_a_pixel_is_who_has_it_inside_the_turned_box(rotation: float, across: float, along: float) -> None:
    assume(abs(abs(across) - 0.5) > 1e-6 and abs(abs(along) - 0.5) > 1e-6)
    box = person(300, rotation=rotation)
    c, s = np.cos(rotation), np.sin(rotation)
    x, y = box.center + box.size * np.array([[c, -s], [s, c]]) @ [across, along]
    found = Selection("pixel", (x, y)).best([box], WIDTH, HEIGHT)
    assert (found is box) == (abs(across) < 0.5 and abs(along) < 0.5)


def test_of_two_under_the_pixel_the_nearer_by_its_own_size_is_taken() -> None:
    behind, in_front = person(300, 220, size=90), person(340, 240, size=400)
    assert Selection("pixel", (302.0, 225.0)).best([in_front, behind], WIDTH, HEIGHT) is behind
    assert Selection("pixel", (345.0, 245.0)).best([behind, in_front], WIDTH, HEIGHT) is in_front


def test_around_a_pixel_is_looked_first() -> None:
    region = Selection("pixel", (500.0, 100.0)).first_region(WIDTH, HEIGHT)
    assert region is not None and tuple(region.center) == (500.0, 100.0) and region.size < HEIGHT
    assert Selection("centre").first_region(WIDTH, HEIGHT) is None


def test_who_cannot_have_come_so_far_is_somebody_else_until_patience_ends() -> None:
    reach, last, other = Reach(), person(200), person(500)
    assert reach.same([other], last, 0.1) is None
    assert reach.same([other, person(230)], last, 0.1) is not other
    assert reach.same([other], last, reach.patience_s + 0.1) is other
    assert reach.same([], last, 9.0) is None


@given(st.floats(0.0, 3.0), st.floats(0.0, 3.0), st.floats(0.0, 640.0), st.floats(50.0, 400.0))
def test_who_could_be_the_same_still_could_later(early: float, later: float, x: float, size: float) -> None:
    early, later = sorted((early, later))
    reach, last, candidate = Reach(), person(300), person(x, size=size)
    if reach.same([candidate], last, early) is candidate:
        assert reach.same([candidate], last, later) is candidate


@given(st.floats(0.2, 5.0))
def test_likeness_does_not_depend_on_the_resolution(factor: float) -> None:
    one, other = person(100, 200, 150), person(180, 190, 210)
    scaled = [replace(box, center=factor * box.center, size=factor * box.size) for box in (one, other)]
    assert unlikeness(*scaled) == pytest.approx(unlikeness(one, other))


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(ConfigError, match="largest, centre, pixel"):
        Selection("nearest")
    with pytest.raises(ConfigError, match="finite"):
        Selection("pixel", (float("nan"), 0.0))
    with pytest.raises(ConfigError, match="margin > 0"):
        Reach(margin=0.0)


def test_the_pixel_of_the_parameters_counts_for_its_rule_only() -> None:
    assert selection_of(PerceptionConfig(select="centre", select_x=7)) == Selection("centre")
    assert selection_of(PerceptionConfig(select="pixel", select_x=7, select_y=8)) == Selection("pixel", (7.0, 8.0))
