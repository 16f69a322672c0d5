"""Puts together what arrives one by one, as on topics: images, rays, poses of the humanoid.

A snapshot is made for each pose, with the newest image and rays that are not newer than the pose.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from typing import TypeVar

from physhmr.errors import CameraError
from physhmr.geometry.camera import project, with_pose
from physhmr.types import Array, CameraModel, Frame, Keypoints2d, RayBundle
from physhmr.view.snapshot import Readings, Snapshot

KEEP = 12
"""Images and rays that wait for their pose; older ones are forgotten."""
Stamped = TypeVar("Stamped", Frame, RayBundle)


class SnapshotJoiner:
    """Collects the parts of snapshots; may be fed from several threads."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._frames: deque[Frame] = deque(maxlen=KEEP)
        self._rays: deque[RayBundle] = deque(maxlen=KEEP)
        self._T_wc: Array | None = None

    def add_frame(self, frame: Frame) -> None:
        """Take an image; a stamp that runs backwards starts anew."""
        with self._lock:
            _append(self._frames, frame)

    def add_rays(self, rays: RayBundle) -> None:
        """Take rays of one image."""
        with self._lock:
            _append(self._rays, rays)

    def place_camera(self, T_wc: Array) -> None:
        """Tell the pose (4, 4) of cameras that do not bring their own."""
        self._T_wc = T_wc

    def snapshot(self, stamp_ns: int, qpos: Array | None, readings: Readings) -> Snapshot:
        """Return what there is for the humanoid's pose qpos (76,) at `stamp_ns`."""
        with self._lock:
            frame, rays = _newest(self._frames, stamp_ns), _newest(self._rays, stamp_ns)
        camera = None if frame is None else self._placed(frame.camera)
        return Snapshot(
            stamp_ns=stamp_ns,
            image=None if frame is None else frame.image,
            camera=camera,
            keypoints=None if camera is None or rays is None else keypoints_of_rays(rays, camera),
            rays=rays,
            qpos=qpos,
            readings=readings,
        )

    def _placed(self, camera: CameraModel) -> CameraModel:
        return with_pose(camera, self._T_wc) if camera.T_wc is None and self._T_wc is not None else camera


def keypoints_of_rays(rays: RayBundle, camera: CameraModel) -> Keypoints2d | None:
    """Return the keypoints that the rays of `camera` came from; the inverse of `pixel_as_ray`.

    None while the camera's pose is unknown, or if a ray cannot be seen by it.
    """
    if camera.T_wc is None:
        return None
    try:
        pixels = project(camera, rays.origin_w + rays.dir_w)
    except CameraError:
        return None
    return Keypoints2d(rays.stamp_ns, pixels, rays.score, rays.landmarks_w @ camera.T_wc[:3, :3])


def _append(kept: deque[Stamped], part: Stamped) -> None:
    """A stamp that runs backwards means a new recording: what was before it is of no use."""
    if kept and part.stamp_ns < kept[-1].stamp_ns:
        kept.clear()
    kept.append(part)


def _newest(kept: Iterable[Stamped], stamp_ns: int) -> Stamped | None:
    """The newest part that is not newer than `stamp_ns`."""
    return max((part for part in kept if part.stamp_ns <= stamp_ns), key=lambda part: part.stamp_ns, default=None)
