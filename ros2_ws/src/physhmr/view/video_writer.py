"""Writes pictures as an mp4 file and makes sure that it can be read again."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import cv2

from physhmr.errors import ShapeError, VideoError
from physhmr.view.snapshot import Image


class VideoWriter:
    """An mp4 file (MPEG-4 part 2, which every OpenCV can write). Use as a context manager, or close it."""

    def __init__(self, path: Path, fps: float) -> None:
        """Write to `path`, whose folder is made; the size is that of the first picture.

        Raises `VideoError` for a name that does not end in .mp4 or a rate that is not positive.
        """
        if path.suffix.lower() != ".mp4":
            raise VideoError(f"overlay videos are mp4 files, got '{path}'; name it {path.stem}.mp4")
        if not 0.0 < fps <= 1000.0:
            raise VideoError(f"a video needs a frame rate above 0 and up to 1000, got {fps:g}")
        self.path, self.fps, self.frames = path, fps, 0
        self._size: tuple[int, int] | None = None
        self._file: cv2.VideoWriter | None = None

    def write(self, picture: Image) -> None:
        """Append an RGB picture (H, W, 3), H and W even; raises `ShapeError` if its size is not the first one's."""
        height, width = picture.shape[:2]
        if self._file is None:
            self._file, self._size = self._open(width, height), (width, height)
        if (width, height) != self._size:
            raise ShapeError("picture", f"{self._size} like the first one (width, height)", (width, height))
        self._file.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        self.frames += 1

    def close(self) -> None:
        """Finish the file; raises `VideoError` unless all its pictures can be found in it again."""
        if self._file is None:
            return
        self._file.release()
        self._file = None
        found = count_frames(self.path)
        if found != self.frames:
            raise VideoError(f"{self.path} holds {found} of {self.frames} pictures; is the disk full?")

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is None:
            self.close()
        elif self._file is not None:
            self._file.release()

    def _open(self, width: int, height: int) -> cv2.VideoWriter:
        if width % 2 or height % 2:
            raise ShapeError("picture", "an even width and height", (width, height))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = cv2.VideoWriter(str(self.path), cv2.VideoWriter.fourcc(*"mp4v"), self.fps, (width, height))
        if not file.isOpened():
            raise VideoError(f"cannot write {self.path}; is the folder writable, and has OpenCV an MPEG-4 encoder?")
        return file


def count_frames(path: Path) -> int:
    """Return how many pictures a video file says it holds, 0 if the first cannot be decoded."""
    capture = cv2.VideoCapture(str(path))
    try:
        return int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.read()[0] else 0
    finally:
        capture.release()
