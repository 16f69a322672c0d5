"""Feet that stay where they stand: one foot's placement on the floor while the human's contact lasts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physhmr.types import Array

SLIPPED = 0.12
"""m; when the human's foot has gone so far while it was said to stand, it did not: the robot steps after it."""


class Footing:
    """Pins the sole corners of one foot: heel and toe edge each while the human's stand.

    The foot is placed flat, where it is at the first touch; what rolls off later keeps the edge that is left.
    """

    def __init__(self, corners_b: Array, rest_rot: Array) -> None:
        """Corners (4, 3) m of the sole in the foot's frame: heel left, heel right, toe left, toe right.

        `rest_rot` (3, 3) is the foot's orientation when it stands flat and the robot faces x.
        """
        self._corners_b, self._rest_rot = corners_b, rest_rot
        self._placed: Array | None = None
        self._origin = np.zeros(3)

    @property
    def placed(self) -> Array | None:
        """(4, 3) m, the corners on the floor while the foot stands."""
        return self._placed

    def release(self) -> None:
        """Stand no longer."""
        self._placed = None

    def update(self, touching: NDArray[np.bool_], pos: Array, rot: Array, wanted: Array) -> NDArray[np.bool_]:
        """(4,) which corners are pinned now.

        `touching` (2,) heel and toe of the human stand; `pos`, `rot` the foot now; `wanted` (3,) m where the human's
        motion would have it.
        """
        if self._placed is not None and np.linalg.norm((wanted - self._origin)[:2]) > SLIPPED:
            self.release()
        if not touching.any():
            self.release()
        elif self._placed is None:
            self._placed, self._origin = self._flat(touching, pos, rot), wanted
        return np.repeat(touching, 2) & (self._placed is not None)

    def _flat(self, touching: NDArray[np.bool_], pos: Array, rot: Array) -> Array:
        """The sole flat on the floor, heading kept, the touching edges' middle where it is."""
        forward = rot @ self._rest_rot.T
        yaw = np.arctan2(forward[1, 0], forward[0, 0])
        turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
        edges = np.repeat(touching, 2)
        flat = (self._corners_b - self._corners_b[edges].mean(0)) @ (turn @ self._rest_rot).T
        flat += (pos + self._corners_b[edges] @ rot.T).mean(0)
        flat[:, 2] = 0.0
        return flat
