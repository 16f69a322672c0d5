from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physhmr.body.skeleton import BODY_INDEX, Skeleton
from physhmr.errors import NonFiniteError, ShapeError
from physhmr.eval import physics_metrics as metrics

FRAMES, POINTS = 20, 4
seeds = st.integers(0, 2**32 - 1)


def standing(height: float = 0.0) -> np.ndarray:
    points = np.zeros((FRAMES, POINTS, 3))
    points[..., :2] = np.random.default_rng(0).normal(size=(POINTS, 2))
    points[..., 2] = height
    return points


def gliding(speed: float) -> np.ndarray:
    """Metres per frame along x."""
    return standing() + speed * np.arange(FRAMES)[:, None, None] * np.array([1.0, 0.0, 0.0])


def test_gliding_feet_skate_with_their_speed() -> None:
    contact = np.ones((FRAMES, POINTS), bool)
    assert metrics.skate(gliding(0.004), contact) == pytest.approx(4.0)
    assert metrics.skate(standing(), contact) == 0.0


def test_skate_needs_contact_in_both_frames() -> None:
    contact = np.zeros((FRAMES, POINTS), bool)
    contact[::2] = True
    assert np.isnan(metrics.skate(gliding(0.004), contact))
    contact[1] = True
    assert metrics.skate(gliding(0.004), contact) == pytest.approx(4.0)


@given(seeds)
def test_skate_sees_only_the_horizontal(seed: int) -> None:
    points, contact = gliding(0.004), np.ones((FRAMES, POINTS), bool)
    points[..., 2] = np.random.default_rng(seed).normal(size=(FRAMES, POINTS))
    assert metrics.skate(points, contact) == pytest.approx(4.0)


@given(seeds)
def test_skate_ignores_where_and_in_which_direction_one_walks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points, contact = rng.normal(size=(FRAMES, POINTS, 3)), rng.random((FRAMES, POINTS)) < 0.8
    c, s = np.cos(1.0), np.sin(1.0)
    turned = points @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) + [3.0, -2.0, 0.0]
    assert metrics.skate(turned, contact) == pytest.approx(metrics.skate(points, contact))


def test_sliding_counts_only_while_the_true_foot_stands() -> None:
    truth, estimate = standing(), gliding(0.006)
    assert metrics.foot_sliding(estimate, truth) == pytest.approx(6.0)
    truth[10:] += 0.02 * np.arange(FRAMES - 10)[:, None, None]  # walks away: not counted
    assert metrics.foot_sliding(estimate, truth) == pytest.approx(6.0)
    estimate[12:] += 1.0
    assert metrics.foot_sliding(estimate, truth) == pytest.approx(6.0)


def test_sliding_without_a_standing_foot_has_no_value() -> None:
    assert np.isnan(metrics.foot_sliding(standing(), gliding(0.02)))


def test_penetration_is_the_depth_of_the_lowest_point() -> None:
    points = standing(0.03)
    assert metrics.penetration(points) == 0.0
    points[:5, 2, 2] = -0.008
    assert metrics.penetration(points) == pytest.approx(8.0 * 5 / FRAMES)


def test_floating_is_the_height_of_the_lowest_point_while_the_foot_is_down() -> None:
    points, down = standing(0.03), np.zeros(FRAMES, bool)
    assert np.isnan(metrics.floating(points, down))
    down[3:7] = True
    points[3, 1, 2] = 0.01
    assert metrics.floating(points, down) == pytest.approx((10 + 3 * 30) / 4)
    assert metrics.floating(points - [0, 0, 1.0], down) == 0.0


def test_touching_is_a_height() -> None:
    assert metrics.touching(standing(0.019)).all()
    assert metrics.touching(standing(-0.1)).all()
    assert not metrics.touching(standing(0.021)).any()


def body(root_height: np.ndarray, tilt: np.ndarray) -> np.ndarray:
    """The rest pose with its pelvis at `root_height`, pitched forward by `tilt` about the pelvis."""
    rest = Skeleton().rest_points - Skeleton().rest_points[0]
    c, s, zero, one = np.cos(tilt), np.sin(tilt), np.zeros_like(tilt), np.ones_like(tilt)
    R = np.stack([c, zero, s, zero, one, zero, -s, zero, c], -1).reshape(-1, 3, 3)
    pos = rest @ np.swapaxes(R, 1, 2)
    pos[..., 2] += root_height[:, None]
    return pos


def test_a_body_that_topples_and_stays_falls_once() -> None:
    ramp = np.clip(np.linspace(0, 2, 60), 0, 1)
    toppling = body(0.97 - 0.87 * ramp, 0.5 * np.pi * ramp)
    assert metrics.count_falls(toppling, 1.7) == 1
    assert metrics.fallen(toppling, 1.7)[-1]
    assert not metrics.fallen(toppling, 1.7)[0]


def test_getting_up_and_falling_again_counts_twice_and_trembling_once() -> None:
    up, down = (np.array([0.97]), np.array([0.0])), (np.array([0.1]), np.array([1.57]))
    order = [up, down, up, down]
    twice = np.concatenate([body(*pose) for pose in order])
    assert metrics.count_falls(twice, 1.7) == 2
    trembling = body(np.full(40, 0.68) + 0.02 * np.cos(np.pi * np.arange(40)), np.full(40, 1.57))
    assert metrics.count_falls(trembling, 1.7) == 1


def test_squats_and_bows_are_no_falls() -> None:
    squat = body(np.full(5, 0.35), np.full(5, 0.4))
    bow = body(np.full(5, 0.9), np.full(5, 2.4))
    assert squat[0, BODY_INDEX["Head"], 2] < 0.95
    assert bow[0, BODY_INDEX["Head"], 2] < 0.65
    assert metrics.count_falls(np.concatenate([squat, bow]), 1.7) == 0


def test_wrong_shapes_and_nan_are_refused() -> None:
    contact = np.ones((FRAMES, POINTS), bool)
    with pytest.raises(ShapeError):
        metrics.skate(standing(), contact[1:])
    with pytest.raises(ShapeError):
        metrics.penetration(standing()[0])
    with pytest.raises(ShapeError):
        metrics.floating(standing(), contact[:, 0][1:])
    with pytest.raises(ShapeError):
        metrics.fallen(standing(), 1.7)
    with pytest.raises(NonFiniteError):
        metrics.penetration(standing(np.nan))
