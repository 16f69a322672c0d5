"""Hears every stream that the chain publishes, and looks at every number and stamp in it."""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterator
from typing import Any

import numpy as np
from geometry_msgs.msg import WrenchStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node
from sensor_msgs.msg import JointState
from tf2_msgs.msg import TFMessage

from fault_campaign.heard import Heard, Told
from physhmr.types import KEYPOINTS
from physhmr_msgs.msg import FootContacts, HumanPhysics, HumanState, RayBundle
from physhmr_ros import qos
from physhmr_ros.conversions.humanoid import status
from physhmr_ros.conversions.physics import WRENCH_TOPICS
from physhmr_ros.conversions.primitives import to_ns

HIPS = [KEYPOINTS.index("L_Hip"), KEYPOINTS.index("R_Hip")]
STREAMS: dict[str, type] = {
    "human/joint_states": JointState,
    "human/odom": Odometry,
    "human/contacts": FootContacts,
    "human/state": HumanState,
    "human/physics": HumanPhysics,
    **dict.fromkeys(WRENCH_TOPICS, WrenchStamped),
    "/tf": TFMessage,
}
"""What the policy node tells; perception's rays come with their topic's name."""


class Listener:
    """Subscribes on a node; `heard` is what came."""

    def __init__(self, node: Node, rays: str = "rays") -> None:
        """Listen to perception on the topic `rays`."""
        self.heard = Heard()
        for topic, kind in STREAMS.items():
            node.create_subscription(kind, topic, lambda message, topic=topic: self._note(topic, message), qos.STREAM)
        node.create_subscription(HumanState, "human/state", self._on_state, qos.STREAM)
        node.create_subscription(RayBundle, rays, self._on_rays, qos.STREAM)

    def _note(self, topic: str, message: Any) -> None:
        self.heard.note(topic, dict(stamps(message)), np.fromiter(numbers(message), float))

    def _on_state(self, message: HumanState) -> None:
        told = Told(time.monotonic(), status(message).value, message.ray_age == 0.0, message.fall_count)
        self.heard.states.append(told)

    def _on_rays(self, message: RayBundle) -> None:
        self._note("rays", message)
        if message.names:
            direction = np.asarray(message.dir_w).reshape(-1, 3)[HIPS].mean(0)
            self.heard.hips_w[to_ns(message.header.stamp)] = direction


def numbers(message: Any) -> Iterator[float]:
    """Return every floating-point number in a message, whatever its type."""
    for name in message.get_fields_and_field_types():
        yield from _floats(getattr(message, name))


def stamps(message: Any) -> Iterator[tuple[str, int]]:
    """Return the stamp in ns of a message, or of each transform in it by its child frame."""
    for one in getattr(message, "transforms", (message,)):
        yield getattr(one, "child_frame_id", ""), to_ns(one.header.stamp)


def _floats(value: Any) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    elif hasattr(value, "get_fields_and_field_types"):
        yield from numbers(value)
    elif isinstance(value, list | tuple | array | np.ndarray):
        for one in value:
            yield from _floats(one)
