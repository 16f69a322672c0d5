"""Pose2Sim's files: the cameras of a Qualisys calibration, and joints of a TRC table as truth.

The world of both is the calibration's frame turned z up: TRC is y up and holds its (y, z, x). Qualisys
writes the camera's axes as x right, y up, z backwards; ours are optical.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from physhmr.errors import CameraError, MotionFileError
from physhmr.types import Array, CameraModel

SUBPIXELS = 64.0
"""Qualisys' unit of image lengths is 1/64 px."""
_OPTICAL = np.diag([1.0, -1.0, -1.0])
_Y_UP_TO_WORLD = [2, 0, 1]
_TRC_HEADER_LINES = 5


@dataclass(frozen=True)
class JointTrack:
    """True joint positions over time."""

    fps: float
    names: tuple[str, ...]
    pos_w: Array
    """(T, J, 3) m, z up; NaN in frames whose truth nobody knows."""
    stamps_ns: Array
    """(T,) ns from the first frame on."""

    def select(self, names: Sequence[str]) -> Array:
        """Return the joints `names` (`L_Hip` finds `LHip` too), (T, N, 3) m; raises `MotionFileError` for others."""
        index = {name.replace("_", ""): column for column, name in enumerate(self.names)}
        missing = [name for name in names if name.replace("_", "") not in index]
        if missing:
            raise MotionFileError(f"the truth has no joint {', '.join(missing)}; it has {', '.join(self.names)}")
        return self.pos_w[:, [index[name.replace("_", "")] for name in names]]


def load_qca_cameras(path: Path) -> dict[str, CameraModel]:
    """Return the cameras of a `.qca.txt` file by serial name, with their poses.

    Raises `CameraError` if the file is missing, damaged, or lacks a number.
    """
    try:
        elements = ET.parse(path).getroot().findall("cameras/camera")
        cameras = {element.attrib["serial"]: _camera(element) for element in elements}
    except (OSError, ET.ParseError, KeyError, ValueError, AttributeError) as error:
        raise CameraError(f"{path} is not a Qualisys calibration: {error!r}") from error
    if not cameras:
        raise CameraError(f"{path} lists no camera")
    return cameras


def load_trc(path: Path) -> JointTrack:
    """Return the joints of a TRC table; raises `MotionFileError` for another layout, unit, or missing numbers."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        facts = dict(zip(lines[1].split(), lines[2].split(), strict=True))
        names = tuple(lines[3].split()[2:])
        rows = np.array([line.split("\t") for line in lines[_TRC_HEADER_LINES:] if line.strip()], dtype=object)
        table = np.array([[float(value) for value in row[: 2 + 3 * len(names)]] for row in rows])
        fps, scale = float(facts["DataRate"]), {"m": 1.0, "mm": 1e-3}[facts["Units"]]
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise MotionFileError(f"{path} is not a TRC table in m or mm: {error!r}") from error
    if table.ndim != 2 or table.shape[1] != 2 + 3 * len(names) or not np.isfinite(table).all():
        raise MotionFileError(f"{path} must hold frame, time and 3 finite numbers for each of {len(names)} joints")
    joints = scale * table[:, 2:].reshape(len(table), len(names), 3)[..., _Y_UP_TO_WORLD]
    return JointTrack(fps, names, joints, np.round(1e9 * (table[:, 1] - table[0, 1])))


def _camera(element: ET.Element) -> CameraModel:
    lens = element.find("intrinsic").attrib  # type: ignore[union-attr]
    window = {side: int(value) for side, value in element.find("fov_video").attrib.items()}  # type: ignore[union-attr]
    fx, fy, cx, cy = (
        float(lens[name]) / SUBPIXELS for name in ("focalLengthU", "focalLengthV", "centerPointU", "centerPointV")
    )
    names = ("radialDistortion1", "radialDistortion2", "tangentalDistortion1", "tangentalDistortion2")
    return CameraModel(
        K=np.array([[fx, 0.0, cx - window["left"]], [0.0, fy, cy - window["top"]], [0.0, 0.0, 1.0]]),
        width=window["right"] - window["left"] + 1,
        height=window["bottom"] - window["top"] + 1,
        distortion=np.array([float(lens[name]) for name in names]),
        T_wc=_pose(element.find("transform").attrib),  # type: ignore[union-attr]
    )


def _pose(transform: dict[str, str]) -> Array:
    """T_wc (4, 4): the rows of r11..r33 are the camera's axes in the world, x y z its place in mm."""
    axes = np.array([[float(transform[f"r{row}{column}"]) for column in (1, 2, 3)] for row in (1, 2, 3)])
    T_wc = np.eye(4)
    T_wc[:3, :3] = axes.T @ _OPTICAL
    T_wc[:3, 3] = [1e-3 * float(transform[axis]) for axis in "xyz"]
    return T_wc
