from __future__ import annotations

import cv2
import numpy as np
import pytest

from physhmr.errors import CameraError
from physhmr.geometry.camera import camera_pose, pixels_to_rays
from physhmr.geometry.camera_info import CameraCalibration, camera_from_info, resized

K = np.array([[620.0, 0.0, 322.0], [0.0, 618.0, 238.0], [0.0, 0.0, 1.0]])
D = np.array([-0.28, 0.09, 1e-3, -5e-4, -0.01])


def info(**changes: object) -> CameraCalibration:
    fields: dict[str, object] = {"width": 640, "height": 480, "k": K.ravel(), "d": D}
    return CameraCalibration(**(fields | changes))  # type: ignore[arg-type]


def test_plain_message_keeps_its_numbers() -> None:
    camera = camera_from_info(info())
    np.testing.assert_array_equal(camera.K, K)
    np.testing.assert_array_equal(camera.distortion, D)
    assert (camera.width, camera.height) == (640, 480)


def test_window_and_binning_leave_rays_where_they_were() -> None:
    whole = camera_from_info(info())
    part = camera_from_info(info(binning_x=2, binning_y=4, roi_x=100, roi_y=80, roi_width=400, roi_height=200))
    assert (part.width, part.height) == (200, 50)
    pixels = np.array([[0.0, 0.0], [150.0, 30.0]])
    rays, _ = pixels_to_rays(part, pixels)
    same, _ = pixels_to_rays(whole, pixels * [2, 4] + [100, 80])
    np.testing.assert_allclose(rays, same, atol=1e-12)


def test_rectified_image_gives_the_same_world_rays_as_the_raw_one() -> None:
    R = cv2.Rodrigues(np.array([0.02, -0.05, 0.01]))[0]
    P = np.hstack([np.diag([500.0, 500.0, 1.0]), [[-60.0], [0.0], [0.0]]])
    P[:2, 2] = 310, 250
    calibration = info(r=R.ravel(), p=P.ravel())
    T_wc = camera_pose(1.4, 0.2, 0.1)
    raw = camera_from_info(calibration, T_wc=T_wc)
    rectified = camera_from_info(calibration, rectified=True, T_wc=T_wc)
    pixels = np.array([[100.0, 50.0], [322.0, 238.0], [600.0, 400.0]])
    pixels_rectified = cv2.undistortPoints(pixels[:, None], K, D, R=R, P=P[:, :3])[:, 0]
    for camera in (raw, rectified):
        assert camera.T_wc is not None
    rays_raw = pixels_to_rays(raw, pixels)[0] @ raw.T_wc[:3, :3].T
    rays_rectified = pixels_to_rays(rectified, pixels_rectified)[0] @ rectified.T_wc[:3, :3].T
    np.testing.assert_allclose(rays_rectified, rays_raw, atol=2e-5)


def test_zero_rotation_means_identity() -> None:
    T_wc = camera_pose(1.0)
    camera = camera_from_info(info(r=np.zeros(9), p=np.hstack([K, np.zeros((3, 1))])), rectified=True, T_wc=T_wc)
    np.testing.assert_array_equal(camera.T_wc, T_wc)
    assert camera.distortion.size == 0


def test_thin_prism_zeros_are_dropped() -> None:
    camera = camera_from_info(info(distortion_model="rational_polynomial", d=np.r_[D, 0.1, 0.2, 0.3, np.zeros(6)]))
    assert camera.distortion.size == 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": np.zeros(9)}, "uncalibrated"),
        ({"k": np.ones(4)}, "needs 9 numbers"),
        ({"distortion_model": "equidistant"}, "rectified topic"),
        ({"distortion_model": ""}, "name the model"),
        ({"d": np.ones(3)}, "coefficients"),
        ({"roi_x": 500, "roi_width": 200, "roi_height": 100}, "reaches beyond"),
    ],
)
def test_unusable_messages_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(CameraError, match=message):
        camera_from_info(info(**changes))


def test_rectified_without_projection_is_refused() -> None:
    with pytest.raises(CameraError, match=r"CameraInfo\.p"):
        camera_from_info(info(), rectified=True)


def test_resizing_keeps_the_rays_of_the_corners() -> None:
    camera = camera_from_info(info())
    half = resized(camera, 320, 240)
    corners = np.array([[-0.5, -0.5], [639.5, 479.5]])
    np.testing.assert_allclose(
        pixels_to_rays(half, (corners + 0.5) / 2 - 0.5)[0], pixels_to_rays(camera, corners)[0], atol=1e-12
    )


def test_resizing_to_another_shape_is_refused() -> None:
    with pytest.raises(CameraError, match="no scaled 640x480"):
        resized(camera_from_info(info()), 1280, 720)
