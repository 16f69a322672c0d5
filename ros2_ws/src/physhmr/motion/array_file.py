"""Arrays out of npz and npy files of others, by name: nothing is unpickled, nothing non-finite comes through."""

from __future__ import annotations

import io
import tokenize
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from physhmr.errors import MotionFileError
from physhmr.motion.clip import UNREADABLE
from physhmr.types import Array

RATES_HZ = (1.0, 2000.0)
"""Plausible frame rates of captures."""
DAMAGED = (*UNREADABLE, zlib.error, NotImplementedError, MemoryError, SyntaxError, tokenize.TokenError)
"""What reading a hostile file of arrays can raise: its header is parsed, and may announce more than there is memory."""


def read_arrays(name: str, content: bytes, keys: Sequence[str]) -> dict[str, Any]:
    """The arrays `keys` of an npz file, as far as it has them; an npy file holds just the first of `keys`.

    Raises `MotionFileError` that calls the file `name` when it is no such file, or when one of them is an object.
    """
    try:
        opened = np.load(io.BytesIO(content), allow_pickle=False)
        if isinstance(opened, np.ndarray):
            return {keys[0]: opened}
        with opened:
            return {key: opened[key] for key in keys if key in opened}
    except DAMAGED as error:
        raise MotionFileError(f"{name} is not a file of plain arrays (npz, npy): {error}") from error


def numbers(name: str, key: str, value: object, shape: tuple[int | None, ...]) -> Array:
    """`value` as finite floats of `shape`, None standing for any length; raises `MotionFileError` naming `key`."""
    found = np.asarray(value)
    fits = found.ndim == len(shape) and all(want in (None, got) for want, got in zip(shape, found.shape, strict=True))
    if not fits or found.dtype.kind not in "biuf":
        wanted = ", ".join("any" if length is None else str(length) for length in shape)
        raise MotionFileError(f"{name}: '{key}' must hold numbers of shape ({wanted}), got {found.dtype} {found.shape}")
    if not np.isfinite(found).all():
        raise MotionFileError(f"{name}: '{key}' holds numbers that are not finite")
    return found.astype(float)


def frame_rate(name: str, key: str, value: object) -> float:
    """`value`, an array of one number, in Hz; raises `MotionFileError` naming `key` outside of `RATES_HZ`."""
    low, high = RATES_HZ
    fps = float(numbers(name, key, np.ravel(np.asarray(value)), (1,))[0])
    if not low <= fps <= high:
        raise MotionFileError(f"{name}: '{key}' must lie in [{low:g}, {high:g}] Hz, got {fps:g}")
    return fps
