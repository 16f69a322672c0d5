"""Sequences of SMPL joint positions: an npz with `joints` (T, 22 or 24, 3) m and `fps`, or an npy with joints alone.

What pose estimators and HumanML3D (`new_joints`, y up, 20 fps) write. Rotations follow from the bones' directions.
"""

from __future__ import annotations

import numpy as np

from physhmr.body.skeleton import Skeleton
from physhmr.errors import MotionFileError
from physhmr.geometry.rotation import Y_UP_TO_Z_UP
from physhmr.motion.array_file import frame_rate, numbers, read_arrays
from physhmr.motion.from_points import SMPL_FOOT_SLOPES, stream_from_points
from physhmr.motion.onto_humanoid import resampled
from physhmr.motion.source import PoseStream
from physhmr.types import NUM_BODIES, Array

SOURCE = "SMPL joint positions"
HANDS = [20, 21]
"""SMPL's wrists, which stand for the hands that 22 joints lack."""
MAX_EXTENT = 5.0
"""m from a body's root to any of its joints; more means other units, such as mm."""


def load_smpl_joints(name: str, content: bytes, skeleton: Skeleton, fps: float = 0.0, up: str = "z") -> PoseStream:
    """What a sequence asks of our bodies; `fps` is for files that do not say it, `up` the world's axis, y or z.

    Raises `MotionFileError` for other content.
    """
    found = read_arrays(name, content, ("joints", "fps"))
    if "joints" not in found:
        raise MotionFileError(f"{name} lacks 'joints', (T, 22 or 24, 3) m")
    if "fps" not in found and not fps:
        raise MotionFileError(f"{name} does not say its rate: give 'fps' in the file or in the group's options")
    rate = frame_rate(name, "fps", found.get("fps", fps))
    if up not in ("y", "z"):
        raise MotionFileError(f"{name}: up must be y or z, got '{up}'")
    points = _points(name, found["joints"])
    points = resampled(points @ Y_UP_TO_Z_UP.T if up == "y" else points, rate)
    return stream_from_points(name, points, skeleton, SOURCE, SMPL_FOOT_SLOPES)


def _points(name: str, joints: object) -> Array:
    """(T, 24, 3) m."""
    points = numbers(name, "joints", joints, (None, None, 3))
    if points.shape[1] not in (NUM_BODIES - len(HANDS), NUM_BODIES) or len(points) < 2:
        raise MotionFileError(f"{name}: 'joints' must be two frames or more of 22 or 24 joints, got {points.shape}")
    if np.abs(points - points[:, :1]).max() > MAX_EXTENT:
        raise MotionFileError(f"{name}: joints lie more than {MAX_EXTENT:g} m from their root; are they in metres?")
    return np.concatenate([points, points[:, HANDS]], 1)[:, :NUM_BODIES]
