"""What a node knows about gravity: the IMU on `imu`, turned into a camera's axes by TF."""

from __future__ import annotations

import threading

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Imu

from physhmr.geometry.gravity import Gravity
from physhmr.types import Array
from physhmr_ros import qos
from physhmr_ros.conversions.primitives import NANOSECONDS, to_ns
from physhmr_ros.frames import FrameTree

SILENT_AFTER = 0.5
"""s between an image and the newest reading, after which the camera may be turned otherwise."""


class GravityWatch:
    """Listens to `imu`; orientations in it are not used, because many drivers fill them with anything."""

    def __init__(self, node: Node, tree: FrameTree) -> None:
        """Subscribe on `node`; `tree` knows how the IMU sits on the camera."""
        self._tree = tree
        self._gravity = Gravity()
        self._frame_id = ""
        self._lock = threading.Lock()
        self._node = node
        self._subscription = node.create_subscription(Imu, "imu", self._on_reading, qos.IMAGES)

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)

    def up(self, frame_id: str, stamp_ns: int) -> Array | None:
        """Return the unit vector (3,) that points up in the axes of `frame_id` at about `stamp_ns`.

        None while there is no reading of about that time, or TF does not connect the IMU's frame to that one.
        """
        with self._lock:
            up, read_ns, imu = self._gravity.up, self._gravity.stamp_ns, self._frame_id
        if up is None or abs(stamp_ns - read_ns) > SILENT_AFTER * NANOSECONDS:
            return None
        T = self._tree.lookup(frame_id, imu, stamp_ns)
        return None if T is None else T[:3, :3] @ up

    def _on_reading(self, message: Imu) -> None:
        force, rate = message.linear_acceleration, message.angular_velocity
        with self._lock:
            self._frame_id = message.header.frame_id
            self._gravity.read(
                to_ns(message.header.stamp),
                np.array([force.x, force.y, force.z]),
                np.array([rate.x, rate.y, rate.z]),
            )
