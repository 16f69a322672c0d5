from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.skeleton import Skeleton
from physhmr.geometry.camera import camera_from_fov, camera_pose, project, with_pose
from physhmr.geometry.rays import pixel_as_ray
from physhmr.types import CameraModel, Frame, Keypoints2d, RayBundle
from physhmr.view.joiner import KEEP, SnapshotJoiner, keypoints_of_rays
from physhmr.view.snapshot import Readings

LENS = CameraModel(K=camera_from_fov(64, 48, 1.0).K, width=64, height=48, distortion=np.array([-0.1, 0.02, 0.001, 0.0]))
CAMERA = with_pose(LENS, camera_pose(1.2, 0.1))
QPOS = standing_qpos(Skeleton())


def frame(stamp_ns: int, camera: CameraModel = CAMERA) -> Frame:
    return Frame(np.full((48, 64, 3), stamp_ns % 256, np.uint8), stamp_ns, camera)


def seen(stamp_ns: int = 0) -> Keypoints2d:
    rng = np.random.default_rng(stamp_ns)
    points = rng.uniform((2, -0.5, 0.5), (4, 0.5, 1.5), (21, 3))
    return Keypoints2d(stamp_ns, project(CAMERA, points), rng.uniform(size=21), rng.normal(size=(21, 3)))


def rays(stamp_ns: int) -> RayBundle:
    return pixel_as_ray(seen(stamp_ns), CAMERA)


def test_keypoints_survive_the_way_over_rays() -> None:
    back = keypoints_of_rays(rays(3), CAMERA)
    assert back is not None
    np.testing.assert_allclose(back.xy, seen(3).xy, atol=1e-6)
    np.testing.assert_allclose(back.landmarks_c, seen(3).landmarks_c, atol=1e-9)
    np.testing.assert_array_equal(back.score, seen(3).score)


def test_keypoints_need_a_camera_that_can_see_the_rays() -> None:
    assert keypoints_of_rays(rays(0), LENS) is None
    turned = camera_pose(1.2)
    turned[:3, :3] = np.diag([-1.0, -1.0, 1.0]) @ turned[:3, :3]
    assert keypoints_of_rays(rays(0), with_pose(LENS, turned)) is None


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30), st.integers(0, 60))
def test_a_pose_gets_the_newest_image_that_is_not_newer(stamps: list[int], now: int) -> None:
    joiner = SnapshotJoiner()
    for stamp in sorted(stamps):
        joiner.add_frame(frame(stamp))
    kept = [stamp for stamp in sorted(stamps)[-KEEP:] if stamp <= now]
    image = joiner.snapshot(now, QPOS, Readings()).image
    assert (None if image is None else int(image[0, 0, 0])) == (max(kept) if kept else None)


def test_rays_and_images_are_matched_separately() -> None:
    joiner = SnapshotJoiner()
    joiner.add_frame(frame(10))
    joiner.add_rays(rays(10))
    joiner.add_frame(frame(20))
    snapshot = joiner.snapshot(25, QPOS, Readings(fps=30.0))
    assert snapshot.image is not None and snapshot.image[0, 0, 0] == 20
    assert snapshot.rays is not None and snapshot.rays.stamp_ns == 10
    assert snapshot.keypoints is not None and snapshot.keypoints.stamp_ns == 10
    assert snapshot.readings.fps == 30.0


def test_stamps_that_run_backwards_start_anew() -> None:
    joiner = SnapshotJoiner()
    joiner.add_frame(frame(100))
    joiner.add_frame(frame(5))
    image = joiner.snapshot(200, QPOS, Readings()).image
    assert image is not None and image[0, 0, 0] == 5


@pytest.mark.parametrize("own", [True, False])
def test_the_cameras_own_pose_comes_first(own: bool) -> None:
    joiner, told = SnapshotJoiner(), camera_pose(2.0)
    joiner.add_frame(frame(0, CAMERA if own else LENS))
    joiner.place_camera(told)
    camera = joiner.snapshot(0, QPOS, Readings()).camera
    assert camera is not None
    np.testing.assert_array_equal(camera.T_wc, CAMERA.T_wc if own else told)


def test_nothing_gives_an_empty_snapshot() -> None:
    snapshot = SnapshotJoiner().snapshot(0, None, Readings())
    assert snapshot.image is None and snapshot.rays is None and snapshot.keypoints is None
