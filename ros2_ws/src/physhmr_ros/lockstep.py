"""One image at a time: the next one is shown when the chain has done with the last, so that none is ever lost."""

from __future__ import annotations

import threading

from rclpy.node import Node

from physhmr_msgs.msg import HumanState, RayBundle
from physhmr_ros import qos
from physhmr_ros.bags.reader import header_stamp
from physhmr_ros.timebase import NANOSECONDS

TICK = NANOSECONDS // 30
"""A control step ends within this of the newest image, or before it if no step was due yet."""


class Lockstep:
    """Hears from `rays` and `human/state` how far the chain has come."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._heard = threading.Condition()
        self._rays = self._before = self._state = -1
        self._subscriptions = [
            node.create_subscription(RayBundle, "rays", self._on_rays, qos.STREAM, raw=True),
            node.create_subscription(HumanState, "human/state", self._on_state, qos.STREAM, raw=True),
        ]

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def begin(self) -> None:
        """Say that an image goes out now."""
        with self._heard:
            self._before = self._rays

    def seen(self) -> bool:
        """Return whether the image was looked at."""
        return self._rays != self._before

    def done(self, timeout: float) -> bool:
        """Return whether the humanoid has moved to the image, at the latest `timeout` seconds from now."""
        with self._heard:
            return self._heard.wait_for(lambda: self.seen() and self._state > self._rays - TICK, timeout)

    def _on_rays(self, data: bytes) -> None:
        with self._heard:
            self._rays = header_stamp(data)
            self._heard.notify()

    def _on_state(self, data: bytes) -> None:
        with self._heard:
            self._state = header_stamp(data)
            self._heard.notify()
