"""A ROS node that writes down what the chain tells in public: stamps, joint states, states, diagnostics."""

from __future__ import annotations

import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, JointState

from node_latency.recording import Output, Recording, Told
from physhmr_msgs.msg import HumanState
from physhmr_ros import qos
from physhmr_ros.conversions.primitives import to_ns


class Recorder:
    """Subscribes to the chain's topics; use as a context manager inside an initialised rclpy."""

    def __init__(self) -> None:
        self.recording = Recording()
        self._node = Node("latency_recorder")
        # The CameraInfo bears its image's stamp; a second reader of the pixels would slow down what is measured.
        self._node.create_subscription(CameraInfo, "camera_info", self._on_camera_info, qos.IMAGES)
        self._node.create_subscription(JointState, "human/joint_states", self._on_joint_state, qos.STREAM)
        self._node.create_subscription(HumanState, "human/state", self._on_state, qos.STREAM)
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.STREAM)
        self._executor = EventsExecutor()
        self._executor.add_node(self._node)

    def spin_until(self, end: float) -> None:
        """Record until `time.monotonic()` reads `end`."""
        while (left := end - time.monotonic()) > 0.0:
            self._executor.spin_once(timeout_sec=min(left, 0.2))

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.remove_node(self._node)
        self._node.destroy_node()
        self._executor.shutdown()

    def _on_camera_info(self, message: CameraInfo) -> None:
        self.recording.images.append(to_ns(message.header.stamp))

    def _on_joint_state(self, message: JointState) -> None:
        received_ns = time.time_ns()
        numbers = np.concatenate([message.position, message.velocity, message.effort])
        non_finite = int(np.count_nonzero(~np.isfinite(numbers)))
        self.recording.outputs.append(Output(to_ns(message.header.stamp), received_ns, non_finite))

    def _on_state(self, message: HumanState) -> None:
        if message.ray_age == 0.0:
            self.recording.fresh.add(to_ns(message.header.stamp))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = {pair.key: float(pair.value) for pair in status.values if _is_number(pair.value)}
            level = int.from_bytes(status.level, "little")
            self.recording.told.append(Told(time.monotonic(), status.name, level, status.message, values))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
