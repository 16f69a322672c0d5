"""Where a frame was, and is, in its parent: samples of a pose over the last seconds, read at any time."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np

from physhmr.geometry.rotation import (
    matrix_to_quat,
    quat_conjugate,
    quat_multiply,
    quat_to_matrix,
    quat_to_rotvec,
    rotvec_to_quat,
)
from physhmr.types import Array

KEEP_NS = 10_000_000_000
"""So long samples are kept, as tf2 does."""
AHEAD_NS = 50_000_000
"""So far the last motion is carried on at most: an image is looked at before the transform that comes after it."""
RESTART_NS = 1_000_000_000
"""A stamp so much earlier than the newest is a clock that was set, or a bag that begins again."""


class PoseTrack:
    """Samples of T_parent_child in the order of their stamps."""

    def __init__(self) -> None:
        self._stamps: list[int] = []
        self._poses: list[Array] = []

    @property
    def newest_ns(self) -> int:
        """Stamp of the newest sample; there must be one."""
        return self._stamps[-1]

    def add(self, stamp_ns: int, T: Array) -> None:
        """Note that the pose was T (4, 4) at `stamp_ns`; samples may come out of order."""
        if self._stamps and stamp_ns < self._stamps[-1] - RESTART_NS:
            self._stamps, self._poses = [], []
        place = bisect_left(self._stamps, stamp_ns)
        same = place < len(self._stamps) and self._stamps[place] == stamp_ns
        self._stamps[place : place + same] = [stamp_ns]
        self._poses[place : place + same] = [T]
        old = bisect_left(self._stamps, self._stamps[-1] - KEEP_NS)
        del self._stamps[:old], self._poses[:old]

    def at(self, stamp_ns: int) -> Array:
        """Return T (4, 4) at `stamp_ns`: between two samples, or the nearest one outside of them.

        Behind the newest sample the last motion goes on, for as long as it was seen and up to `AHEAD_NS`. There must be
        a sample.
        """
        stamps, poses = self._stamps, self._poses
        after = min(max(bisect_left(stamps, stamp_ns), 1), len(stamps) - 1)
        if not after:
            return poses[0]
        first, last = stamps[after - 1], stamps[after]
        share = (min(max(stamp_ns, first), last + AHEAD_NS) - first) / (last - first)
        return pose_along(poses[after - 1], poses[after], min(share, 2.0))


def pose_along(start: Array, end: Array, share: float) -> Array:
    """Return the pose (4, 4) a share of the way from `start` to `end` (4, 4): straight, and about one axis."""
    turn = quat_multiply(quat_conjugate(matrix_to_quat(start[:3, :3])), matrix_to_quat(end[:3, :3]))
    T = np.eye(4)
    T[:3, :3] = start[:3, :3] @ quat_to_matrix(rotvec_to_quat(share * quat_to_rotvec(turn)))
    T[:3, 3] = (1.0 - share) * start[:3, 3] + share * end[:3, 3]
    return T
