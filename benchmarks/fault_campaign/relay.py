"""Stands between perception and policy, and spoils the rays when told to."""

from __future__ import annotations

import math

import numpy as np
from rclpy.node import Node

from physhmr_msgs.msg import RayBundle
from physhmr_ros import qos

BEFORE = "rays_of_perception"
"""Topic of the rays before they pass."""
ROWS = ("origin_w", "dir_w", "score", "landmarks_w")
BAD = (math.nan, math.inf, -math.inf, 1e300)
"""What is written into the rays; the last is finite, and absurd."""


class Relay:
    """Hands `rays_of_perception` on as `rays`."""

    def __init__(self, node: Node) -> None:
        """Advertise and subscribe on `node`."""
        self.spoils = False
        """Whether each message gets bad numbers in one of its fields."""
        self.spoilt = 0
        """Messages so far."""
        self._random = np.random.default_rng(0)
        self._out = node.create_publisher(RayBundle, "rays", qos.STREAM)
        node.create_subscription(RayBundle, BEFORE, self._on_rays, qos.STREAM)

    def _on_rays(self, message: RayBundle) -> None:
        if self.spoils and message.names:
            self._spoil(message)
        self._out.publish(message)

    def _spoil(self, message: RayBundle) -> None:
        field = getattr(message, ROWS[self.spoilt % len(ROWS)])
        places = self._random.integers(0, len(field), 1 + self.spoilt % 5)
        for place in places.tolist():
            field[place] = BAD[self.spoilt // len(ROWS) % len(BAD)]
        self.spoilt += 1
