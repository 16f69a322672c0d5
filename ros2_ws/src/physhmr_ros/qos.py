"""Named QoS profiles: why a topic has the reliability, depth and durability that it has."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

IMAGES = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
"""Camera streams: what is late is worthless. The sensor-data profile of REP-2003."""

EVERY_IMAGE = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=60, reliability=ReliabilityPolicy.BEST_EFFORT)
"""The same stream read by the frame clock, which wants each image: room for two seconds."""

READINGS = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1000, reliability=ReliabilityPolicy.BEST_EFFORT)
"""An IMU, of which every reading counts: room for a second of the fastest."""

STREAM = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=30, reliability=ReliabilityPolicy.RELIABLE)
"""Rays, joint states, odometry, contacts: small, frequent, each of use: room for a second."""

EVERY_MESSAGE = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1000, reliability=ReliabilityPolicy.RELIABLE)
"""The same streams for a recorder, which must lose nothing when it is held up for some seconds."""

SIGHT = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.RELIABLE)
"""A mesh of a megabyte, which is only looked at: reliable as RViz asks by default, but the newest alone."""

TF = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=100, reliability=ReliabilityPolicy.RELIABLE)
"""The profile of tf2_ros's broadcaster and listener."""

LATCHED = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
"""Said once, heard by whoever comes later: the robot description."""

TF_STATIC = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=100,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
"""The profile of tf2_ros's static listener; several broadcasters latch one message each."""
