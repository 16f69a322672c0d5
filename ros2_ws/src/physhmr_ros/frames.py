"""The TF tree over the last seconds: enough to know where a camera stood at an image, with or without tf2_ros."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from physhmr.geometry.pose_track import PoseTrack
from physhmr.types import Array

DEEPEST = 64
"""No chain of frames is longer; also what ends a walk around a cycle."""


@dataclass(frozen=True)
class _Link:
    parent: str
    moves: bool
    track: PoseTrack


class FrameTree:
    """Where each frame was in its parent; safe between threads."""

    def __init__(self) -> None:
        self._links: dict[str, _Link] = {}
        self._lock = threading.Lock()

    def fix(self, parent: str, child: str, T: Array) -> None:
        """Set T_parent_child (4, 4) for all times, as /tf_static does."""
        link = _Link(parent.lstrip("/"), False, PoseTrack())
        link.track.add(0, T)
        with self._lock:
            self._links[child.lstrip("/")] = link

    def move(self, parent: str, child: str, T: Array, stamp_ns: int) -> None:
        """Note that the frame was at T_parent_child (4, 4) at `stamp_ns`, as /tf does."""
        parent, child = parent.lstrip("/"), child.lstrip("/")
        with self._lock:
            link = self._links.get(child)
            if link is None or not link.moves or link.parent != parent:
                link = self._links[child] = _Link(parent, True, PoseTrack())
            link.track.add(stamp_ns, T)

    def lookup(self, target: str, source: str, stamp_ns: int) -> Array | None:
        """Return T_target_source (4, 4) at `stamp_ns`, or None while the two frames are not connected."""
        with self._lock:
            ways = self._ways(target, source)
            if ways is None:
                return None
            T_common_target, T_common_source = (_along(way, stamp_ns) for way in ways)
        return np.linalg.inv(T_common_target) @ T_common_source

    def known_until(self, target: str, source: str) -> int | None:
        """Return the stamp in ns up to which each moving frame between the two was told; None if none moves."""
        with self._lock:
            ways = self._ways(target, source) or ()
            return min((link.track.newest_ns for way in ways for link in way if link.moves), default=None)

    def _ways(self, target: str, source: str) -> tuple[list[_Link], list[_Link]] | None:
        """Return the links from each of the two up to their nearest common ancestor."""
        from_target, from_source = self._ancestors(target.lstrip("/")), self._ancestors(source.lstrip("/"))
        common = next((name for name in from_source if name in from_target), None)
        return None if common is None else (from_target[common], from_source[common])

    def _ancestors(self, name: str) -> dict[str, list[_Link]]:
        """Return the links up to the frame itself and to each of its ancestors, nearest first."""
        way: list[_Link] = []
        found = {name: way}
        while name in self._links and len(way) < DEEPEST:
            link = self._links[name]
            name, way = link.parent, [*way, link]
            found[name] = way
        return found


def _along(way: list[_Link], stamp_ns: int) -> Array:
    T = np.eye(4)
    for link in way:
        T = link.track.at(stamp_ns) @ T
    return T
