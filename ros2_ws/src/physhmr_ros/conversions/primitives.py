"""Stamps and number arrays: integer nanoseconds and ndarrays on our side, Time and float64[] in messages."""

from __future__ import annotations

from array import array

import numpy as np
from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from physhmr.types import Array

NANOSECONDS = 1_000_000_000


def to_ns(stamp: Time) -> int:
    """Return the stamp in nanoseconds."""
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def to_time(stamp_ns: int) -> Time:
    """Return nanoseconds as a message; negative times become the (valid) time before the epoch."""
    seconds, nanoseconds = divmod(stamp_ns, NANOSECONDS)
    return Time(sec=seconds, nanosec=nanoseconds)


def header(stamp_ns: int, frame_id: str) -> Header:
    """Return a header."""
    return Header(stamp=to_time(stamp_ns), frame_id=frame_id)


def doubles(values: Array) -> array[float]:
    """Return an array of any shape as float64[] in row-major order; a list would be checked element by element."""
    return array("d", np.ascontiguousarray(values, np.float64).tobytes())
