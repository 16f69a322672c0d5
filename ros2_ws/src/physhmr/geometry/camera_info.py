"""sensor_msgs/CameraInfo's semantics as a pure function of its numbers (no ROS here)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from physhmr.errors import CameraError
from physhmr.types import Array, CameraModel

DISTORTION_MODELS = ("", "plumb_bob", "rational_polynomial")
"""Accepted `distortion_model` names; the empty one stands for "no distortion" and needs an empty or zero D."""


@dataclass(frozen=True)
class CameraCalibration:
    """The fields of a CameraInfo message that shape a camera; names and meaning are the message's."""

    width: int
    """px of the full, unbinned sensor image."""
    height: int
    k: Array
    """(9,) or (3, 3), intrinsics of the raw full-resolution image."""
    d: Array
    """(0 | 4 | 5 | 8,)."""
    distortion_model: str = "plumb_bob"
    r: Array | None = None
    """(9,) or (3, 3) rectification rotation; None or all zero means identity."""
    p: Array | None = None
    """(12,) or (3, 4) projection of the rectified image; only read when the image is rectified."""
    binning_x: int = 0
    """0 and 1 both mean no binning."""
    binning_y: int = 0
    roi_x: int = 0
    """px, in full-resolution coordinates; an all-zero region means the whole image."""
    roi_y: int = 0
    roi_width: int = 0
    roi_height: int = 0


def camera_from_info(info: CameraCalibration, rectified: bool = False, T_wc: Array | None = None) -> CameraModel:
    """Return the camera of the image that `info` accompanies.

    `rectified` images use P and no distortion; R then turns the optical frame, so it goes into T_wc.
    A stereo baseline in P (Tx) is left out: the image's own frame says where its camera stands.
    Raises `CameraError` for unknown models and uncalibrated (all-zero) matrices.
    """
    K = _rectified_intrinsics(info) if rectified else _matrix("K", info.k, (3, 3))
    if rectified and T_wc is not None:
        T_wc = T_wc @ _rectification(info).T
    distortion = np.zeros(0) if rectified else _distortion(info)
    K, width, height = _windowed(info, K)
    return CameraModel(K=K, width=width, height=height, distortion=distortion, T_wc=T_wc)


def resized(camera: CameraModel, width: int, height: int) -> CameraModel:
    """Return the camera of the same picture scaled to `width` x `height` px; `CameraError` if that distorts it."""
    sx, sy = width / camera.width, height / camera.height
    if abs(sx / sy - 1.0) > 0.01:
        raise CameraError(
            f"a {width}x{height} image is no scaled {camera.width}x{camera.height} one: "
            "calibrate this resolution, or describe the crop in CameraInfo.roi"
        )
    # Pixel centres are integers, so the picture's corner is at -0.5 before and after.
    K = np.array([[sx, 0.0, 0.5 * sx - 0.5], [0.0, sy, 0.5 * sy - 0.5], [0.0, 0.0, 1.0]]) @ camera.K
    return replace(camera, K=K, width=width, height=height)


def _rectified_intrinsics(info: CameraCalibration) -> Array:
    if info.p is None:
        raise CameraError("a rectified image needs CameraInfo.p; it is missing")
    return _matrix("P", info.p, (3, 4))[:, :3]


def _rectification(info: CameraCalibration) -> Array:
    turn = np.eye(4)
    if info.r is not None and np.any(info.r):
        turn[:3, :3] = _matrix("R", info.r, (3, 3))
    return turn


def _distortion(info: CameraCalibration) -> Array:
    coefficients = np.asarray(info.d, float).reshape(-1)
    if info.distortion_model not in DISTORTION_MODELS:
        raise CameraError(
            f"distortion model '{info.distortion_model}' is not supported (valid: plumb_bob, rational_polynomial); "
            "rectify the image first and subscribe to the rectified topic"
        )
    if not info.distortion_model and coefficients.any():
        raise CameraError("CameraInfo.d holds coefficients but distortion_model is empty: name the model")
    # rational_polynomial may carry thin-prism terms behind the eight; zeros there say nothing.
    return coefficients[:8] if coefficients.size > 8 and not coefficients[8:].any() else coefficients


def _windowed(info: CameraCalibration, K: Array) -> tuple[Array, int, int]:
    """Shift to the region of interest, then divide by the binning: the message's order."""
    bx, by = max(info.binning_x, 1), max(info.binning_y, 1)
    whole = not (info.roi_width and info.roi_height)
    width, height = (info.width, info.height) if whole else (info.roi_width, info.roi_height)
    if not whole and (info.roi_x + width > info.width or info.roi_y + height > info.height):
        raise CameraError(
            f"CameraInfo.roi {width}x{height}+{info.roi_x}+{info.roi_y} reaches beyond the "
            f"{info.width}x{info.height} image"
        )
    window = np.array([[1 / bx, 0.0, -info.roi_x / bx], [0.0, 1 / by, -info.roi_y / by], [0.0, 0.0, 1.0]])
    return window @ K, width // bx, height // by


def _matrix(name: str, values: Array, shape: tuple[int, int]) -> Array:
    matrix = np.asarray(values, float).reshape(-1)
    if matrix.size != shape[0] * shape[1]:
        raise CameraError(f"CameraInfo.{name.lower()} needs {shape[0] * shape[1]} numbers, got {matrix.size}")
    if not matrix.any():
        raise CameraError(
            f"CameraInfo.{name.lower()} is all zero: the camera is uncalibrated; calibrate it or give a field of view"
        )
    return matrix.reshape(shape)
