from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physhmr.camera_pose import CameraPose
from physhmr.config import CameraConfig
from physhmr.errors import CalibrationError
from physhmr.geometry.calibration import (
    ASSUMED_HEIGHT,
    LEG_AND_TRUNK,
    CalibrationConfig,
    StandingCalibration,
    assume_level,
    calibrate_standing,
)
from physhmr.geometry.camera import camera_from_fov, camera_pose, camera_tilt, project, with_pose
from physhmr.geometry.standing import center_of_mass, floor_point, leg_and_trunk_length, straightness, support_point
from physhmr.types import KEYPOINTS, CameraModel, Keypoints2d

UP = np.array([0.0, 0.0, 1.0])
FRAME_NS = 33_333_333
CAMERA = camera_from_fov(1280, 720, np.deg2rad(60))
BELIEVE_BODY = CalibrationConfig(level_pitch_deg=1e6, level_roll_deg=1e6)

_HALF = {  # of one side: x forward, y half width, z up; m
    "Shoulder": (0.0, 0.19, 1.40), "Elbow": (0.0, 0.24, 1.12), "Wrist": (0.03, 0.26, 0.86), "Hip": (0.0, 0.10, 0.88),
    "Knee": (0.0, 0.11, 0.48), "Ankle": (-0.03, 0.12, 0.08), "Ear": (0.0, 0.07, 1.56), "Heel": (-0.09, 0.12, 0.0),
    "Toe": (0.13, 0.14, 0.0), "Hand": (0.05, 0.26, 0.77),
}  # fmt: skip


def standing_body() -> np.ndarray:
    """A body (21, 3) at the origin, facing -x, balanced: its centre of mass is above the middle of its feet."""
    rows = []
    for name in KEYPOINTS:
        side, _, part = name.rpartition("_")
        x, y, z = _HALF.get(part, (0.1, 0.0, 1.54))
        rows.append((-x, -y if side == "L" else y, z))
    body = np.array(rows)
    offset = center_of_mass(body) - support_point(body, UP)
    feet = [KEYPOINTS.index(f"{side}_{part}") for side in "LR" for part in ("Ankle", "Heel", "Toe")]
    body[feet] += [offset[0] / (1 - 2 * 0.0137), offset[1], 0.0]
    body[feet] += [(center_of_mass(body) - support_point(body, UP))[0], 0, 0]
    return body


BODY = standing_body()


def body_at(x: float, y: float, z: float) -> np.ndarray:
    return BODY + np.array([x, y, z])


BODY_HEIGHT = float(leg_and_trunk_length(BODY)) / LEG_AND_TRUNK


def seen(camera: CameraModel, body_w: np.ndarray, stamp_ns: int = 0, size: float = 1.0) -> Keypoints2d:
    """What a perfect network says: the pixels, and landmarks that are `size` times too large."""
    assert camera.T_wc is not None
    hips = body_w[[KEYPOINTS.index("L_Hip"), KEYPOINTS.index("R_Hip")]].mean(0)
    return Keypoints2d(
        stamp_ns=stamp_ns,
        xy=project(camera, body_w),
        score=np.full(len(KEYPOINTS), 0.9),
        landmarks_c=size * (body_w - hips) @ camera.T_wc[:3, :3],
    )


def test_body_is_balanced_and_straight() -> None:
    np.testing.assert_allclose((center_of_mass(BODY) - support_point(BODY, UP))[:2], 0.0, atol=2e-3)
    assert straightness(BODY) > 0.98
    assert 1.5 < BODY_HEIGHT < 1.9


@settings(max_examples=40)
@given(
    height=st.floats(0.4, 2.5),
    pitch=st.floats(-0.15, 0.4),
    roll=st.floats(-0.3, 0.3),
    distance=st.floats(2.5, 6.0),
    side=st.floats(-1.0, 1.0),
    size=st.floats(0.8, 1.2),
)
def test_perfect_observations_give_the_true_camera(
    height: float, pitch: float, roll: float, distance: float, side: float, size: float
) -> None:
    camera = with_pose(CAMERA, camera_pose(height, pitch, roll))
    frames = [seen(camera, body_at(distance, side, 0.0), size=size)]
    found = calibrate_standing(frames, camera, BODY_HEIGHT, BELIEVE_BODY)
    tilt = found.tilt
    np.testing.assert_allclose([tilt.pitch, tilt.roll], [pitch, roll], atol=4e-3)
    assert tilt.height == pytest.approx(height, abs=0.03)
    assert found.distance == pytest.approx(np.hypot(distance, side), abs=0.1)
    assert found.scale == pytest.approx(1 / size)


@given(pitch=st.floats(-0.2, 0.6), roll=st.floats(-0.5, 0.5))
def test_a_vertical_that_an_imu_tells_is_taken_as_it_is(pitch: float, roll: float) -> None:
    """Also where the body leans: then balance would say something else."""
    camera = with_pose(CAMERA, camera_pose(1.3, pitch, roll))
    frame = seen(camera, body_at(4.0, 0.2, 0.0))
    found = calibrate_standing([frame], camera, BODY_HEIGHT, CalibrationConfig(), camera.T_wc[2, :3])
    np.testing.assert_allclose([found.tilt.pitch, found.tilt.roll], [pitch, roll], atol=1e-9)
    assert found.tilt.height == pytest.approx(1.3, abs=0.03)


def test_without_feet_in_view_the_vertical_helps_as_well() -> None:
    camera = with_pose(CAMERA, camera_pose(1.3, 0.3, 0.1))
    frames = [seen(camera, body_at(4.0, 0.2, 0.0))]
    up_c = camera.T_wc[2, :3]
    helped, alone = (assume_level(frames, camera, BODY_HEIGHT, up) for up in (up_c, None))
    np.testing.assert_allclose(helped.T_wc, camera_pose(1.3, 0.3, 0.1), atol=0.06)
    assert helped.distance == pytest.approx(np.hypot(4.0, 0.2), abs=0.1)
    assert abs(alone.tilt.height - 1.3) > 0.5
    assert "a level camera" in alone.assumptions and "a level camera" not in helped.assumptions


def test_noise_averages_out() -> None:
    rng, camera = np.random.default_rng(2), with_pose(CAMERA, camera_pose(1.2, 0.12, 0.02))
    frames = []
    for _ in range(30):
        frame = seen(camera, body_at(3.0, 0.2, 0.0))
        noisy = frame.landmarks_c + rng.normal(scale=0.03, size=(21, 3))
        frames.append(replace(frame, xy=frame.xy + rng.normal(scale=3.0, size=(21, 2)), landmarks_c=noisy))
    tilt = calibrate_standing(frames, camera, BODY_HEIGHT, BELIEVE_BODY).tilt
    np.testing.assert_allclose(np.rad2deg([tilt.pitch, tilt.roll]), np.rad2deg([0.12, 0.02]), atol=1.5)
    assert tilt.height == pytest.approx(1.2, abs=0.12)


def test_one_leg_carries_when_the_other_is_lifted() -> None:
    body = BODY.copy()
    lifted = [KEYPOINTS.index(f"L_{part}") for part in ("Ankle", "Heel", "Toe")]
    body[lifted] += [0.0, 0.0, 0.6]
    right = body[[KEYPOINTS.index(f"R_{part}") for part in ("Ankle", "Heel", "Toe")]].mean(0)
    np.testing.assert_allclose(support_point(body, UP), right, atol=0.005)
    assert floor_point(body, UP)[2] == pytest.approx(0.0, abs=0.005)


def test_prior_pulls_towards_level() -> None:
    camera = with_pose(CAMERA, camera_pose(1.2, 0.3, 0.1))
    frames = [seen(camera, body_at(3.0, 0.0, 0.0))]
    sure = calibrate_standing(frames, camera, BODY_HEIGHT, CalibrationConfig(level_pitch_deg=1.0))
    assert 0 < sure.tilt.pitch < 0.02


def test_small_rolls_are_doubted_large_ones_believed() -> None:
    """Tripods and hands keep a camera level; who turns it on its side means it."""

    def found_deg(roll_deg: float) -> float:
        camera = with_pose(CAMERA, camera_pose(1.2, 0.0, np.deg2rad(roll_deg)))
        found = calibrate_standing([seen(camera, body_at(4.0, 0.0, 0.0))], camera, BODY_HEIGHT)
        return float(np.rad2deg(found.tilt.roll))

    rolls_deg = np.arange(-90.0, 91.0, 5.0)
    found = np.array([found_deg(roll) for roll in rolls_deg])
    assert (np.diff(found) > 0).all()
    assert abs(found_deg(3.0)) < 1.2
    np.testing.assert_allclose(found[np.abs(rolls_deg) >= 25], rolls_deg[np.abs(rolls_deg) >= 25], atol=2.0)


def test_a_walker_is_balanced_over_both_feet() -> None:
    """In a step 0.7 m long with one foot lifted by 0.1 m, the middle of the feet is below the body, not a foot."""
    body, step_w, lift_w = BODY.copy(), np.array([0.35, 0.0, 0.0]), np.array([0.0, 0.0, 0.1])
    for side, offset_w in (("L", step_w + lift_w), ("R", -step_w)):
        body[[KEYPOINTS.index(f"{side}_{part}") for part in ("Ankle", "Heel", "Toe")]] += offset_w
    np.testing.assert_allclose(support_point(body, UP) - support_point(BODY, UP), lift_w / 2, atol=1e-9)
    assert floor_point(body, UP)[0] < floor_point(BODY, UP)[0]


def test_assumed_height_is_said_and_scales_everything() -> None:
    camera = with_pose(CAMERA, camera_pose(1.2, 0.1))
    frames = [seen(camera, body_at(3.0, 0.0, 0.0))]
    assumed = calibrate_standing(frames, camera)
    given_twice = calibrate_standing(frames, camera, 2 * ASSUMED_HEIGHT)
    assert "1.70 m (not given)" in assumed.assumptions
    assert "(given)" in given_twice.assumptions
    np.testing.assert_allclose(given_twice.T_wc[2, 3], 2 * assumed.T_wc[2, 3])
    np.testing.assert_allclose(given_twice.distance, 2 * assumed.distance)


def test_feet_above_the_camera_are_refused() -> None:
    camera = with_pose(CAMERA, camera_pose(1.2, -0.1))
    with pytest.raises(CalibrationError, match="above the camera"):
        calibrate_standing([seen(camera, body_at(6.0, 0.0, 1.6))], camera, BODY_HEIGHT, BELIEVE_BODY)


def stream(count: int, speed: float = 0.0, step_ns: int = FRAME_NS) -> list[Keypoints2d]:
    camera = with_pose(CAMERA, camera_pose(1.2, 0.1))
    return [seen(camera, body_at(3.5, speed * k * step_ns * 1e-9 - 0.5, 0.0), k * step_ns) for k in range(count)]


def frames_needed(frames: list[Keypoints2d]) -> int:
    calibration = StandingCalibration(BODY_HEIGHT)
    return next(count for count, frame in enumerate(frames, 1) if calibration.add(frame))


def test_a_second_of_standing_suffices_walking_takes_longer() -> None:
    assert frames_needed(stream(60)) in (31, 32)
    assert frames_needed(stream(150, speed=0.5)) in (121, 122)


def test_solving_needs_enough_frames_and_gives_the_pose() -> None:
    calibration = StandingCalibration(BODY_HEIGHT)
    assert calibration.progress == 0.0 and calibration.reason
    with pytest.raises(CalibrationError, match="waiting for a person"):
        calibration.solve(CAMERA)
    for frame in stream(40):
        calibration.add(frame)
    assert calibration.progress == 1.0 and calibration.reason == ""
    assert calibration.solve(CAMERA).tilt.height == pytest.approx(1.2, abs=0.15)


def test_frames_that_say_nothing_are_left_out_with_a_reason() -> None:
    calibration, frame = StandingCalibration(), stream(1)[0]
    hidden = frame.score.copy()
    hidden[[KEYPOINTS.index(name) for name in ("L_Ankle", "R_Heel")]] = 0.1
    assert not calibration.add(replace(frame, score=hidden))
    assert "whole body" in calibration.reason
    squat = frame.landmarks_c.copy()
    squat[[KEYPOINTS.index(f"{side}_Knee") for side in "LR"]] += [0.0, 0.0, -0.4]
    assert not calibration.add(replace(frame, landmarks_c=squat))
    assert "upright" in calibration.reason
    assert calibration.progress == 0.0


def test_one_hidden_leg_is_tolerated() -> None:
    calibration, frame = StandingCalibration(), stream(1)[0]
    hidden = frame.score.copy()
    hidden[[KEYPOINTS.index(f"L_{part}") for part in ("Hip", "Knee", "Ankle", "Heel", "Toe")]] = 0.05
    calibration.add(replace(frame, score=hidden))
    assert calibration.reason == ""


@pytest.mark.parametrize("jump_ns", [-(10**9), 2 * 10**9, 0])
def test_a_gap_or_a_jump_back_starts_anew(jump_ns: int) -> None:
    calibration = StandingCalibration()
    for frame in stream(20):
        calibration.add(frame)
    last = 19 * FRAME_NS
    calibration.add(replace(stream(1)[0], stamp_ns=last + jump_ns))
    assert calibration.progress == 0.0


def upper_body(stamp_ns: int, lens: CameraModel) -> Keypoints2d:
    """A standing person seen by `lens`, the legs below the image."""
    frame = seen(lens, body_at(1.5, 0.1, 0.0), stamp_ns)
    legs = [index for index, name in enumerate(KEYPOINTS) if name.endswith(("Knee", "Ankle", "Heel", "Toe"))]
    score = frame.score.copy()
    score[legs] = 0.05
    return replace(frame, score=score)


@pytest.mark.parametrize("height", [0.9, 1.3])
def test_a_person_whose_feet_stay_out_of_view_gets_a_level_camera_with_a_warning(height: float) -> None:
    lens, pose = with_pose(CAMERA, camera_pose(height)), CameraPose(CameraConfig(), BODY_HEIGHT)
    placed = [pose.place(CAMERA, upper_body(k * FRAME_NS, lens)) for k in range(40)]
    assert placed[28] is None and pose.assumed and "feet are not in view" in pose.status
    last = placed[-1]
    assert last is not None and last.T_wc is not None
    assert camera_tilt(last.T_wc).height == pytest.approx(height, abs=0.1)
    # They step back: a calibration takes the guess's place.
    for k in range(40, 80):
        pose.place(CAMERA, seen(lens, body_at(3.0, 0.0, 0.0), k * FRAME_NS))
    assert not pose.assumed and "calibrated" in pose.status


def test_somebody_who_never_stands_still_is_followed_by_a_guess() -> None:
    """Walking past a tilted camera: a pose after half a second, a better one later, and no jump in between."""
    lens, pose = with_pose(CAMERA, camera_pose(1.4, 0.2, 0.05)), CameraPose(CameraConfig(), BODY_HEIGHT)
    tilts, statuses = [], []
    for k in range(200):
        placed = pose.place(CAMERA, seen(lens, body_at(3.5, 0.5 * k / 30 - 1.5, 0.0), k * FRAME_NS))
        assert (placed is None) == (k < 16), k
        statuses.append(pose.status)
        if placed is not None and placed.T_wc is not None:
            tilt = camera_tilt(placed.T_wc)
            tilts.append([tilt.height, tilt.pitch, tilt.roll])
    assert "a guess" in statuses[20] and "calibrated" in statuses[-1] and not pose.assumed
    np.testing.assert_allclose(tilts[0][1:], [0.2, 0.05], atol=0.06)
    assert tilts[0][0] == pytest.approx(1.4, abs=0.25)
    errors = np.abs(np.array(tilts) - [1.4, 0.2, 0.05])
    assert (errors[-1] <= errors[0] + 1e-3).all()
    assert np.abs(np.diff(tilts, axis=0)).max() < 0.01


def test_a_guess_waits_for_feet_and_begins_anew_when_time_jumps_back() -> None:
    lens, pose = with_pose(CAMERA, camera_pose(1.2)), CameraPose(CameraConfig(), BODY_HEIGHT)
    for stamp_ns in (10**10, 0, 10**8, 4 * 10**8):
        assert pose.place(CAMERA, seen(lens, body_at(3.0, 0.0, 0.0), stamp_ns)) is None
    assert pose.place(CAMERA, seen(lens, body_at(3.0, 0.0, 0.0), 6 * 10**8)) is not None
