"""Exchanged sides: seen by the pose before, set right, and believed only from those who insist."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.keypoints import keypoints_of
from physhmr.body.skeleton import Skeleton
from physhmr.geometry.camera import camera_from_fov, camera_pose, project, with_pose
from physhmr.geometry.facing import turned_over, turned_over_rays
from physhmr.geometry.rays import pixel_as_ray, ray_residual
from physhmr.geometry.rotation import yaw_quat
from physhmr.lifting.side_guard import SideGuard, SideGuardCfg
from physhmr.types import KEYPOINTS, NUM_KEYPOINTS, Array, Keypoints2d, RayBundle

SKELETON = Skeleton()
CAMERA = with_pose(camera_from_fov(1280, 720, 0.9), camera_pose(1.2, 0.0, 0.0))
TICK_NS = 33_333_333


def person(yaw: float = np.pi) -> Array:
    """Keypoints of somebody who stands 3 m away; half a turn faces the camera."""
    qpos = standing_qpos(SKELETON)
    qpos[0], qpos[3:7] = 3.0, yaw_quat(np.array(yaw))
    return keypoints_of(qpos, SKELETON)


def keypoints(points_w: Array, stamp_ns: int = 0) -> Keypoints2d:
    assert CAMERA.T_wc is not None
    hips = [KEYPOINTS.index("L_Hip"), KEYPOINTS.index("R_Hip")]
    landmarks_c = (points_w - points_w[hips].mean(0)) @ CAMERA.T_wc[:3, :3]
    return Keypoints2d(stamp_ns, project(CAMERA, points_w), np.linspace(0.5, 1.0, NUM_KEYPOINTS), landmarks_c)


def seen(points_w: Array, frame: int = 0, exchanged: bool = False) -> RayBundle:
    said = keypoints(points_w, frame * TICK_NS)
    return pixel_as_ray(turned_over(said) if exchanged else said, CAMERA)


def test_the_double_of_rays_is_what_the_double_of_keypoints_becomes() -> None:
    rays, double = seen(person()), seen(person(), exchanged=True)
    turned = turned_over_rays(rays)
    np.testing.assert_allclose(turned.dir_w, double.dir_w, atol=1e-12)
    np.testing.assert_allclose(turned.score, double.score)
    # The camera looks ahead: its depth is the horizontal way to the person.
    np.testing.assert_allclose(turned.landmarks_w, double.landmarks_w, atol=0.02)
    again = turned_over_rays(turned)
    np.testing.assert_allclose(again.landmarks_w, rays.landmarks_w, atol=1e-12)


def test_exchanged_sides_are_set_right() -> None:
    guard, points_w = SideGuard(), person()
    for frame in range(30):
        rays = guard.step(seen(points_w, frame, exchanged=frame % 10 >= 5), points_w)
        assert np.abs(ray_residual(rays.origin_w, rays.dir_w, points_w)).max() < 1e-9


@pytest.mark.parametrize("yaw", np.radians([0, 60, 90, 120, 180, 270]))
def test_sides_that_are_right_stay(yaw: float) -> None:
    random, points_w = np.random.default_rng(0), person(yaw)
    for frame in range(20):
        rays = seen(points_w + 0.03 * random.normal(size=(NUM_KEYPOINTS, 3)), frame)
        assert SideGuard().step(rays, points_w) is rays


def test_who_is_somewhere_else_is_not_turned_over() -> None:
    rays = seen(person() + np.array([0.0, 0.6, 0.0]))
    assert SideGuard().step(rays, person()) is rays


def test_who_insists_is_believed() -> None:
    guard, cfg = SideGuard(), SideGuardCfg()
    frames = round(cfg.insistence * 1e9 / TICK_NS)
    for frame in range(frames + 5):
        rays = seen(person(), frame, exchanged=True)
        assert (guard.step(rays, person()) is rays) == (frame > frames)
    rays = seen(person(), frames + 5)
    assert guard.step(rays, person()) is rays
    # The other way round the time begins anew.
    later = replace(rays, stamp_ns=rays.stamp_ns + TICK_NS)
    assert guard.step(later, person(0.0)) is not later
