from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physhmr.errors import CameraError, ShapeError
from physhmr.geometry.camera import (
    camera_from_fov,
    camera_pose,
    camera_tilt,
    distort,
    pixels_to_rays,
    project,
    project_c,
    require_pose,
    undistort,
    with_pose,
)
from physhmr.types import CameraModel

K = np.array([[620.0, 0.0, 322.0], [0.0, 618.0, 238.0], [0.0, 0.0, 1.0]])
LENSES = {
    "none": [],
    "plumb_bob_4": [-0.28, 0.09, 1e-3, -5e-4],
    "plumb_bob_5": [-0.28, 0.09, 1e-3, -5e-4, -0.01],
    "rational": [0.4, -0.2, 1e-3, -5e-4, 0.02, 0.7, -0.1, 0.05],
}


def lens(name: str) -> CameraModel:
    return CameraModel(K=K, width=640, height=480, distortion=np.array(LENSES[name]))


@pytest.fixture(params=LENSES)
def camera(request: pytest.FixtureRequest) -> CameraModel:
    return lens(request.param)


def grid(camera: CameraModel) -> np.ndarray:
    u, v = np.meshgrid(np.linspace(0, camera.width - 1, 9), np.linspace(0, camera.height - 1, 7))
    return np.stack([u, v], -1)


def test_projection_is_opencvs(camera: CameraModel) -> None:
    points_c = np.random.default_rng(0).uniform([-1, -0.8, 2], [1, 0.8, 5], (50, 3))
    expected, _ = cv2.projectPoints(points_c, np.zeros(3), np.zeros(3), K, camera.distortion)
    np.testing.assert_allclose(project_c(camera, points_c), expected[:, 0], atol=1e-9)


def test_ray_of_a_pixel_projects_back_to_it(camera: CameraModel) -> None:
    pixels = grid(camera)
    rays, valid = pixels_to_rays(camera, pixels)
    assert valid.all()
    np.testing.assert_allclose(np.linalg.norm(rays, axis=-1), 1.0)
    np.testing.assert_allclose(project_c(camera, 3.7 * rays), pixels, atol=1e-6)


@given(x=st.floats(-0.5, 0.5), y=st.floats(-0.4, 0.4), name=st.sampled_from(sorted(LENSES)))
def test_undistort_inverts_distort(x: float, y: float, name: str) -> None:
    camera = lens(name)
    xy, valid = undistort(camera, distort(camera, np.array([x, y])))
    assert valid
    np.testing.assert_allclose(xy, [x, y], atol=1e-8)


def test_pixel_beyond_the_lens_is_marked_and_stays_finite() -> None:
    # r (1 - 0.4 r^2 + 0.07 r^4) rises to 0.66, falls, and rises again: 750 px reaches only the second rise.
    camera = CameraModel(K=K, width=640, height=480, distortion=np.array([-0.4, 0.07, 0.0, 0.0]))
    rays, valid = pixels_to_rays(camera, np.array([[320.0, 240.0], [1072.0, 240.0], [1e9, -1e9]]))
    assert valid.tolist() == [True, False, False]
    assert np.isfinite(rays).all()


@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 640)])
def test_field_of_view_spans_the_longer_side(width: int, height: int) -> None:
    camera = camera_from_fov(width, height, np.deg2rad(60))
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    edge = np.array([-0.5, centre[1]]) if width > height else np.array([centre[0], -0.5])
    (middle, side), _ = pixels_to_rays(camera, np.stack([centre, edge]))
    assert np.arccos(middle @ side) == pytest.approx(np.deg2rad(30))


@pytest.mark.parametrize("fov", [0.0, -1.0, np.pi, 60.0])
def test_impossible_field_of_view_is_refused(fov: float) -> None:
    with pytest.raises(CameraError, match="between 0 and pi"):
        camera_from_fov(640, 480, fov)


angle = st.floats(-1.2, 1.2)


@given(height=st.floats(0.1, 5.0), pitch=angle, roll=angle)
def test_tilt_reads_back_the_pose(height: float, pitch: float, roll: float) -> None:
    T_wc = camera_pose(height, pitch, roll)
    tilt = camera_tilt(T_wc)
    np.testing.assert_allclose([tilt.height, tilt.pitch, tilt.roll], [height, pitch, roll], atol=1e-12)
    np.testing.assert_allclose(T_wc[:3, :3] @ T_wc[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(T_wc[:3, :3]) == pytest.approx(1.0)


def test_axes_of_a_level_camera() -> None:
    camera = with_pose(camera_from_fov(640, 480, 1.0), camera_pose(1.5))
    centre = np.array([319.5, 239.5])
    np.testing.assert_allclose(project(camera, [4.0, 0.0, 1.5]), centre)
    left_and_up = project(camera, [4.0, 0.5, 2.0])
    assert (left_and_up < centre).all()


def test_pitching_down_lifts_the_horizon_and_roll_turns_the_picture() -> None:
    camera = camera_from_fov(640, 480, 1.0)
    ahead = np.array([10.0, 0.0, 1.5])
    assert project(with_pose(camera, camera_pose(1.5, pitch=0.2)), ahead)[1] < 239.5
    # A camera turned clockwise sees the world turned counterclockwise: what is left sinks.
    assert project(with_pose(camera, camera_pose(1.5, roll=0.2)), [10.0, 2.0, 1.5])[1] > 239.5


def test_missing_pose_and_points_behind_are_refused() -> None:
    camera = camera_from_fov(640, 480, 1.0)
    with pytest.raises(CameraError, match="pose in the world is unknown"):
        require_pose(camera)
    with pytest.raises(CameraError, match="in front"):
        project(with_pose(camera, camera_pose(1.5)), [[-1.0, 0.0, 1.0]])
    with pytest.raises(ShapeError, match="pixels"):
        pixels_to_rays(camera, np.zeros((4, 3)))
