"""One instant of the chain, as the viewers take it: every part may be missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from physhmr.errors import ShapeError
from physhmr.geometry.camera_info import resized
from physhmr.types import NQ, Array, CameraModel, Estimate, Frame, Keypoints2d, RayBundle, Status

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
    keypoints: Keypoints2d | None,
    rays: RayBundle | None,
    estimate: Estimate | None,
    perception_ms: Mapping[str, float] | None = None,
    fps: float = 0.0,
    latency_ms: float = 0.0,
) -> Snapshot:
    """Return what `pipeline` says about one frame as a snapshot."""
    if estimate is None:
        readings = Readings(stage_ms=dict(perception_ms or {}), fps=fps, latency_ms=latency_ms)
        return Snapshot(frame.stamp_ns, frame.image, frame.camera, keypoints, rays, readings=readings)
    stage_ms = {**(perception_ms or {}), **estimate.stage_ms}
    readings = Readings(estimate.status, estimate.reason, stage_ms, fps, latency_ms)
    qpos, wanted = estimate.state.qpos, estimate.reference.qpos
    return Snapshot(frame.stamp_ns, frame.image, frame.camera, keypoints, rays, qpos, wanted, readings)


def shrink_image(snapshot: Snapshot, height: int) -> Snapshot:
    """Return the snapshot with its image, camera and keypoints scaled to `height` px; aspect kept, width even."""
    if snapshot.image is None or snapshot.image.shape[0] == height:
        return snapshot
    rows, columns = snapshot.image.shape[:2]
    width = max(2 * round(0.5 * columns * height / rows), 2)
    # Averaging areas looks a little better and takes ten times longer.
    image = cv2.resize(snapshot.image, (width, height), interpolation=cv2.INTER_LINEAR)
    camera = snapshot.camera and resized(snapshot.camera, width, height)
    scale = np.array([width / columns, height / rows])
    keypoints = snapshot.keypoints and replace(snapshot.keypoints, xy=(snapshot.keypoints.xy + 0.5) * scale - 0.5)
    return replace(snapshot, image=image.astype(np.uint8, copy=False), camera=camera, keypoints=keypoints)
