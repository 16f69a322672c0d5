"""A camera that watches a motion clip: what the detector would have said, errors included.

The error model is what BlazePose (full) does on the four calibrated cameras of Pose2Sim's demo, measured by
`physhmr evaluate` against the true joints: errors that stay for a view, errors that drift (AR(1)), larger ones
on hidden joints, landmarks that are vague in depth, and spells in which left and right are exchanged.
Keypoints leave through the same `Keypoints2d` and `pixel_as_ray` as in the live chain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from physhmr.body.humanoid_mjcf import CONTROL_HZ
from physhmr.body.keypoints import keypoints_of
from physhmr.body.skeleton import Skeleton
from physhmr.geometry.camera import camera_from_fov, camera_pose, project_c, require_pose, with_pose
from physhmr.geometry.facing import FacingGuard, double_of
from physhmr.geometry.rays import pixel_as_ray
from physhmr.geometry.rotation import quat_to_matrix, rotvec_to_quat, yaw_of, yaw_quat
from physhmr.types import (
    KEYPOINTS,
    NUM_KEYPOINTS,
    Array,
    CameraModel,
    Keypoints2d,
    MotionClip,
    RayBundle,
)

IMAGE = (640, 480)
"""px."""
_HIPS = [KEYPOINTS.index("L_Hip"), KEYPOINTS.index("R_Hip")]
_TRUNK = [KEYPOINTS.index(f"{side}_{part}") for side in "LR" for part in ("Shoulder", "Hip")]
_NEAREST = 0.8
"""m, no part of the person comes nearer to the camera."""
_ATTEMPTS = 12
_REACH = np.array([2.0 if name.endswith(("Wrist", "Hand")) else 1.0 for name in KEYPOINTS])
"""Depth errors of landmarks grow towards the hands."""


@dataclass(frozen=True)
class CameraRange:
    """Where cameras stand, relative to the person; drawn evenly."""

    height: tuple[float, float] = (0.4, 2.4)
    """m above the floor."""
    distance: tuple[float, float] = (1.8, 8.5)
    """m from the middle of the path."""
    fov_deg: tuple[float, float] = (35.0, 85.0)
    """Along the longer image side."""
    roll_deg: float = 6.0
    """Standard deviation."""
    near: float = 0.15
    """Share of cameras so near that a part of the person is outside the image."""
    near_distance: tuple[float, float] = (0.9, 2.0)
    """m, of those."""
    near_aim: tuple[float, float] = (-0.2, 0.5)
    """m above the person's middle, where they look: webcams look at faces."""
    facing_deg: float = 80.0
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
    landmark_view: tuple[float, float] = (0.035, 0.07)
    """m, landmarks, across the line of sight and along it."""
    landmark_drift: tuple[float, float] = (0.035, 0.055)
    landmark_correlation: float = 0.91
    turn_view_deg: float = 6.0
    """Landmarks as a whole, about each axis of the camera, for the whole clip."""
    turn_drift_deg: float = 5.0
    landmark_size: tuple[float, float] = (0.95, 0.04)
    """Mean and standard deviation of the landmarks' scale."""
    hidden_score: tuple[float, float] = (0.1, 0.9)
    """Of hidden keypoints, drawn evenly for each view."""
    unsure: float = 0.05
    """Share of the visible keypoints of a view that score like hidden ones."""
    outside: float = 3.0
    """Factor on keypoints and landmarks outside the image: they are guessed."""
    outside_score: tuple[float, float] = (0.0, 0.3)
    swap_view: float = 0.2
    """Share of views in which the detector takes the back for the front at times: left and right are exchanged, and
    landmarks lie as far in front of the hips as they should lie behind."""
    swap_start: float = 0.02
    """Probability per frame of such a spell in such a view."""
    swap_frames: float = 12.0
    """Mean length of a spell."""
    slow_view: float = 0.3
    """Share of cameras that are slower than the control steps."""
    slow_fps: tuple[float, float] = (5.0, 28.0)
    """Their rates, drawn evenly."""
    dropped: float = 0.02
    """Share of the images that never arrive."""
    gap_view: float = 0.1
    """Share of views in which the person is not found at times."""
    gap_start: float = 0.01
    """Probability per frame of such a gap in such a view."""
    gap_frames: float = 6.0
    """Mean length of a gap."""
    tilt_deg: float = 0.0
    """Pitch and roll of the camera's pose, for the whole clip: TF and checkerboards are exact, calibration on a
    standing person is not."""


@dataclass(frozen=True)
class Views:
    """How clips are looked at."""

    size_error: float = 0.02
    """Standard deviation of the person's height over the assumed one."""

    cameras: CameraRange = field(default_factory=CameraRange)
    errors: KeypointErrors = field(default_factory=KeypointErrors)


def watch(
    clip: MotionClip, skeleton: Skeleton, random: np.random.Generator, views: Views | None = None
) -> Iterator[RayBundle | None]:
    """The rays of every frame of `clip` (world: the clip's) from one random camera; None where nothing arrives."""
    return (one for (one,) in watch_together(clip, skeleton, random, 1, views))


def watch_together(
    clip: MotionClip, skeleton: Skeleton, random: np.random.Generator, count: int, views: Views | None = None
) -> Iterator[tuple[RayBundle | None, ...]]:
    """`watch` by `count` random cameras at once: the same person, errors of their own."""
    views = views or Views()
    ground_w = clip.qpos[:, None, :3] * [1.0, 1.0, 0.0]
    size = 1.0 + views.size_error * random.normal()
    points_w = ground_w + size * (keypoints_of(clip.qpos, skeleton) - ground_w)
    cameras = [_rays_of(clip, points_w, random, views) for _ in range(count)]
    return zip(*cameras, strict=True)


def _rays_of(
    clip: MotionClip, points_w: Array, random: np.random.Generator, views: Views
) -> Iterator[RayBundle | None]:
    rows, believed, seen = look(clip.qpos, points_w, random, views)
    guard = FacingGuard()

    def rays(index: int, row: tuple[Array, Array, Array]) -> RayBundle | None:
        keypoints = Keypoints2d(round(1e9 * index / clip.fps), *row)
        return pixel_as_ray(guard.step(keypoints), believed) if seen[index] else None

    return (rays(index, row) for index, row in enumerate(zip(*rows, strict=True)))


def look(
    qpos: Array, points_w: Array, random: np.random.Generator, views: Views
) -> tuple[tuple[Array, Array, Array], CameraModel, NDArray[np.bool_]]:
    """One random camera on poses (T, 76) with keypoints (T, 21, 3) m.

    Returns the rows of `detections`, the camera where it is believed to stand, and (T,) which images arrive.
    """
    camera = place_camera(qpos, points_w, random, views.cameras)
    rows = detections(points_w, camera, random, views.errors)
    believed = mistaken(camera, random, views.errors)
    return rows, believed, arrives(len(points_w), random, views.errors)


def place_camera(qpos: Array, points_w: Array, random: np.random.Generator, cameras: CameraRange) -> CameraModel:
    """A camera that looks at the middle of the path, far enough to keep all of it in the image, or a near one."""
    middle = points_w.reshape(-1, 3).mean(0)
    forward = np.exp(1j * yaw_of(qpos[:, 3:7])).mean()
    azimuth = np.angle(forward) + np.radians(cameras.facing_deg) * random.normal()
    height, fov = random.uniform(*cameras.height), np.radians(random.uniform(*cameras.fov_deg))
    near = random.random() < cameras.near
    distance = random.uniform(*(cameras.near_distance if near else cameras.distance))
    if near:
        middle[2] += random.uniform(*cameras.near_aim)
    roll = np.radians(cameras.roll_deg) * random.normal()
    for _ in range(_ATTEMPTS):
        T_wc = camera_pose(height, np.arctan2(height - middle[2], distance), roll)
        T_wc[:3, :3] = quat_to_matrix(yaw_quat(azimuth + np.pi)) @ T_wc[:3, :3]
        T_wc[:2, 3] = middle[:2] + distance * np.array([np.cos(azimuth), np.sin(azimuth)])
        camera = with_pose(camera_from_fov(*IMAGE, fov), T_wc)
        points_c = (points_w - T_wc[:3, 3]) @ T_wc[:3, :3]
        if points_c[..., 2].min() > _NEAREST:
            pixels = project_c(camera, points_c.reshape(-1, 3))
            if near or in_image(pixels).mean() > 0.99:
                break
        distance *= 1.2
    return camera


def in_image(pixels: Array) -> NDArray[np.bool_]:
    """(...,) where pixels (..., 2) lie in the image."""
    return np.logical_and.reduce((pixels >= 0) & (pixels < np.array(IMAGE)), -1)


def mistaken(camera: CameraModel, random: np.random.Generator, errors: KeypointErrors) -> CameraModel:
    """The camera where it is believed to stand."""
    if not errors.tilt_deg:
        return camera
    T_wc = require_pose(camera).copy()
    tilt = np.radians(errors.tilt_deg) * random.normal(size=2)
    T_wc[:3, :3] = T_wc[:3, :3] @ quat_to_matrix(rotvec_to_quat(np.array([tilt[0], 0.0, tilt[1]])))
    return with_pose(camera, T_wc)


def detections(
    points_w: Array, camera: CameraModel, random: np.random.Generator, errors: KeypointErrors
) -> tuple[Array, Array, Array]:
    """What a detector says of points (T, 21, 3): pixels (T, 21, 2), scores (T, 21), landmarks (T, 21, 3)."""
    T_wc = require_pose(camera)
    points_c = (points_w - T_wc[:3, 3]) @ T_wc[:3, :3]
    behind = hidden(points_c)
    drift = errors.drift * _wander((len(points_c), NUM_KEYPOINTS, 2), errors.correlation, random)
    offset = (
        errors.view * random.normal(size=(NUM_KEYPOINTS, 2)) + drift * np.where(behind, errors.hidden, 1.0)[..., None]
    )
    focal_at_person = camera.K[0, 0] / points_c[..., 2].mean(-1)
    xy = project_c(camera, points_c.reshape(-1, 3)).reshape(-1, NUM_KEYPOINTS, 2)
    outside = ~in_image(xy)
    guessed = np.where(outside, errors.outside, 1.0)[..., None]
    xy = xy + guessed * offset * focal_at_person[:, None, None]

    stays, wanders = (
        np.stack([np.full(NUM_KEYPOINTS, across), np.full(NUM_KEYPOINTS, across), along * _REACH], 1)
        for across, along in (errors.landmark_view, errors.landmark_drift)
    )
    landmarks = points_c - points_c[:, _HIPS].mean(1, keepdims=True)
    landmarks = _turned(landmarks, random, errors) * random.normal(*errors.landmark_size)
    wandering = wanders * _wander(points_c.shape, errors.landmark_correlation, random)
    landmarks += guessed * (stays * random.normal(size=stays.shape) + wandering)
    landmarks -= landmarks[:, _HIPS].mean(1, keepdims=True)
    unsure = behind | (random.random(NUM_KEYPOINTS) < errors.unsure)
    score = 1.0 - np.abs(0.05 * _wander(behind.shape, errors.correlation, random))
    score = np.where(unsure, random.uniform(*errors.hidden_score, NUM_KEYPOINTS), score.clip(0.0, 1.0))
    score = np.where(outside, random.uniform(*errors.outside_score, NUM_KEYPOINTS), score)

    swapped = np.zeros(len(points_c), bool)
    if random.random() < errors.swap_view:
        swapped = _spells(len(points_c), errors.swap_start, errors.swap_frames, random)
    rows = (xy, score, landmarks)
    for value, double in zip(rows, double_of(*rows), strict=True):
        value[swapped] = double[swapped]
    return rows


def arrives(frames: int, random: np.random.Generator, errors: KeypointErrors) -> NDArray[np.bool_]:
    """(T,) True for control steps that a new image with the person in it reaches; the first always does."""
    seen = random.random(frames) >= errors.dropped
    if random.random() < errors.slow_view:
        images = np.floor(np.arange(-1, frames) * random.uniform(*errors.slow_fps) / CONTROL_HZ + random.random())
        seen &= np.diff(images) > 0
    if random.random() < errors.gap_view:
        seen &= ~_spells(frames, errors.gap_start, errors.gap_frames, random)
    seen[0] = True
    return seen


def hidden(points_c: Array) -> NDArray[np.bool_]:
    """(..., 21) True for keypoints (..., 21, 3) close behind the trunk in a camera's frame."""
    trunk = points_c[..., _TRUNK, :]
    low, high = (edge(trunk[..., :2], axis=-2, keepdims=True) for edge in (np.min, np.max))
    inside = ((points_c[..., :2] > low - 0.02) & (points_c[..., :2] < high + 0.02)).all(-1)
    return inside & (points_c[..., 2] > trunk[..., 2].mean(-1, keepdims=True) + 0.08)


def _turned(landmarks: Array, random: np.random.Generator, errors: KeypointErrors) -> Array:
    """Landmarks (T, 21, 3) turned as a whole: what leans towards the camera is hard to see."""
    drift = errors.turn_drift_deg * _wander((len(landmarks), 3), errors.landmark_correlation, random)
    turn = np.radians(errors.turn_view_deg * random.normal(size=3) + drift)
    return landmarks @ quat_to_matrix(rotvec_to_quat(turn)).swapaxes(-1, -2)


def _wander(shape: tuple[int, ...], correlation: float, random: np.random.Generator) -> Array:
    """AR(1) processes along the first axis, of unit standard deviation."""
    start = random.normal(size=(1, *shape[1:]))
    drive = np.sqrt(1.0 - correlation**2) * random.normal(size=shape)
    return lfilter([1.0], [1.0, -correlation], drive, axis=0, zi=correlation * start)[0]


def _spells(frames: int, start: float, length: float, random: np.random.Generator) -> NDArray[np.bool_]:
    """(T,) True in spells of mean `length` that begin with probability `start` per frame."""
    inside = np.zeros(frames, bool)
    for first in np.nonzero(random.random(frames) < start)[0]:
        inside[first : first + 1 + int(random.exponential(length))] = True
    return inside
