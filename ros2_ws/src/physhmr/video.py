"""Frames from a video file or a webcam through OpenCV, each with its camera and stamp."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from physhmr.errors import VideoError
from physhmr.geometry.camera import camera_from_fov
from physhmr.geometry.camera_file import CameraFile, read_camera_file, sidecar_of
from physhmr.types import CameraModel, Frame

DEFAULT_FOV = np.deg2rad(60.0)
"""Assumed field of view of the longer side when nothing says better: a common webcam or phone."""


@dataclass(frozen=True)
class VideoConfig:
    """What to open."""

    source: str
    """A file's path, or a webcam's number."""
    fov: float | None = None
    """rad; overrides the sidecar's intrinsics and pose. None: the sidecar's, else `DEFAULT_FOV`."""
    width: int = 0
    """px asked of a webcam; 0 leaves it its own size. Ignored for files."""
    height: int = 0
    fps: float = 30.0
    """Asked of a webcam, and assumed for a file that does not say."""
    max_fps: float = 0.0
    """Hz; frames of a faster file are skipped without decoding them. 0: read all."""
    max_side: int = 0
    """px; larger images are shrunk to this longer side. 0: never."""


class VideoReader:
    """A file or webcam as an iterator of frames. Use as a context manager, or close it."""

    def __init__(self, config: VideoConfig, clock: Callable[[], int] = time.time_ns) -> None:
        """Open the source; `clock` (ns) stamps a webcam's frames.

        Raises `VideoError` if it cannot be opened, `CameraError` for a bad sidecar.
        """
        self._clock, self._max_side = clock, config.max_side
        self.live = config.source.isdecimal()
        self._capture = _open_webcam(config) if self.live else _open_file(Path(config.source))
        first = self._grab()
        if first is None:
            self.close()
            raise VideoError(f"'{config.source}' opened but gave no frame; is it a video, or in use elsewhere?")
        # A webcam's first image will be old by the time it is asked for.
        self._pending: np.ndarray | None = None if self.live else first
        self.fps = self._capture.get(cv2.CAP_PROP_FPS) or config.fps
        self.announced_frames = 0 if self.live else int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.read_frames = 0
        self._stride = 1 if self.live or config.max_fps <= 0 else max(round(self.fps / config.max_fps), 1)
        height, width = first.shape[:2]
        described = _describe(config, self.live, width, height)
        self.camera: CameraModel = described.camera
        self.person_height: float | None = described.person_height

    @property
    def missing_frames(self) -> int:
        """Announced frames that have neither come nor been skipped; more than a few at the end: a truncated file."""
        return max(self.announced_frames - self.read_frames, 0)

    def read(self) -> Frame | None:
        """Return the next frame, or None at the end; a file's stamps begin at 0, a webcam's are the clock's.

        Raises `VideoError` when the image changes its size.
        """
        pixels = self._next()
        if pixels is None:
            return None
        if pixels.shape[:2] != (self.camera.height, self.camera.width):
            raise VideoError(
                f"frame {self.read_frames - 1} is {pixels.shape[1]}x{pixels.shape[0]}, "
                f"the ones before were {self.camera.width}x{self.camera.height}"
            )
        stamp_ns = self._clock() if self.live else round((self.read_frames - 1) * 1e9 / self.fps)
        return Frame(image=cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), stamp_ns=stamp_ns, camera=self.camera)

    def __iter__(self) -> Iterator[Frame]:
        """Read to the end."""
        while (frame := self.read()) is not None:
            yield frame

    def close(self) -> None:
        """Release the file or device."""
        self._capture.release()

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _next(self) -> np.ndarray | None:
        """The next frame that is not skipped; the one read while opening comes first."""
        pixels, self._pending = self._pending, None
        if pixels is None:
            for _ in range(self._stride - 1):
                self.read_frames += self._capture.grab()
            pixels = self._grab()
        self.read_frames += pixels is not None
        return pixels

    def _grab(self) -> np.ndarray | None:
        ok, pixels = self._capture.read()
        return _shrunk(pixels, self._max_side) if ok else None


def _shrunk(pixels: np.ndarray, max_side: int) -> np.ndarray:
    height, width = pixels.shape[:2]
    if not 0 < max_side < max(width, height):
        return pixels
    scale = max_side / max(width, height)
    return cv2.resize(pixels, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)


def _open_file(path: Path) -> cv2.VideoCapture:
    if not path.is_file():
        raise VideoError(f"no video at '{path}'; give a file, or a webcam's number such as 0")
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise VideoError(f"'{path}' is no video that OpenCV can decode; convert it to H.264 in mp4")
    return capture


def _open_webcam(config: VideoConfig) -> cv2.VideoCapture:
    capture = cv2.VideoCapture(int(config.source))
    if not capture.isOpened():
        raise VideoError(f"webcam {config.source} cannot be opened; is it connected, and is /dev/video* readable?")
    # Uncompressed webcams cannot carry 30 fps; one buffered frame keeps the newest one new.
    wishes = {
        cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*"MJPG"),
        cv2.CAP_PROP_FRAME_WIDTH: config.width,
        cv2.CAP_PROP_FRAME_HEIGHT: config.height,
        cv2.CAP_PROP_FPS: config.fps,
        cv2.CAP_PROP_BUFFERSIZE: 1,
    }
    for key, value in wishes.items():
        if value:
            capture.set(key, value)
    return capture


def _describe(config: VideoConfig, live: bool, width: int, height: int) -> CameraFile:
    sidecar = None if live else sidecar_of(Path(config.source))
    described = read_camera_file(sidecar, width, height) if sidecar and sidecar.is_file() else None
    if described is not None and config.fov is None:
        return described
    camera = camera_from_fov(width, height, DEFAULT_FOV if config.fov is None else config.fov)
    return CameraFile(camera) if described is None else replace(described, camera=camera)
