"""QoS profiles of rclpy as those that a bag remembers for its player."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime

FOREVER = QosTime(9223372036, 854775807)
"""What ROS writes where no time limits."""


def offered(profile: QoSProfile) -> Qos:
    """Return the profile with which a player should offer a topic that was heard with `profile`."""
    latched = profile.durability is DurabilityPolicy.TRANSIENT_LOCAL
    reliable = profile.reliability is ReliabilityPolicy.RELIABLE
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=profile.depth,
        reliability=QosReliability.RELIABLE if reliable else QosReliability.BEST_EFFORT,
        durability=QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        deadline=FOREVER,
        lifespan=FOREVER,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=FOREVER,
        avoid_ros_namespace_conventions=False,
    )
