"""ASAP's retargeting files (LeCAR-Lab/ASAP): joblib pickles of numpy arrays; only the SMPL joints are of use here.

A pickle may run any code, so these files are read by an unpickler that can build nothing but dicts, strings,
numbers and numeric arrays. For the training library only; the product reads no pickles.
"""

from __future__ import annotations

import io
import pickle
from typing import Any, ClassVar

import numpy as np

from physhmr.body.humanoid_mjcf import CONTROL_HZ
from physhmr.body.skeleton import Skeleton
from physhmr.errors import MotionFileError
from physhmr.motion.from_points import stream_from_points
from physhmr.motion.source import PoseStream

# The C unpickler cannot be told what to do at an opcode; this one, slower, can.
_PythonUnpickler: Any = pickle._Unpickler
SOURCE = "LeCAR-Lab/ASAP, SMPL joints estimated from video; MIT licence"


def load_asap(name: str, content: bytes, skeleton: Skeleton) -> PoseStream:
    """Read one clip; raises `MotionFileError` for other content, whatever it would have executed."""
    try:
        (clip,) = _ArrayUnpickler(io.BytesIO(content)).load().values()
        joints, fps = clip["smpl_joints"], clip["fps"]
    except (pickle.UnpicklingError, ValueError, KeyError, TypeError, EOFError, AttributeError, IndexError) as error:
        raise MotionFileError(f"{name} is not an ASAP clip: {error}") from error
    if fps != CONTROL_HZ or not np.isfinite(joints).all():
        raise MotionFileError(f"{name} must hold finite joints at {CONTROL_HZ} Hz, got {fps} Hz")
    return stream_from_points(name, joints.astype(float), skeleton, SOURCE)


class _ArrayHeader:
    """Stands in for joblib's NumpyArrayWrapper: what precedes an array's raw bytes."""

    shape: tuple[int, ...]
    dtype: np.dtype
    order: str
    numpy_array_alignment_bytes: int | None = None


class _ArrayUnpickler(_PythonUnpickler):
    """Knows four names and refuses all others; joblib's array bytes follow their header inside the stream."""

    dispatch: ClassVar[dict[int, Any]] = dict(_PythonUnpickler.dispatch)

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self._stream = stream

    def find_class(self, module: str, name: str) -> object:
        """The classes that a file of arrays needs."""
        known = {
            "joblib.numpy_pickle.NumpyArrayWrapper": _ArrayHeader,
            "numpy.ndarray": np.ndarray,
            "numpy.dtype": np.dtype,
        }
        if f"{module}.{name}" not in known:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not a plain array")
        return known[f"{module}.{name}"]

    def _load_build(self) -> None:
        super().load_build()
        header = self.stack[-1]
        if not isinstance(header, _ArrayHeader):
            return
        if header.dtype.hasobject:
            raise pickle.UnpicklingError("it holds an array of objects")
        if header.numpy_array_alignment_bytes is not None:
            self._stream.read(self._stream.read(1)[0])
        size = int(np.prod(header.shape)) * header.dtype.itemsize
        values = np.frombuffer(self._stream.read(size), header.dtype)
        self.stack[-1] = values.reshape(header.shape, order="F" if header.order == "F" else "C")

    dispatch[pickle.BUILD[0]] = _load_build
