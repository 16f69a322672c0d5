"""A person's height: told, found by the floor, or average; trusted as far as the view allows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physhmr.lifting.body_height import BodyHeight, BodyHeightCfg
from physhmr.types import Array

CFG = BodyHeightCfg()
CAMERA_W = np.array([0.0, 0.0, 1.5])


def looked_at(
    height: float, camera_w: Array = CAMERA_W, away: float = 3.0, size: float = 1.7, times: int = 30
) -> float:
    """What is found of somebody `height` m tall who is lifted as `size` m: too near, on a floor that is too high."""
    found = BodyHeight()
    floor = camera_w[2] * (1.0 - size / height)
    for _ in range(times):
        found.look(camera_w, np.array([away, 0.0, 0.9]), floor, size)
    return found.height


@given(st.floats(1.45, 1.95), st.floats(1.5, 1.9))
def test_it_does_not_matter_how_tall_somebody_is_taken_to_be(height: float, size: float) -> None:
    assert looked_at(height, size=size) == pytest.approx(looked_at(height), abs=1e-9)


@given(st.floats(1.40, 2.0))
def test_the_word_of_one_camera_is_drawn_towards_an_average_person(height: float) -> None:
    found = looked_at(height)
    assert abs(found - CFG.average) <= abs(height - CFG.average)
    assert (found - CFG.average) * (height - CFG.average) >= 0.0
    # 3 % for proportions alone against 8 cm of people: three quarters are believed at best.
    assert abs(found - CFG.average) >= 0.4 * abs(height - CFG.average)


def test_a_flat_view_is_believed_less() -> None:
    steep, flat = (looked_at(1.85, np.array([0.0, 0.0, camera]), away=4.0) for camera in (2.0, 0.4))
    assert CFG.average < flat < steep - 0.02


def test_it_takes_a_while_and_then_stays() -> None:
    first, last = CFG.steps
    assert looked_at(1.85, times=first - 1) == CFG.average
    found = BodyHeight()
    for height, times in ((1.85, last), (1.55, 1000)):
        for _ in range(times):
            found.look(CAMERA_W, np.array([3.0, 0.0, 0.9]), 1.5 * (1.0 - 1.7 / height), 1.7)
    assert found.height == looked_at(1.85) and found.measured
    found.reset()
    assert found.height == CFG.average and not found.measured


def test_who_said_how_tall_they_are_is_believed() -> None:
    told = BodyHeight(1.92)
    for _ in range(100):
        told.look(CAMERA_W, np.array([3.0, 0.0, 0.9]), 0.2, 1.7)
    assert told.height == 1.92 and told.measured


@pytest.mark.parametrize("floor", [-0.8, 0.6, 1.5, 2.0])
def test_another_floor_says_nothing_of_people(floor: float) -> None:
    found = BodyHeight()
    for _ in range(100):
        found.look(CAMERA_W, np.array([3.0, 0.0, 0.9]), floor, 1.7)
    assert found.height == CFG.average and not found.measured
