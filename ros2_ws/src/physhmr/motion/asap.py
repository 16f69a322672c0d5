"""ASAP's retargeting files (LeCAR-Lab/ASAP): joblib pickles of numpy arrays; only the SMPL joints are of use here."""

from __future__ import annotations

from physhmr.body.humanoid_mjcf import CONTROL_HZ
from physhmr.body.skeleton import Skeleton
from physhmr.errors import MotionFileError
from physhmr.motion.array_file import numbers
from physhmr.motion.array_pickle import load_array_pickle
from physhmr.motion.from_points import SMPL_FOOT_SLOPES, stream_from_points
from physhmr.motion.source import PoseStream
from physhmr.types import NUM_BODIES

SOURCE = "LeCAR-Lab/ASAP, SMPL joints estimated from video; MIT licence"


def load_asap(name: str, content: bytes, skeleton: Skeleton) -> PoseStream:
    """Read one clip; raises `MotionFileError` for other content, whatever it would have executed."""
    try:
        (clip,) = load_array_pickle(name, content).values()
        joints, fps = clip["smpl_joints"], clip["fps"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MotionFileError(f"{name} is not an ASAP clip: {error}") from error
    if fps != CONTROL_HZ:
        raise MotionFileError(f"{name} must hold joints at {CONTROL_HZ} Hz, got {fps} Hz")
    points = numbers(name, "smpl_joints", joints, (None, NUM_BODIES, 3))
    return stream_from_points(name, points, skeleton, SOURCE, SMPL_FOOT_SLOPES)
