"""Numpy arrays out of pickles, plain or joblib's: data sets come as such. What a pickle asks for is never run.

A pickle may name any function and have it called. Here each name stands for a class of this module that just
keeps what it was given; a handful of names that plain arrays need exist, all others are refused. Not even numpy
sees the file's content before shape and type have been checked.
"""

from __future__ import annotations

import io
import math
import pickle
import re
import struct
from typing import Any, ClassVar

import numpy as np

from physhmr.errors import MotionFileError

_FAULTS = (
    pickle.UnpicklingError, ValueError, KeyError, TypeError, EOFError, AttributeError, IndexError, OverflowError,
    RecursionError, MemoryError, struct.error,
)  # fmt: skip
# The C unpickler cannot be told what to do at an opcode, and reserves memory as a pickle says; this one is slower.
_PythonUnpickler: Any = pickle._Unpickler
_CODE = re.compile(r"[biufcSUO]\d*")
"""Numbers, strings, and objects, which stay lists of what this module could read."""


def load_array_pickle(name: str, content: bytes) -> Any:
    """Dicts, lists, strings, numbers and arrays as they were pickled (by Python 2, too, whose strings are latin-1).

    Raises `MotionFileError` that calls the file `name` for anything else, whatever it would have executed.
    """
    try:
        return _plain(_Unpickler(content).load(), {})
    except _FAULTS as error:
        raise MotionFileError(f"{name} is not a pickle of plain arrays: {error}") from error


class _StandIn:
    """Instances and classes alike refuse the state that a pickle would set on them."""

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError(f"it sets the state of a {type(self).__name__}")


class _Dtype(_StandIn):
    """numpy.dtype."""

    def __init__(self, code: str, *_: object) -> None:
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            raise pickle.UnpicklingError(f"it holds an array of {code!r}, which is neither numbers nor strings")
        self.code, self.order = code, "="

    def __setstate__(self, state: object) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        if order not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError(f"it holds a byte order {order!r}")
        self.order = order

    def numpy(self) -> np.dtype:
        return np.dtype(self.order + self.code)


class _Array(_StandIn):
    """numpy.ndarray, empty until its state comes."""

    def __init__(self) -> None:
        self.state: tuple[Any, ...] = (1, (0,), _Dtype("f8"), False, b"")

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], _Dtype):
            raise pickle.UnpicklingError("it holds an array without shape, type and content")
        if not isinstance(state[1], tuple) or not all(isinstance(n, int) and n >= 0 for n in state[1]):
            raise pickle.UnpicklingError(f"it holds an array of shape {state[1]!r}")
        self.state = state

    def numpy(self) -> np.ndarray | list[Any]:
        _, shape, dtype, fortran, raw = self.state
        if dtype.code.startswith("O"):
            return list(raw)
        return _from_bytes(raw, dtype).reshape(shape, order="F" if fortran else "C")


class _JoblibArray(_Array):
    """joblib.numpy_pickle.NumpyArrayWrapper: the array's bytes follow inside the stream."""

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError("it holds an array without a header")
        self.header = state

    def read(self, stream: io.BytesIO) -> None:
        """Take the bytes, which may be aligned by padding."""
        shape, dtype, order = (self.header[key] for key in ("shape", "dtype", "order"))
        if not isinstance(dtype, _Dtype) or dtype.code.startswith("O"):
            raise pickle.UnpicklingError("it holds an array of objects")
        if self.header.get("numpy_array_alignment_bytes") is not None:
            stream.read(stream.read(1)[0])
        raw = stream.read(math.prod(shape) * dtype.numpy().itemsize)
        super().__setstate__((1, shape, dtype, order == "F", raw))


class _Reconstruct(_StandIn):
    """numpy.core.multiarray._reconstruct: an array whose state follows."""

    def __new__(cls, *_: object) -> Any:
        return _Array()


class _FromBuffer(_StandIn):
    """numpy.core.numeric._frombuffer, of pickle protocol 5."""

    def __new__(cls, raw: Any, dtype: Any, shape: Any, order: Any) -> Any:
        array = _Array()
        array.__setstate__((1, shape, dtype, order == "F", raw))
        return array


class _Scalar(_StandIn):
    """numpy.core.multiarray.scalar."""

    def __new__(cls, dtype: Any, raw: Any = b"") -> Any:
        if not isinstance(dtype, _Dtype) or dtype.code.startswith("O"):
            raise pickle.UnpicklingError("it holds a number of no type")
        return _from_bytes(raw, dtype)[0]


class _Encode(_StandIn):
    """_codecs.encode, by which protocol 2 writes bytes."""

    def __new__(cls, text: Any, encoding: Any = "") -> Any:
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise pickle.UnpicklingError("it encodes something else than bytes")
        return text.encode("latin1")


class _Bytes(_StandIn):
    """bytes, called without arguments: the way of protocol 2 to write none."""

    def __new__(cls) -> Any:
        return b""


_KNOWN: dict[str, type] = {
    "numpy.dtype": _Dtype,
    "numpy.ndarray": _Array,
    "numpy.core.multiarray._reconstruct": _Reconstruct,
    "numpy.core.multiarray.scalar": _Scalar,
    "numpy.core.numeric._frombuffer": _FromBuffer,
    "_codecs.encode": _Encode,
    "builtins.bytes": _Bytes,
    "joblib.numpy_pickle.NumpyArrayWrapper": _JoblibArray,
}


_RENAMED = {
    "numpy._core.multiarray": "numpy.core.multiarray",
    "numpy._core.numeric": "numpy.core.numeric",
    "__builtin__": "builtins",
}
"""Of numpy 2 and of Python 2."""


class _Unpickler(_PythonUnpickler):
    dispatch: ClassVar[dict[int, Any]] = dict(_PythonUnpickler.dispatch)

    def __init__(self, content: bytes) -> None:
        self._stream, self._size = io.BytesIO(content), len(content)
        super().__init__(self._stream, encoding="latin1")

    def find_class(self, module: str, name: str) -> type:
        """The stand-in of a name."""
        asked = f"{_RENAMED.get(module, module)}.{name}"
        if asked not in _KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which plain arrays do not need")
        return _KNOWN[asked]

    def _load_build(self) -> None:
        self.load_build()
        if isinstance(self.stack[-1], _JoblibArray):
            self.stack[-1].read(self._stream)

    def _load_bytearray(self) -> None:
        """Protocol 5 writes arrays so; the original reserves what the file announces before it reads."""
        (size,) = struct.unpack("<Q", self.read(8))
        if size > self._size:
            raise pickle.UnpicklingError(f"it announces {size} bytes")
        self.append(self.read(size))

    dispatch[pickle.BUILD[0]] = _load_build
    dispatch[pickle.BYTEARRAY8[0]] = _load_bytearray


def _from_bytes(raw: Any, dtype: _Dtype) -> np.ndarray:
    return np.frombuffer(raw.encode("latin1") if isinstance(raw, str) else raw, dtype.numpy())


def _plain(value: Any, done: dict[int, Any]) -> Any:
    """The value with arrays in place of their stand-ins; `done` keeps what is shared, or holds itself, finite."""
    if id(value) in done:
        return done[id(value)]
    if isinstance(value, _Array):
        whole = value.numpy()
        done[id(value)] = _plain(whole, done) if isinstance(whole, list) else whole
    elif isinstance(value, dict):
        fields = done[id(value)] = {}
        fields.update({_plain(key, done): _plain(item, done) for key, item in value.items()})
    elif isinstance(value, (list, tuple)):
        items = done[id(value)] = []
        items.extend(_plain(item, done) for item in value)
    elif isinstance(value, (_StandIn, type)):
        raise pickle.UnpicklingError(f"it holds a bare {type(value).__name__}")
    else:
        return value
    return done[id(value)]
