from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physhmr.errors import ConfigError
from physhmr.geometry.camera import camera_from_fov, pixels_to_rays
from physhmr.types import KEYPOINTS, PersonBox
from physhmr.vision.keypoints import BLAZEPOSE_ROWS, to_keypoints, turn_to
from physhmr.vision.landmarks import SIDE, Landmarks, decode, refine, sigmoid
from physhmr.vision.one_euro import OneEuroConfig, OneEuroFilter
from physhmr.vision.preprocess import apply_affine, box_to_image
from physhmr.vision.smoothing import MEDIAPIPE, LandmarkSmoother, SmoothingConfig

RNG = np.random.default_rng(5)
SECOND = 1_000_000_000


def outputs(rows: np.ndarray, heatmap: np.ndarray | None = None) -> dict[str, np.ndarray]:
    world = RNG.normal(size=(1, 117)).astype(np.float32)
    flat = np.full((1, 64, 64, 39), -20.0, np.float32)
    return {
        "Identity": rows.reshape(1, 195).astype(np.float32),
        "Identity_1": np.array([[0.75]], np.float32),
        "Identity_3": flat if heatmap is None else heatmap,
        "Identity_4": world,
    }


ROWS = np.concatenate([RNG.uniform(20, 230, (39, 2)), RNG.normal(size=(39, 3))], 1)


def test_decode_maps_the_crop_into_the_image() -> None:
    box = PersonBox(center=np.array([400.0, 300.0]), size=500.0, rotation=0.4, score=1.0)
    raw = outputs(ROWS)
    landmarks = decode(raw, box)
    np.testing.assert_allclose(landmarks.xy, apply_affine(box_to_image(box), ROWS[:35, :2] / SIDE), atol=1e-3)
    np.testing.assert_allclose(landmarks.visibility, 1 / (1 + np.exp(-ROWS[:33, 3])), rtol=1e-6)
    np.testing.assert_allclose(landmarks.presence, 1 / (1 + np.exp(-ROWS[:33, 4])), rtol=1e-6)
    assert landmarks.score == 0.75


@given(angle=st.floats(-3, 3))
def test_world_landmarks_turn_back_with_the_crop(angle: float) -> None:
    raw = outputs(ROWS)
    upright = PersonBox(center=np.zeros(2), size=100.0, rotation=0.0, score=1.0)
    turned = decode(raw, replace(upright, rotation=angle)).world_c
    straight = decode(raw, upright).world_c
    np.testing.assert_allclose(turned[:, 2], straight[:, 2])
    # A crop taken of a person leaning clockwise shows them upright: undoing it leans them again.
    complex_turned, complex_straight = turned[:, 0] + 1j * turned[:, 1], straight[:, 0] + 1j * straight[:, 1]
    np.testing.assert_allclose(complex_turned, complex_straight * np.exp(1j * angle), atol=1e-6)


def heat(column: int, row: int, logit: float) -> np.ndarray:
    heatmap = np.full((64, 64, 1), -40.0, np.float32)
    heatmap[row, column] = logit
    return heatmap


def test_refinement_moves_to_the_peak_nearby() -> None:
    np.testing.assert_allclose(refine(np.array([[0.5, 0.5]]), heat(34, 30, 5.0)), [[34 / 64, 30 / 64]])


@pytest.mark.parametrize(
    ("xy", "heatmap"),
    [
        ([0.5, 0.5], heat(34, 30, -1.0)),  # weak
        ([0.5, 0.5], heat(40, 30, 5.0)),  # out of reach
        ([1.2, 0.5], heat(63, 32, 5.0)),  # outside the map
        ([-0.01, 0.5], heat(0, 32, 5.0)),
    ],
)
def test_refinement_leaves_alone(xy: list[float], heatmap: np.ndarray) -> None:
    np.testing.assert_array_equal(refine(np.array([xy]), heatmap), [xy])


def test_refinement_at_the_edge_uses_what_is_there() -> None:
    np.testing.assert_allclose(refine(np.array([[0.0, 0.0]]), heat(0, 2, 5.0)), [[0.0, 2 / 64]], atol=1e-9)


def test_sigmoid_saturates_quietly() -> None:
    with np.errstate(all="raise"):
        np.testing.assert_allclose(sigmoid(np.array([-1e4, 0.0, 1e4])), [0, 0.5, 1])


def some_landmarks() -> Landmarks:
    return Landmarks(
        xy=RNG.uniform(0, 640, (35, 2)),
        world_c=RNG.normal(size=(33, 3)),
        visibility=RNG.uniform(size=33),
        presence=RNG.uniform(size=33),
        score=0.9,
    )


def test_keypoints_take_their_rows_and_the_weaker_score() -> None:
    landmarks = some_landmarks()
    camera = camera_from_fov(640, 480, 1.0)
    keypoints = to_keypoints(42, landmarks, camera)
    R = turn_to(pixels_to_rays(camera, landmarks.xy[[23, 24]].mean(0))[0])
    assert set(BLAZEPOSE_ROWS) == set(KEYPOINTS)
    for index, name in enumerate(KEYPOINTS):
        rows = list(BLAZEPOSE_ROWS[name])
        np.testing.assert_allclose(keypoints.xy[index], landmarks.xy[rows].mean(0))
        np.testing.assert_allclose(keypoints.landmarks_c[index], R @ landmarks.world_c[rows].mean(0))
        assert keypoints.score[index] == (landmarks.visibility * landmarks.presence)[rows].min()
    assert keypoints.stamp_ns == 42


@given(x=st.floats(-3, 3), y=st.floats(-3, 3))
def test_turn_is_the_smallest_rotation_to_the_line_of_sight(x: float, y: float) -> None:
    direction = np.array([x, y, 1.0]) / np.linalg.norm([x, y, 1.0])
    R = turn_to(direction)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(R @ [0, 0, 1], direction, atol=1e-12)
    # Its angle is that between z and the direction: trace = 1 + 2 cos.
    assert np.trace(R) == pytest.approx(1 + 2 * direction[2])


CONFIG = OneEuroConfig(min_cutoff=0.5, beta=10.0)


@given(value=st.floats(-100, 100), size=st.floats(0.1, 100))
def test_filter_leaves_a_constant_alone(value: float, size: float) -> None:
    smooth = OneEuroFilter(CONFIG)
    for step in range(5):
        assert smooth(step * SECOND // 30, np.array([value]), size) == pytest.approx([value])


def test_filter_is_first_order_at_rest_speed() -> None:
    """With beta 0 the step response is 1 - (1 - a)^n, a = 1 / (1 + 1 / (2 pi f dt))."""
    smooth, dt = OneEuroFilter(OneEuroConfig(min_cutoff=0.5, beta=0.0)), 0.1
    values = [smooth(int(k * dt * 1e9), np.array([float(k > 0)]))[0] for k in range(6)]
    weight = 1 / (1 + 1 / (2 * np.pi * 0.5 * dt))
    np.testing.assert_allclose(values, 1 - (1 - weight) ** np.arange(6), atol=1e-12)


def test_filter_scales_with_the_object() -> None:
    signal = np.cumsum(RNG.normal(size=(20, 3)), 0)
    small, large = OneEuroFilter(CONFIG), OneEuroFilter(CONFIG)
    for step, value in enumerate(signal):
        one = small(step * SECOND // 30, value, 2.0)
        ten = large(step * SECOND // 30, 10 * value + 7, 20.0)
        np.testing.assert_allclose(ten, 10 * one + 7)


def test_filter_calms_noise_and_follows_motion() -> None:
    noise = RNG.normal(scale=0.01, size=300)
    stamps = [step * SECOND // 30 for step in range(300)]
    calm, fast = OneEuroFilter(OneEuroConfig(0.05, 80.0)), OneEuroFilter(OneEuroConfig(0.05, 80.0))
    still = [calm(stamp, np.array([value * 0.02]))[0] for stamp, value in zip(stamps, noise, strict=True)]
    assert np.std(still[30:]) < 0.5 * np.std(noise[30:] * 0.02)
    ramp = [fast(stamp, np.array([stamp * 1e-9]))[0] for stamp in stamps]
    assert abs(ramp[-1] - stamps[-1] * 1e-9) < 0.004  # 1 unit/s, lag below 4 ms


def test_who_begins_to_move_is_seen_sooner_than_by_mediapipe() -> None:
    """A body size in two seconds, after a second at rest: how late its first third of a second is told, in s."""
    late = []
    for constants in (SmoothingConfig(), MEDIAPIPE):
        smooth = OneEuroFilter(constants.image)
        place = [max(step - 30, 0) / 60 for step in range(41)]
        told = [smooth(step * SECOND // 30, np.array([x]))[0] for step, x in enumerate(place)]
        late.append(np.mean(np.subtract(place, told)[31:]) / 0.5)
    assert late[0] < 0.005 and late[0] < 0.6 * late[1]


def test_what_stands_still_is_calmed() -> None:
    smooth, noise = OneEuroFilter(SmoothingConfig().image), RNG.normal(scale=0.002, size=300)
    told = [smooth(step * SECOND // 30, np.array([x]))[0] for step, x in enumerate(noise)]
    assert np.std(told[30:]) < 0.75 * np.std(noise[30:])


@pytest.mark.parametrize("stamp", [-SECOND, 0, 2 * SECOND])
def test_filter_starts_anew_after_a_gap_or_a_jump_back(stamp: int) -> None:
    smooth = OneEuroFilter(CONFIG)
    smooth(0, np.array([0.0]))
    assert smooth(stamp, np.array([5.0])) == pytest.approx([5.0])


@pytest.mark.parametrize("values", [(0.0, 1.0), (1.0, -1.0)])
def test_impossible_filters_are_refused(values: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match="needs positive"):
        OneEuroConfig(*values)


def test_smoother_forgets_on_reset_and_touches_positions_only() -> None:
    smoother, first, second = LandmarkSmoother(), some_landmarks(), some_landmarks()
    smoother(0, first)
    mixed = smoother(SECOND // 30, second)
    assert not np.allclose(mixed.world_c, second.world_c)
    np.testing.assert_array_equal(mixed.visibility, second.visibility)
    smoother.reset()
    np.testing.assert_array_equal(smoother(SECOND // 15, second).xy, second.xy)
