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

    def __init__(self, node: Node, tree: FrameTree, patience: float = 0.0) -> None:
        """Subscribe on `node`; `tree` knows how the IMU sits on the camera.

        An image waits up to `patience` s for a reading newer than itself: all that concern it have come then.
        """
        self._tree = tree
        self._gravity = Gravity()
        self._frame_id = ""
        self._patience, self._hoping = patience, True
        """No longer hoping: there was no reading at all when the first image had waited for one."""
        self._heard = threading.Condition()
        self._node = node
        self._subscription = node.create_subscription(Imu, "imu", self._on_reading, qos.READINGS)

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)

    def up(self, frame_id: str, stamp_ns: int) -> Array | None:
        """Return the unit vector (3,) that points up in the axes of `frame_id` at about `stamp_ns`.

        None while there is no reading of about that time, or TF does not connect the IMU's frame to that one.
        """
        with self._heard:
            if self._may_come(stamp_ns):
                self._heard.wait_for(lambda: self._gravity.stamp_ns > stamp_ns, self._patience)
                self._hoping = self._gravity.up is not None
            read, imu = self._gravity.at(stamp_ns), self._frame_id
        if read is None or abs(stamp_ns - read[0]) > SILENT_AFTER * NANOSECONDS:
            return None
        T = self._tree.lookup(frame_id, imu, stamp_ns)
        return None if T is None else T[:3, :3] @ read[1]

    def _may_come(self, stamp_ns: int) -> bool:
        """Whether a reading about an image may be on its way."""
        if self._gravity.up is None:
            return self._hoping
        return stamp_ns - self._gravity.stamp_ns <= SILENT_AFTER * NANOSECONDS

    def _on_reading(self, message: Imu) -> None:
        force, rate = message.linear_acceleration, message.angular_velocity
        with self._heard:
            self._frame_id = message.header.frame_id
            self._gravity.read(
                to_ns(message.header.stamp),
                np.array([force.x, force.y, force.z]),
                np.array([rate.x, rate.y, rate.z]),
            )
            self._heard.notify_all()
