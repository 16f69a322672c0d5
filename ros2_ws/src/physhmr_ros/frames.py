"""The TF tree, newest transform wins: enough to know where a camera stands, with or without tf2_ros."""

from __future__ import annotations

import threading

import numpy as np

from physhmr.types import Array

DEEPEST = 64
"""No chain of frames is longer; also what ends a walk around a cycle."""


class FrameTree:
    """Newest transform of each frame in its parent; safe between threads."""

    def __init__(self) -> None:
        self._links: dict[str, tuple[str, Array]] = {}
        self._lock = threading.Lock()

    def set(self, parent: str, child: str, T: Array) -> None:
        """Set T_parent_child (4, 4)."""
        with self._lock:
            self._links[child.lstrip("/")] = (parent.lstrip("/"), T)

    def lookup(self, target: str, source: str) -> Array | None:
        """Return T_target_source (4, 4), or None while the two frames are not connected."""
        with self._lock:
            up_from_source, up_from_target = self._ancestors(source.lstrip("/")), self._ancestors(target.lstrip("/"))
        common = next((name for name in up_from_source if name in up_from_target), None)
        if common is None:
            return None
        return np.linalg.inv(up_from_target[common]) @ up_from_source[common]

    def _ancestors(self, name: str) -> dict[str, Array]:
        """Return T_ancestor_name for the frame and each of its ancestors, nearest first."""
        found, T = {name: np.eye(4)}, np.eye(4)
        for _ in range(DEEPEST):
            if name not in self._links:
                break
            name, link = self._links[name]
            T = link @ T
            found[name] = T
        return found
