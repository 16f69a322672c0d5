"""What a node knows about the camera: newest CameraInfo, TF, and the parameters that stand in for them."""

from __future__ import annotations

import math
import threading
from collections import deque

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo
from tf2_msgs.msg import TFMessage

from physhmr.config import CameraConfig
from physhmr.errors import CameraError
from physhmr.geometry.camera import camera_from_fov, with_pose
from physhmr.geometry.camera_info import resized
from physhmr.types import Array, CameraModel
from physhmr_ros import qos
from physhmr_ros.conversions.cameras import camera, static_transform, transforms
from physhmr_ros.conversions.primitives import NANOSECONDS
from physhmr_ros.frames import FrameTree
from physhmr_ros.gravity_watch import GravityWatch

FIRST_INFO = 0.2
"""s that the first image waits for the first CameraInfo, which may be discovered a little later."""


LATE = 0.5
"""s by which an image may be newer than what TF last told of a moving camera, before that is a reason to complain."""
REMEMBERED = 300
"""Stamps of our own word: that we hear again, and must not believe."""
NEWS = 1e-3
"""m and parts of unity: a pose that differs less is the same."""


class CameraWatch:
    """Listens to `camera_info`, `/tf` and `/tf_static`."""

    def __init__(
        self, node: Node, config: CameraConfig, world_frame: str, announces: bool = False, patience: float = 0.0
    ) -> None:
        """Subscribe on `node`; one that `announces` tells TF where it stands. `patience` as in `GravityWatch`."""
        self._config = config
        self._world = world_frame
        self._info: CameraInfo | None = None
        self._first = threading.Event()
        self._patience = FIRST_INFO
        self._tree = FrameTree()
        self._gravity = GravityWatch(node, self._tree, patience) if config.imu else None
        self._announced: Array | None = None
        self._own_stamps: deque[int] = deque(maxlen=REMEMBERED)
        self._pose = node.create_publisher(TFMessage, "/tf_static", qos.LATCHED) if announces else None
        self._topic = node.resolve_topic_name("camera_info")
        self._node = node
        self._subscriptions = [
            node.create_subscription(CameraInfo, "camera_info", self._on_info, qos.IMAGES),
            node.create_subscription(TFMessage, "/tf", self._on_moving, qos.TF),
            node.create_subscription(TFMessage, "/tf_static", self._on_fixed, qos.TF_STATIC),
        ]

    def close(self) -> None:
        """Unsubscribe, and take back what was announced."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        if self._gravity is not None:
            self._gravity.close()
        if self._pose is not None:
            self._node.destroy_publisher(self._pose)

    def announce(self, T_wc: Array, frame_id: str, stamp_ns: int) -> None:
        """Tell TF where the camera stands, if that is news and for us to say; our own word is not listened to."""
        if (
            self._pose is None
            or not frame_id
            or (self._announced is not None and np.allclose(T_wc, self._announced, atol=NEWS))
        ):
            return
        self._announced = T_wc
        self._own_stamps.append(stamp_ns)
        self._pose.publish(static_transform(T_wc, stamp_ns, self._world, frame_id))

    def pose(self, frame_id: str, stamp_ns: int) -> Array | None:
        """Return T_wc (4, 4) of the camera frame at `stamp_ns` as TF tells it, None while it does not."""
        return self._tree.lookup(self._world, frame_id, stamp_ns)

    def up(self, frame_id: str, stamp_ns: int) -> Array | None:
        """Return the unit vector (3,) that points up in the camera frame, None unless the IMU is used and tells it."""
        return None if self._gravity is None else self._gravity.up(frame_id, stamp_ns)

    def behind(self, frame_id: str, stamp_ns: int) -> float:
        """Return how many s newer an image of `stamp_ns` is than what TF last told of the camera; 0 if that stands."""
        known_ns = self._tree.known_until(self._world, frame_id)
        return 0.0 if known_ns is None else max(stamp_ns - known_ns, 0) / NANOSECONDS

    def camera(self, width: int, height: int, frame_id: str, stamp_ns: int) -> CameraModel:
        """Return the camera of a `width` x `height` px image taken in TF frame `frame_id` at `stamp_ns`.

        Its pose is None while TF does not connect the frame to the world. Raises `CameraError` if there is
        neither a calibration nor a field of view to assume.
        """
        T_wc = self.pose(frame_id, stamp_ns)
        try:
            return self._calibrated(width, height, T_wc)
        except CameraError as error:
            if not self._config.fov_deg:
                raise CameraError(f"{error}; or set the parameter camera.fov_deg") from error
        model = camera_from_fov(width, height, math.radians(self._config.fov_deg))
        return model if T_wc is None else with_pose(model, T_wc)

    def newest(self, stamp_ns: int) -> CameraModel | None:
        """Return the camera that the newest CameraInfo describes, where it stood at `stamp_ns`; None before any.

        Its pose is as in `camera`. Raises `CameraError` for an uncalibrated one.
        """
        info = self._info
        return info and camera(info, self._config.rectified, self.pose(info.header.frame_id, stamp_ns))

    def _calibrated(self, width: int, height: int, T_wc: Array | None) -> CameraModel:
        info = self._info or self._awaited()
        if info is None:
            raise CameraError(f"no CameraInfo on {self._topic}: start the camera's driver with its calibration")
        model = camera(info, self._config.rectified, T_wc)
        return model if (model.width, model.height) == (width, height) else resized(model, width, height)

    def _awaited(self) -> CameraInfo | None:
        """Give the first CameraInfo once the time to arrive behind its image."""
        self._first.wait(self._patience)
        self._patience = 0.0
        return self._info

    def _on_info(self, message: CameraInfo) -> None:
        self._info = message
        self._first.set()

    def _on_moving(self, message: TFMessage) -> None:
        for parent, child, T, stamp_ns in transforms(message):
            self._tree.move(parent, child, T, stamp_ns)

    def _on_fixed(self, message: TFMessage) -> None:
        for parent, child, T, stamp_ns in transforms(message):
            if stamp_ns not in self._own_stamps:
                self._tree.fix(parent, child, T)
