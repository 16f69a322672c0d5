"""One instant of the chain, as the viewers take it: every part may be missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from physhmr.errors import ShapeError
from physhmr.types import NQ, Array, CameraModel, Estimate, Frame, Keypoints2d, RayBundle, Status
from physhmr.view import palette

Image = NDArray[np.uint8]
"""(H, W, 3) RGB."""


@dataclass(frozen=True)
class Readings:
    """The numbers and words beside the picture."""

    status: Status = Status.SEARCHING
    reason: str = ""
    stage_ms: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds of each stage, in the order of the chain."""
    fps: float = 0.0
    """Frames per second that come out; 0 while unknown."""
    latency_ms: float = 0.0
    """From the image's stamp to the joint state; 0 while unknown."""


@dataclass(frozen=True)
class Snapshot:
    """What there is to see at one stamp."""

    stamp_ns: int
    image: Image | None = None
    camera: CameraModel | None = None
    """Of `image`; with T_wc the humanoid can be drawn into it."""
    keypoints: Keypoints2d | None = None
    rays: RayBundle | None = None
    qpos: Array | None = None
    """(76,) the simulated humanoid, as in `HumanoidState`."""
    reference_qpos: Array | None = None
    """(76,) the pose that the policy is asked for."""
    readings: Readings = Readings()

    def __post_init__(self) -> None:
        for name in ("qpos", "reference_qpos"):
            value = getattr(self, name)
            if value is not None and np.shape(value) != (NQ,):
                raise ShapeError(name, (NQ,), np.shape(value))
        if self.image is not None and (self.image.ndim != 3 or self.image.shape[2] != 3):
            raise ShapeError("image", "(H, W, 3)", self.image.shape)


def take_snapshot(
    frame: Frame,
    camera: CameraModel | None,
    keypoints: Keypoints2d | None,
    rays: RayBundle | None,
    estimate: Estimate | None,
    perception_ms: Mapping[str, float] | None = None,
    fps: float = 0.0,
    latency_ms: float = 0.0,
) -> Snapshot:
    """Return what `pipeline` says about one frame as a snapshot.

    `camera` is the frame's with the pose that perception found, None before it found one.
    """
    camera = camera or frame.camera
    if estimate is None:
        readings = Readings(stage_ms=dict(perception_ms or {}), fps=fps, latency_ms=latency_ms)
        return Snapshot(frame.stamp_ns, frame.image, camera, keypoints, rays, readings=readings)
    stage_ms = {**(perception_ms or {}), **estimate.stage_ms}
    readings = Readings(estimate.status, estimate.reason, stage_ms, fps, latency_ms)
    qpos, wanted = estimate.state.qpos, estimate.reference.qpos
    return Snapshot(frame.stamp_ns, frame.image, camera, keypoints, rays, qpos, wanted, readings)


def fit_image(snapshot: Snapshot, width: int, height: int) -> Snapshot:
    """Return the snapshot with its image, camera and keypoints scaled to fit into `width` x `height` px.

    The aspect is kept; both sides are even.
    """
    if snapshot.image is None:
        return snapshot
    rows, columns = snapshot.image.shape[:2]
    scale = min(width / columns, height / rows)
    width, height = (max(2 * round(0.5 * scale * side), 2) for side in (columns, rows))
    # Averaging areas looks a little better and takes ten times longer.
    image = cv2.resize(snapshot.image, (width, height), interpolation=cv2.INTER_LINEAR)
    camera = snapshot.camera and _scaled_camera(snapshot.camera, width, height)
    ratio = np.array([width / columns, height / rows])
    keypoints = snapshot.keypoints and replace(snapshot.keypoints, xy=(snapshot.keypoints.xy + 0.5) * ratio - 0.5)
    return replace(snapshot, image=image.astype(np.uint8, copy=False), camera=camera, keypoints=keypoints)


def letterbox(image: Image, width: int, height: int) -> Image:
    """Return `image` in the middle of dark margins, at least `width` x `height` px."""
    framed_shape = (max(height, image.shape[0]), max(width, image.shape[1]), 3)
    if framed_shape == image.shape:
        return image
    framed = np.full(framed_shape, palette.PANEL, np.uint8)
    top, left = (framed_shape[0] - image.shape[0]) // 2, (framed_shape[1] - image.shape[1]) // 2
    framed[top : top + image.shape[0], left : left + image.shape[1]] = image
    return framed


def _scaled_camera(camera: CameraModel, width: int, height: int) -> CameraModel:
    """Of the picture scaled to `width` x `height` px; sides rounded to even numbers may bend it a little."""
    sx, sy = width / camera.width, height / camera.height
    # Pixel centres are integers, so the picture's corner is at -0.5 before and after.
    K = np.array([[sx, 0.0, 0.5 * sx - 0.5], [0.0, sy, 0.5 * sy - 0.5], [0.0, 0.0, 1.0]]) @ camera.K
    return replace(camera, K=K, width=width, height=height)
