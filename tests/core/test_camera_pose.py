"""Where the camera's pose comes from, in the promised order, and what is said about it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from physhmr.camera_pose import CameraPose
from physhmr.config import CameraConfig
from physhmr.errors import PhyshmrError
from physhmr.geometry.camera import camera_from_fov, camera_pose, camera_tilt
from physhmr.types import NUM_KEYPOINTS, Frame, Keypoints2d

CAMERA = camera_from_fov(640, 480, np.radians(60.0))


def nobody(stamp_ns: int = 0) -> Keypoints2d:
    return Keypoints2d(stamp_ns, np.zeros((NUM_KEYPOINTS, 2)), np.zeros(NUM_KEYPOINTS), np.zeros((NUM_KEYPOINTS, 3)))


def test_a_pose_given_with_the_image_wins_over_the_configuration() -> None:
    pose = CameraPose(CameraConfig(height=1.0), 0.0)
    given = replace(CAMERA, T_wc=camera_pose(2.0))
    assert pose.place(given, nobody()) is given
    assert "given" in pose.status and pose.known
    # What TF said once says nothing of the images that come without it.
    pose.place(CAMERA, nobody(1))
    assert not pose.known


def test_a_configured_pose_needs_no_calibration() -> None:
    pose = CameraPose(CameraConfig(height=1.2, pitch_deg=10.0), 0.0)
    placed = pose.place(CAMERA, nobody())
    assert placed is not None and placed.T_wc is not None
    tilt = camera_tilt(placed.T_wc)
    assert np.isclose(tilt.height, 1.2) and np.isclose(tilt.pitch, np.radians(10.0))
    assert "configured" in pose.status and not pose.known


def up_of(pitch: float, roll: float) -> np.ndarray:
    """(3,) the vertical in the axes of a camera so turned."""
    return camera_pose(0.0, pitch, roll)[2, :3]


def test_gravity_turns_a_configured_camera_and_leaves_its_height() -> None:
    pose = CameraPose(CameraConfig(height=1.2, pitch_deg=10.0), 0.0)
    for pitch, roll in ((0.2, 0.1), (-0.1, -0.3)):
        placed = pose.place(CAMERA, nobody(), up_of(pitch, roll))
        assert placed is not None and placed.T_wc is not None
        np.testing.assert_allclose(placed.T_wc, camera_pose(1.2, pitch, roll), atol=1e-12)
    back = pose.place(CAMERA, nobody())
    assert back is not None and back.T_wc is not None
    np.testing.assert_allclose(back.T_wc, camera_pose(1.2, np.radians(10.0)), atol=1e-12)


def test_gravity_says_nothing_against_a_pose_that_is_given() -> None:
    given = replace(CAMERA, T_wc=camera_pose(2.0))
    assert CameraPose(CameraConfig(), 0.0).place(given, nobody(), up_of(0.3, 0.0)) is given


@pytest.mark.parametrize("up_c", [[0.0, 0.0, 9.81], [0.0, np.nan, 1.0], [1.0, 0.0]])
def test_a_vertical_is_a_finite_unit_vector(up_c: list[float]) -> None:
    with pytest.raises(PhyshmrError, match="up_c"):
        Frame(np.zeros((480, 640, 3), np.uint8), 0, CAMERA, np.array(up_c))


def test_without_either_there_are_no_rays_until_a_person_stood_still() -> None:
    pose = CameraPose(CameraConfig(), 0.0)
    assert pose.place(CAMERA, nobody()) is None
    assert "calibrating" in pose.status and "visible" in pose.status and not pose.known
