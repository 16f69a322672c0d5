"""A folder of images, in the order of their names, read like a video."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2

from physhmr.errors import VideoError
from physhmr.geometry.camera import camera_from_fov
from physhmr.types import Frame
from physhmr.video import DEFAULT_FOV

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


class ImageFolder:
    """Frames of a folder, with what a `VideoReader` tells of a file; every `stride`th image is read."""

    person_height: float | None = None

    def __init__(self, folder: Path, fps: float, max_fps: float) -> None:
        """Raise `VideoError` for a folder without images or a rate that is not positive."""
        if not fps > 0:
            raise VideoError(f"a folder of images needs its rate, got {fps:g} Hz for {folder}")
        self.fps, self._images = fps, image_files(folder)
        self._stride = max(round(fps / max_fps), 1)
        self.announced_frames = len(self._images)
        width, height = image_size(self._images[0])
        self.camera = camera_from_fov(width, height, DEFAULT_FOV)

    def __iter__(self) -> Iterator[Frame]:
        """Read to the end; raises `VideoError` for an image that cannot be read or has another size."""
        for index in range(0, len(self._images), self._stride):
            pixels = cv2.imread(str(self._images[index]))
            if pixels is None or pixels.shape[:2] != (self.camera.height, self.camera.width):
                raise VideoError(f"{self._images[index]} is no {self.camera.width}x{self.camera.height} image")
            yield Frame(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), round(index * 1e9 / self.fps), self.camera)

    def __enter__(self) -> ImageFolder:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""


def image_files(folder: Path) -> list[Path]:
    """The images of `folder` in the order of their names; raises `VideoError` when there are none."""
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise VideoError(f"{folder} holds no images ({', '.join(SUFFIXES)})")
    return found


def image_size(path: Path) -> tuple[int, int]:
    """Width and height, px; raises `VideoError` for what is no image."""
    pixels = cv2.imread(str(path))
    if pixels is None:
        raise VideoError(f"{path} is no image that OpenCV can decode")
    return pixels.shape[1], pixels.shape[0]
