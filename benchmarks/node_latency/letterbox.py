"""A clip as a camera of another size would show it: shrunk or enlarged as a whole, with borders above and below."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import yaml

from physhmr.geometry.camera import camera_tilt
from physhmr.geometry.camera_file import sidecar_of
from physhmr.geometry.camera_info import resized
from physhmr.types import CameraModel
from physhmr.video import VideoConfig, VideoReader
from physhmr.view.video_writer import VideoWriter


def letterbox(clip: Path, size: tuple[int, int], folder: Path) -> Path:
    """Write `clip` as a video of `size` (width, height) px with its sidecar into `folder`; return the video's path.

    Raises `VideoError` or `CameraError` if the clip or its sidecar cannot be read.
    """
    video, (width, height) = folder / clip.name, size
    with VideoReader(VideoConfig(str(clip))) as frames, VideoWriter(video, frames.fps) as out:
        left, top, scaled_width, scaled_height = _placement(frames.camera, width, height)
        for frame in frames:
            picture = np.zeros((height, width, 3), np.uint8)
            shrunk = cv2.resize(frame.image, (scaled_width, scaled_height), interpolation=cv2.INTER_AREA)
            picture[top : top + scaled_height, left : left + scaled_width] = shrunk
            out.write(picture)
        scaled = resized(frames.camera, scaled_width, scaled_height)
        K = scaled.K + np.array([[0.0, 0.0, left], [0.0, 0.0, top], [0.0, 0.0, 0.0]])
        boxed = replace(scaled, K=K, width=width, height=height)
        sidecar_of(video).write_text(yaml.safe_dump(_sidecar(boxed, frames.person_height)), encoding="utf-8")
    return video


def _placement(camera: CameraModel, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, width and height (px) of the whole picture in the middle of the new one."""
    scale = min(width / camera.width, height / camera.height)
    scaled_width, scaled_height = round(scale * camera.width), round(scale * camera.height)
    return (width - scaled_width) // 2, (height - scaled_height) // 2, scaled_width, scaled_height


def _sidecar(camera: CameraModel, person_height: float | None) -> dict[str, object]:
    described: dict[str, object] = {
        "image_width": camera.width,
        "image_height": camera.height,
        "camera_matrix": {"rows": 3, "cols": 3, "data": camera.K.ravel().tolist()},
        "distortion_model": "rational_polynomial" if camera.distortion.size == 8 else "plumb_bob",
        "distortion_coefficients": {"data": camera.distortion.tolist()},
    }
    if camera.T_wc is not None:
        tilt = camera_tilt(camera.T_wc)
        angles = np.degrees([tilt.pitch, tilt.roll]).tolist()
        described |= {"height_m": tilt.height, "pitch_deg": angles[0], "roll_deg": angles[1]}
    if person_height is not None:
        described["person_height_m"] = person_height
    return described
