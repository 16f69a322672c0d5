"""A synthetic camera sees the whole path, errs as much as it says, and leads to references like the live chain's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.keypoints import keypoints_of
from physhmr.body.skeleton import Skeleton
from physhmr.errors import MotionFileError
from physhmr.follower import make_lifter
from physhmr.geometry.camera import project
from physhmr.geometry.rays import ray_residual
from physhmr.geometry.rotation import yaw_quat
from physhmr.motion.lifted import lift_view, load_views, save_views
from physhmr.motion.synthetic_camera import (
    IMAGE,
    CameraRange,
    KeypointErrors,
    Views,
    arrives,
    detections,
    hidden,
    in_image,
    place_camera,
    watch,
)
from physhmr.types import KEYPOINTS, MotionClip, RayBundle

SKELETON = Skeleton()
PERFECT = KeypointErrors(
    view=0.0, drift=0.0, landmark_view=(0.0, 0.0), landmark_drift=(0.0, 0.0), turn_view_deg=0.0, turn_drift_deg=0.0,
    landmark_size=(1.0, 0.0), unsure=0.0, swap_view=0.0, slow_view=0.0, dropped=0.0, gap_view=0.0,
)  # fmt: skip
FAR = CameraRange(near=0.0)
FACING = replace(FAR, facing_deg=0.0)


SHARP = Views(0.0, errors=PERFECT)


def watched(clip: MotionClip, seed: int, views: Views) -> list[RayBundle]:
    """The rays of every frame of a clip that is seen without a break."""
    rays = [one for one in watch(clip, SKELETON, np.random.default_rng(seed), views) if one is not None]
    assert len(rays) == len(clip.qpos)
    return rays


def stroll(frames: int = 90, speed: float = 0.5) -> MotionClip:
    """Gliding along in a stance, arms swinging a little."""
    qpos = np.tile(standing_qpos(SKELETON), (frames, 1))
    time = np.arange(frames) / 30.0
    qpos[:, 0], qpos[:, 3:7] = speed * time, yaw_quat(0.2 * np.sin(time))
    qpos[:, 7 + 40] = 0.3 * np.sin(3.0 * time)
    return MotionClip("stroll", 30.0, qpos, "test")


@pytest.mark.parametrize("seed", range(8))
def test_the_whole_path_is_in_the_image(seed: int) -> None:
    clip = stroll(speed=1.2)
    points = keypoints_of(clip.qpos, SKELETON)
    camera = place_camera(clip.qpos, points, np.random.default_rng(seed), FAR)
    pixels = project(camera, points.reshape(-1, 3))
    assert ((pixels >= 0) & (pixels < np.array(IMAGE))).mean() > 0.99
    assert camera.T_wc is not None and 0.4 <= camera.T_wc[2, 3] <= 2.4


def test_without_errors_every_ray_goes_through_its_keypoint() -> None:
    clip = stroll(20)
    points = keypoints_of(clip.qpos, SKELETON)
    for rays, truth in zip(watched(clip, 0, SHARP), points, strict=True):
        assert np.abs(ray_residual(rays.origin_w, rays.dir_w, truth)).max() < 1e-6
        hips = truth[[KEYPOINTS.index("L_Hip"), KEYPOINTS.index("R_Hip")]].mean(0)
        np.testing.assert_allclose(rays.landmarks_w, truth - hips, atol=1e-9)


def test_errors_are_as_large_as_stated() -> None:
    """Over many views, a joint in plain sight is off by sqrt(view^2 + drift^2) across each image axis."""
    clip, errors = stroll(40), replace(KeypointErrors(), swap_view=0.0, slow_view=0.0, dropped=0.0, gap_view=0.0)
    points, nose = keypoints_of(clip.qpos, SKELETON), KEYPOINTS.index("Nose")
    squares = []
    for seed in range(60):
        for rays, truth in zip(watched(clip, seed, Views(0.0, FACING, errors)), points, strict=True):
            squares.append((ray_residual(rays.origin_w[nose], rays.dir_w[nose], truth[nose]) ** 2).sum() / 2)
    assert np.sqrt(np.mean(squares)) == pytest.approx(np.hypot(errors.view, errors.drift), rel=0.15)


def test_swaps_exchange_left_and_right() -> None:
    clip, always = stroll(10), replace(PERFECT, swap_view=1.0, swap_start=1.0)
    rays = watched(clip, 1, Views(0.0, errors=always))[0]
    truth = keypoints_of(clip.qpos, SKELETON)[0]
    left, right = KEYPOINTS.index("L_Wrist"), KEYPOINTS.index("R_Wrist")
    assert np.abs(ray_residual(rays.origin_w[left], rays.dir_w[left], truth[right])).max() < 1e-6


def test_a_back_taken_for_a_front_is_a_body_that_faces_the_other_way() -> None:
    """From afar, turning depth and sides over makes another body, with the same picture and bone lengths."""
    clip, always = stroll(4, 0.0), replace(PERFECT, swap_view=1.0, swap_start=1.0)
    views = [watched(clip, 1, Views(0.0, errors=errors))[0] for errors in (PERFECT, always)]
    names = [KEYPOINTS.index(name) for name in ("L_Hip", "R_Hip", "L_Toe", "L_Heel", "R_Toe", "R_Heel")]
    ways = []
    for rays in views:
        left_hip, right_hip, *feet = rays.landmarks_w[names]
        forward = (feet[0] - feet[1] + feet[2] - feet[3]) * [1.0, 1.0, 0.0]
        left = (left_hip - right_hip) * [1.0, 1.0, 0.0]
        # In a body, toes point to the right of the line from the left hip to the right one.
        assert np.cross(forward, left)[2] > 0.0
        ways.append(forward)
    assert ways[0] @ ways[1] < np.linalg.norm(ways[0]) ** 2
    lengths = [np.linalg.norm(rays.landmarks_w[names[2]] - rays.landmarks_w[names[3]]) for rays in views]
    assert lengths[0] == pytest.approx(lengths[1])


def test_what_is_behind_the_trunk_is_hidden() -> None:
    points = np.zeros((len(KEYPOINTS), 3))
    for side, x in (("L", -0.2), ("R", 0.2)):
        points[KEYPOINTS.index(f"{side}_Shoulder")] = (x, -0.5, 3.0)
        points[KEYPOINTS.index(f"{side}_Hip")] = (x, 0.0, 3.0)
    wrist = KEYPOINTS.index("L_Wrist")
    points[:, 2] = 3.0
    points[wrist] = (0.0, -0.2, 3.2)
    assert hidden(points)[wrist]
    points[wrist, 2] = 2.8
    assert not hidden(points)[wrist]


def test_a_near_camera_guesses_what_is_outside_the_image_and_says_so() -> None:
    clip, near, errors = stroll(40, 0.0), CameraRange(near=1.0, near_aim=(0.4, 0.4)), KeypointErrors(swap_view=0.0)
    points = keypoints_of(clip.qpos, SKELETON)
    inside, outside, scores = [], [], []
    for seed in range(12):
        random = np.random.default_rng(seed)
        camera = place_camera(clip.qpos, points, random, near)
        truth = project(camera, points.reshape(-1, 3)).reshape(-1, len(KEYPOINTS), 2)
        xy, score, _ = detections(points, camera, random, errors)
        away, off = ~in_image(truth), np.linalg.norm(xy - truth, axis=-1)
        outside += off[away].tolist()
        inside += off[~away].tolist()
        scores += score[away].tolist()
    assert len(outside) > 0.1 * len(inside)
    assert np.mean(outside) > 2.0 * np.mean(inside)
    assert max(scores) <= errors.outside_score[1]


def test_a_slow_camera_reaches_every_so_many_control_steps() -> None:
    slow = replace(PERFECT, slow_view=1.0, slow_fps=(10.0, 10.0))
    seen = arrives(301, np.random.default_rng(0), slow)
    assert seen[0]
    assert set(np.diff(np.nonzero(seen[3:])[0])) == {3}
    assert arrives(50, np.random.default_rng(0), PERFECT).all()
    lost = ~arrives(20_000, np.random.default_rng(0), replace(PERFECT, dropped=0.1))
    assert lost.mean() == pytest.approx(0.1, rel=0.1)


def test_gaps_are_as_long_as_stated() -> None:
    errors = replace(PERFECT, gap_view=1.0, gap_start=0.002, gap_frames=6.0)
    seen = arrives(100_000, np.random.default_rng(0), errors)
    gaps = (np.diff(seen.astype(int)) == -1).sum()
    # An exponential length, cut to whole frames, and one.
    assert (~seen).sum() / gaps == pytest.approx(1.0 + 1.0 / np.expm1(1.0 / 6.0), rel=0.1)


def test_a_perfect_view_is_lifted_onto_the_clip() -> None:
    clip = stroll(60, speed=0.0)
    noisy = lift_view(clip, make_lifter("solver", SKELETON), SKELETON, np.random.default_rng(0)).over(clip)
    error = np.linalg.norm(keypoints_of(noisy.qpos, SKELETON) - keypoints_of(clip.qpos, SKELETON), axis=-1)
    assert 0.01 < error.mean() < 0.25
    np.testing.assert_allclose(noisy.qpos[:, :2].mean(0), clip.qpos[:, :2].mean(0), atol=1e-9)


def test_views_are_stored_with_the_library_they_belong_to(tmp_path: Path) -> None:
    clips = [stroll(30), MotionClip("other", 30.0, stroll(25).qpos, "test")]
    views = [
        [lift_view(clip, make_lifter("solver", SKELETON), SKELETON, np.random.default_rng(seed)) for seed in range(2)]
        for clip in clips
    ]
    save_views(tmp_path / "views.npz", clips, views)
    second = load_views(tmp_path / "views.npz", clips[1:])
    np.testing.assert_allclose(second[0][1].qpos, views[1][1].qpos, atol=1e-6)
    with pytest.raises(MotionFileError, match="another library"):
        load_views(tmp_path / "views.npz", [stroll(31)])


def test_a_mistaken_tilt_turns_all_rays_alike() -> None:
    clip = stroll(5)
    off = [watched(clip, 3, Views(0.0, errors=replace(PERFECT, tilt_deg=deg))) for deg in (0.0, 3.0)]
    angles = [np.arccos((a.dir_w * b.dir_w).sum(1).clip(-1, 1)) for a, b in zip(*off, strict=True)]
    assert 0.001 < np.mean(angles) < 0.3
    dots = [[rays.dir_w[0] @ rays.dir_w[5] for rays in views] for views in off]
    np.testing.assert_allclose(*dots, atol=1e-9)
