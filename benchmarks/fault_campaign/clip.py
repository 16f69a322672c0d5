"""The pictures of the campaign: a clip as a camera sees it, and the same with somebody who crosses the person's way."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from node_latency.letterbox import letterbox
from numpy.typing import NDArray

from physhmr.types import CameraModel
from physhmr.video import VideoConfig, VideoReader

Picture = NDArray[np.uint8]
EMPTY_EVERY = 8
"""Pictures of which the median is the empty scene."""
DIFFERENT = 28
"""Grey levels from which on a pixel is not the empty scene's."""


@dataclass(frozen=True)
class Clip:
    """Pictures of one size from one camera, 30 Hz."""

    pictures: Sequence[Picture]
    """(H, W, 3) RGB."""
    camera: CameraModel
    """With its pose."""

    @property
    def round(self) -> int:
        """Pictures until it begins again."""
        return 2 * (len(self.pictures) - 1)

    def at(self, index: int) -> int:
        """Return which picture is shown as the `index`-th: to the end and back, so that nobody jumps."""
        last = len(self.pictures) - 1
        return last - abs(index % self.round - last)


def read_clip(video: Path, size: tuple[int, int]) -> Clip:
    """Return a video and its sidecar, letterboxed to `size` (width, height) px.

    Raises `VideoError` or `CameraError` if they cannot be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        boxed = letterbox(video, size, Path(folder))
        with VideoReader(VideoConfig(str(boxed))) as frames:
            return Clip([frame.image for frame in frames], frames.camera)


def with_a_crossing(clip: Clip) -> Clip:
    """Return the clip with its mirrored person, cut out where they differ from the empty scene, in front."""
    empty = np.median(clip.pictures[::EMPTY_EVERY], axis=0).astype(np.uint8)
    return Clip([_in_front(picture, picture[:, ::-1], empty[:, ::-1]) for picture in clip.pictures], clip.camera)


def _in_front(picture: Picture, other: Picture, empty: Picture) -> Picture:
    other = np.ascontiguousarray(other)
    moved = (cv2.absdiff(other, np.ascontiguousarray(empty)).max(-1) > DIFFERENT).astype(np.uint8)
    person = cv2.dilate(cv2.morphologyEx(moved, cv2.MORPH_OPEN, np.ones((3, 3))), np.ones((5, 5))) > 0
    return np.where(person[..., None], other, picture)
