"""A camera that watches a motion clip: what the detector would have said, errors included.

The error model is what BlazePose (full) does on the four calibrated cameras of Pose2Sim's demo, measured by
`physhmr evaluate` against the true joints: errors that stay for a view, errors that drift (AR(1)), larger ones
on hidden joints, landmarks that are vague in depth, and spells in which left and right are exchanged.
Keypoints leave through the same `Keypoints2d` and `pixel_as_ray` as in the live chain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from physhmr.body.kinematics import forward_kinematics
from physhmr.body.points import place_points
from physhmr.body.skeleton import Skeleton, mirror_name
from physhmr.geometry.camera import camera_from_fov, camera_pose, project_c, with_pose
from physhmr.geometry.rays import pixel_as_ray
from physhmr.geometry.rotation import yaw_of
from physhmr.lifting.lift_task import keypoint_points
from physhmr.types import KEYPOINTS, NUM_KEYPOINTS, Array, CameraModel, Keypoints2d, MotionClip, RayBundle

IMAGE = (640, 480)
"""px."""
_MIRRORED = [KEYPOINTS.index(mirror_name(name)) for name in KEYPOINTS]
_HIPS = [KEYPOINTS.index("L_Hip"), KEYPOINTS.index("R_Hip")]
_REACH = np.array([2.0 if name.endswith(("Wrist", "Hand")) else 1.0 for name in KEYPOINTS])
"""Depth errors of landmarks grow towards the hands."""


@dataclass(frozen=True)
class CameraRange:
    """Where cameras stand, relative to the person; drawn evenly."""

    height: tuple[float, float] = (0.5, 2.2)
    """m above the floor."""
    distance: tuple[float, float] = (2.2, 5.0)
    """m from the middle of the path."""
    fov_deg: tuple[float, float] = (50.0, 80.0)
    """Along the longer image side."""
    roll_deg: float = 2.0
    """Standard deviation."""
    facing_deg: float = 60.0
    """Standard deviation of the angle between the person's mean heading and the direction to the camera."""


@dataclass(frozen=True)
class KeypointErrors:
    """Standard deviations; image errors are given in metres at the person."""

    view: float = 0.025
    """m, keypoints, for the whole clip."""
    drift: float = 0.022
    """m, keypoints, from frame to frame."""
    correlation: float = 0.87
    """Of the drift, from one frame to the next at 30 Hz."""
    hidden: float = 2.0
    """Factor on keypoints behind the trunk."""
    landmark_view: tuple[float, float] = (0.03, 0.07)
    """m, landmarks, across the line of sight and along it."""
    landmark_drift: tuple[float, float] = (0.035, 0.07)
    landmark_correlation: float = 0.91
    swap_view: float = 0.1
    """Share of views in which the detector takes the back for the front at times."""
    swap_start: float = 0.02
    """Probability per frame of such a spell in such a view."""
    swap_frames: float = 12.0
    """Mean length of a spell."""


def watch(
    clip: MotionClip,
    skeleton: Skeleton,
    random: np.random.Generator,
    errors: KeypointErrors | None = None,
    cameras: CameraRange | None = None,
) -> Iterator[RayBundle]:
    """The rays of every frame of `clip` (world: the clip's), seen by one random camera."""
    errors, points_w = errors or KeypointErrors(), keypoints_of(clip.qpos, skeleton)
    camera = place_camera(clip.qpos, points_w, random, cameras or CameraRange())
    for index, keypoints in enumerate(_detections(points_w, camera, random, errors)):
        stamp_ns = round(1e9 * index / clip.fps)
        yield pixel_as_ray(Keypoints2d(stamp_ns, *keypoints), camera)


def keypoints_of(qpos: Array, skeleton: Skeleton) -> Array:
    """(..., 21, 3) m, the keypoints of poses (..., 76) in the world."""
    return place_points(keypoint_points(skeleton), *forward_kinematics(qpos, skeleton))


def place_camera(qpos: Array, points_w: Array, random: np.random.Generator, cameras: CameraRange) -> CameraModel:
    """A camera that looks at the middle of the path, far enough to keep all of it in the image."""
    middle = points_w.reshape(-1, 3).mean(0)
    forward = np.exp(1j * yaw_of(qpos[:, 3:7])).mean()
    azimuth = np.angle(forward) + np.radians(cameras.facing_deg) * random.normal()
    height, fov = random.uniform(*cameras.height), np.radians(random.uniform(*cameras.fov_deg))
    roll, distance = np.radians(cameras.roll_deg) * random.normal(), random.uniform(*cameras.distance)
    for _ in range(12):
        pitch = np.arctan2(height - middle[2], distance)
        heading = azimuth + np.pi
        T_wc = camera_pose(height, pitch, roll)
        turn = np.array(
            [[np.cos(heading), -np.sin(heading), 0], [np.sin(heading), np.cos(heading), 0], [0, 0, 1.0]]
        )  # fmt: skip
        T_wc[:3, :3] = turn @ T_wc[:3, :3]
        T_wc[:2, 3] = middle[:2] + distance * np.array([np.cos(azimuth), np.sin(azimuth)])
        camera = with_pose(camera_from_fov(*IMAGE, fov), T_wc)
        points_c = (points_w - T_wc[:3, 3]) @ T_wc[:3, :3]
        if points_c[..., 2].min() > 0.8:
            pixels = project_c(camera, points_c.reshape(-1, 3))
            if ((pixels >= 0) & (pixels < np.array(IMAGE))).mean() > 0.99:
                break
        distance *= 1.2
    return camera


def _detections(
    points_w: Array, camera: CameraModel, random: np.random.Generator, errors: KeypointErrors
) -> Iterator[tuple[Array, Array, Array]]:
    """Pixels (21, 2), scores (21,), landmarks (21, 3) of every frame."""
    T_wc = camera.T_wc
    assert T_wc is not None
    points_c = (points_w - T_wc[:3, 3]) @ T_wc[:3, :3]
    spread = np.stack(2 * [np.full(NUM_KEYPOINTS, errors.drift)], 1)
    across, along = (
        np.stack([np.full(NUM_KEYPOINTS, side), np.full(NUM_KEYPOINTS, side), depth * _REACH], 1)
        for side, depth in (errors.landmark_view, errors.landmark_drift)
    )
    view = errors.view * random.normal(size=(NUM_KEYPOINTS, 2))
    landmark_view = across * random.normal(size=(NUM_KEYPOINTS, 3))
    drift, landmark_drift = spread * random.normal(size=spread.shape), along * random.normal(size=along.shape)
    prone, swapped = random.random() < errors.swap_view, False
    for seen in points_c:
        drift = _advance(drift, spread, errors.correlation, random)
        landmark_drift = _advance(landmark_drift, along, errors.landmark_correlation, random)
        swapped = random.random() > 1.0 / errors.swap_frames if swapped else random.random() < errors.swap_start
        behind = hidden(seen)
        focal_at_person = camera.K[0, 0] / seen[:, 2].mean()
        offset = (view + drift * np.where(behind, errors.hidden, 1.0)[:, None]) * focal_at_person
        xy = project_c(camera, seen) + offset
        landmarks = seen - seen[_HIPS].mean(0) + landmark_view + landmark_drift
        landmarks -= landmarks[_HIPS].mean(0)
        score = np.where(behind, 0.6, 0.97)
        if prone and swapped:
            xy, landmarks, score = xy[_MIRRORED], landmarks[_MIRRORED], score[_MIRRORED]
        yield xy, score, landmarks


def hidden(points_c: Array) -> Array:
    """(21,) True for keypoints close behind the trunk in a camera's frame."""
    trunk = points_c[[KEYPOINTS.index(f"{side}_{part}") for side in "LR" for part in ("Shoulder", "Hip")]]
    low, high = trunk[:, :2].min(0), trunk[:, :2].max(0)
    inside = ((points_c[:, :2] > low - 0.02) & (points_c[:, :2] < high + 0.02)).all(1)
    return inside & (points_c[:, 2] > trunk[:, 2].mean() + 0.08)


def _advance(state: Array, spread: Array, correlation: float, random: np.random.Generator) -> Array:
    """One step of an AR(1) process that keeps its standard deviation `spread`."""
    return correlation * state + np.sqrt(1.0 - correlation**2) * spread * random.normal(size=state.shape)
