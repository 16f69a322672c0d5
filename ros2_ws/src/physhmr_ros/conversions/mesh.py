"""A mesh that moves as a Marker of triangles, which RViz, Foxglove and others draw."""

from __future__ import annotations

import struct

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Pose, Vector3
from numpy.typing import NDArray
from rclpy.serialization import serialize_message
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker

from physhmr_ros.conversions.primitives import header, to_time

COLOR = ColorRGBA(r=0.55, g=0.63, b=0.75, a=1.0)
"""That of the URDF."""
LIFETIME = 1
"""s after which a mesh that is not told any more vanishes."""
_HOLE = 12345.678
"""Where coordinates go in the serialized message."""


class MeshMarker:
    """One Marker, serialized once and rewritten in place: 60000 corners as objects would take 120 ms, not 1."""

    def __init__(self, faces: NDArray[np.int64], frame: str) -> None:
        """Make room for triangles (F, 3) of vertex numbers, in the TF frame `frame`."""
        self.frame = frame
        self._corners = faces.ravel()
        holes = [Point(x=_HOLE, y=_HOLE, z=_HOLE)] * self._corners.size
        message = Marker(
            header=header(0, frame),
            ns="mesh",
            type=Marker.TRIANGLE_LIST,
            action=Marker.ADD,
            pose=Pose(),
            scale=Vector3(x=1.0, y=1.0, z=1.0),
            color=COLOR,
            lifetime=Duration(sec=LIFETIME),
            points=holes,
        )
        self._bytes = bytearray(serialize_message(message))
        pattern = np.full(3 * self._corners.size, _HOLE).tobytes()
        # A sequence of points is nothing but their doubles, one after the other.
        place = self._bytes.index(pattern)
        self._points = np.frombuffer(self._bytes, np.float64, 3 * self._corners.size, place).reshape(-1, 3)

    def fill(self, stamp_ns: int, vertices: NDArray[np.float32]) -> bytes:
        """Return the serialized Marker of vertices (V, 3) m."""
        stamp = to_time(stamp_ns)
        # After the four bytes that say how it is serialized comes what is first in the header.
        struct.pack_into("=iI", self._bytes, 4, stamp.sec, stamp.nanosec)
        self._points[:] = vertices[self._corners]
        return bytes(self._bytes)
