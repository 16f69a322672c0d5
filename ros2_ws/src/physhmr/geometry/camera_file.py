"""The sidecar of a video: `walk.mp4` -> `walk.camera.yaml`, which says what camera took it.

The file is the YAML of ROS's camera_calibration (image_width, image_height, camera_matrix,
distortion_model, distortion_coefficients), or just `fov_deg` along the longer side. If known, it also
holds the pose as `height_m`, `pitch_deg`, `roll_deg`, and the body height as `person_height_m`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from physhmr.errors import CameraError, UnknownNameError
from physhmr.geometry.camera import camera_from_fov, camera_pose
from physhmr.geometry.camera_info import CameraCalibration, camera_from_info, resized
from physhmr.types import CameraModel

SIDECAR_SUFFIX = ".camera.yaml"

_CALIBRATION_KEYS = (
    "image_width", "image_height", "camera_name", "camera_matrix", "distortion_model", "distortion_coefficients",
    "rectification_matrix", "projection_matrix",
)  # fmt: skip
_OWN_KEYS = ("fov_deg", "height_m", "pitch_deg", "roll_deg", "person_height_m")


@dataclass(frozen=True)
class CameraFile:
    """What a sidecar says."""

    camera: CameraModel
    """Its `T_wc` is None unless the file gives `height_m`."""
    person_height: float | None = None
    """m."""


def sidecar_of(video: Path) -> Path:
    """Return the path where the sidecar of `video` would lie."""
    return video.with_name(video.stem + SIDECAR_SUFFIX)


def read_camera_file(path: Path, width: int, height: int) -> CameraFile:
    """Read a sidecar for images of `width` x `height` px; a calibration of another scale is scaled.

    Raises `CameraError` if it cannot be read or does not fit, `UnknownNameError` for an unknown key.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise CameraError(f"cannot read the camera file {path}: {error}") from error
    if not isinstance(content, dict):
        raise CameraError(f"{path} must hold a mapping with camera_matrix or fov_deg")
    valid = (*_CALIBRATION_KEYS, *_OWN_KEYS)
    for key in content:
        if key not in valid:
            raise UnknownNameError(f"key in {path.name}", str(key), valid)
    try:
        camera = replace(_lens(content, width, height), T_wc=_pose(content))
        person_height = float(content["person_height_m"]) if "person_height_m" in content else None
    except (KeyError, TypeError, ValueError) as error:
        raise CameraError(f"{path} is incomplete or holds something else than numbers: {error!r}") from error
    return CameraFile(camera, person_height)


def _lens(content: Mapping[str, Any], width: int, height: int) -> CameraModel:
    if ("fov_deg" in content) == ("camera_matrix" in content):
        raise CameraError("a camera file needs exactly one of camera_matrix and fov_deg")
    if "fov_deg" in content:
        return camera_from_fov(width, height, np.deg2rad(float(content["fov_deg"])))
    calibration = CameraCalibration(
        width=int(content["image_width"]),
        height=int(content["image_height"]),
        k=np.array(content["camera_matrix"]["data"], float),
        d=np.array(content.get("distortion_coefficients", {"data": []})["data"], float),
        distortion_model=str(content.get("distortion_model", "plumb_bob")),
    )
    return resized(camera_from_info(calibration), width, height)


def _pose(content: Mapping[str, Any]) -> np.ndarray | None:
    if "height_m" not in content:
        return None
    pitch, roll = np.deg2rad([float(content.get(key, 0.0)) for key in ("pitch_deg", "roll_deg")])
    return camera_pose(float(content["height_m"]), pitch, roll)
