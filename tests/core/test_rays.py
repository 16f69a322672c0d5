from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from physhmr.errors import CameraError, PhyshmrError, ShapeError
from physhmr.geometry.camera import camera_from_fov, camera_pose, project, with_pose
from physhmr.geometry.rays import pixel_as_ray, ray_residual, scaled_rays, shifted_rays
from physhmr.types import NUM_KEYPOINTS, CameraModel, Keypoints2d, RayBundle

RNG = np.random.default_rng(3)
POINTS_W = RNG.uniform([2.0, -0.8, 0.0], [4.0, 0.8, 1.9], (NUM_KEYPOINTS, 3))
CAMERA = with_pose(camera_from_fov(1280, 720, 1.2), camera_pose(1.3, 0.15, -0.05))
vector = st.tuples(*[st.floats(-5.0, 5.0)] * 3).map(np.array)


def keypoints(xy: np.ndarray, landmarks_c: np.ndarray | None = None) -> Keypoints2d:
    landmarks_c = np.zeros((NUM_KEYPOINTS, 3)) if landmarks_c is None else landmarks_c
    return Keypoints2d(stamp_ns=7, xy=xy, score=np.full(NUM_KEYPOINTS, 0.9), landmarks_c=landmarks_c)


def unit(direction: np.ndarray) -> np.ndarray:
    return direction / np.linalg.norm(direction, axis=-1, keepdims=True)


def test_rays_of_projected_points_pass_through_them() -> None:
    rays = pixel_as_ray(keypoints(project(CAMERA, POINTS_W)), CAMERA)
    np.testing.assert_allclose(ray_residual(rays.origin_w, rays.dir_w, POINTS_W), 0.0, atol=1e-9)
    assert rays.stamp_ns == 7
    assert (rays.score == 0.9).all()


def test_landmarks_turn_with_the_camera() -> None:
    landmarks_w = POINTS_W - POINTS_W.mean(0)
    assert CAMERA.T_wc is not None
    rays = pixel_as_ray(keypoints(project(CAMERA, POINTS_W), landmarks_w @ CAMERA.T_wc[:3, :3]), CAMERA)
    np.testing.assert_allclose(rays.landmarks_w, landmarks_w, atol=1e-12)


def test_impossible_pixel_loses_its_score_only() -> None:
    camera = CameraModel(
        K=CAMERA.K, width=1280, height=720, distortion=np.array([-0.3, 0, 0, 0]), T_wc=camera_pose(1.0)
    )
    xy = np.full((NUM_KEYPOINTS, 2), 400.0)
    xy[4] = 9000.0
    score = pixel_as_ray(keypoints(xy), camera).score
    assert score[4] == 0.0
    assert (np.delete(score, 4) == 0.9).all()


def test_unknown_pose_is_refused() -> None:
    with pytest.raises(CameraError, match="unknown"):
        pixel_as_ray(keypoints(np.zeros((NUM_KEYPOINTS, 2))), camera_from_fov(640, 480, 1.0))


@given(origin=vector, direction=vector.filter(lambda d: np.linalg.norm(d) > 0.1), depth=st.floats(-10, 10), p=vector)
def test_residual_is_the_perpendicular_offset(
    origin: np.ndarray, direction: np.ndarray, depth: float, p: np.ndarray
) -> None:
    d = unit(direction)
    residual = ray_residual(origin, d, p)
    assert residual @ d == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(ray_residual(origin, d, origin + depth * d), 0.0, atol=1e-9)
    np.testing.assert_allclose(ray_residual(origin, d, p + depth * d), residual, atol=1e-9)
    np.testing.assert_allclose(ray_residual(origin, d, p - residual), 0.0, atol=1e-9)
    assert np.linalg.norm(residual) == pytest.approx(np.linalg.norm(np.cross(p - origin, d)), abs=1e-9)


@given(origin=vector, p=vector, turn=vector, shift=vector)
def test_residual_turns_with_the_world(origin: np.ndarray, p: np.ndarray, turn: np.ndarray, shift: np.ndarray) -> None:
    R, d = Rotation.from_rotvec(turn).as_matrix(), unit(np.array([1.0, 2.0, -0.5]))
    moved = ray_residual(R @ origin + shift, R @ d, R @ p + shift)
    np.testing.assert_allclose(moved, R @ ray_residual(origin, d, p), atol=1e-9)


@given(scale=st.floats(0.5, 2.0), shift=vector)
def test_scaled_and_shifted_rays_of_all_cameras_go_through_the_scaled_and_shifted_points(
    scale: float, shift: np.ndarray
) -> None:
    aside = with_pose(CAMERA, camera_pose(1.6, 0.2, 0.1))
    one, other = (pixel_as_ray(keypoints(project(c, POINTS_W), 0.3 * POINTS_W), c) for c in (CAMERA, aside))
    rays = shifted_rays(scaled_rays(replace(one, others=(other,)), scale), shift)
    for view in (rays, *rays.others):
        residual = ray_residual(view.origin_w, view.dir_w, scale * POINTS_W + shift)
        np.testing.assert_allclose(residual, 0.0, atol=1e-9)
    np.testing.assert_allclose(rays.landmarks_w, scale * one.landmarks_w)


def test_residual_broadcasts_and_checks_shapes() -> None:
    d = unit(RNG.normal(size=(12, 3)))
    assert ray_residual(np.zeros(3), d, RNG.normal(size=(100, 12, 3))).shape == (100, 12, 3)
    with pytest.raises(ShapeError, match="point_w"):
        ray_residual(np.zeros(3), d, np.zeros((12, 2)))


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("score", 1.5, "between 0 and 1"),
        ("score", -0.1, "between 0 and 1"),
        ("landmarks_w", 1e300, "within 5 m of the hips, got 1e\\+300 m"),
        ("dir_w", 1e300, "unit length"),
        ("origin_w", np.nan, "origin_w holds 1 non-finite"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_rays_of_no_person_are_refused(field: str, value: float, reason: str) -> None:
    ahead = np.tile([1.0, 0.0, 0.0], (NUM_KEYPOINTS, 1))
    rows = {"origin_w": ahead, "dir_w": ahead, "score": np.ones(NUM_KEYPOINTS), "landmarks_w": ahead}
    RayBundle(0, **rows)
    bad = rows[field].copy()
    bad.flat[4] = value
    with pytest.raises(PhyshmrError, match=reason):
        RayBundle(0, **{**rows, field: bad})
