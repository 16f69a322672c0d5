"""Brings a goal to where the humanoid can follow it: led there when it is a new one, and never far away."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from physhmr.body.humanoid_mjcf import CONTROL_HZ
from physhmr.body.tangent import pose_between, pose_shifted
from physhmr.types import Array, Reference

BLEND_STEPS = CONTROL_HZ // 2
"""A new kind of reference is reached over half a second."""
LEASH = 0.25
"""m: a reference farther away than this is drawn near, so that the policy is asked for what it knows.

On the bundled walk, in 12 unsteady runs: 0 falls and 1 to 3 new starts at 0.15 and 0.25 m, 1 fall at 0.4 m."""
LOST_LEASH = 0.05
"""m, while nobody is seen: who stops may stand wherever that takes them.

Of 12 losses in mid-stride on the bundled walk none ended in a fall; at 0.25 m 5 did, at 0.12 m 2."""


def drawn_near(offset: Array, leash: float) -> Array:
    """(..., 2) m to add to `offset` (..., 2) m, so that it is no longer than the leash."""
    excess = np.linalg.norm(offset, axis=-1, keepdims=True) / leash
    return np.asarray(offset / np.maximum(excess, 1.0) - offset)


class Approach:
    """Its state is how much of the way to a new goal is left."""

    def __init__(self) -> None:
        self._left = 0

    @property
    def leading(self) -> bool:
        """Whether the humanoid is on its way to a new goal."""
        return self._left > 0

    def begin(self) -> None:
        """The goal is a new one."""
        self._left = BLEND_STEPS

    def end(self) -> None:
        """The humanoid is at its goal."""
        self._left = 0

    def fit(self, goal: Reference, qpos: Array, seen: bool) -> tuple[Reference, Array]:
        """Return the goal as a humanoid at `qpos` (76,) is asked for it, and how it was drawn near: (3,) m, horizontal.

        `seen`: there is somebody whose place counts.
        """
        goal = self._eased(goal, qpos)
        shift_w = np.zeros(3)
        shift_w[:2] = drawn_near(goal.qpos[:2] - qpos[:2], LEASH if seen else LOST_LEASH)
        return replace(goal, qpos=pose_shifted(goal.qpos, shift_w)), shift_w

    def _eased(self, goal: Reference, qpos: Array) -> Reference:
        """While leading, a goal part of the way from the humanoid's own pose."""
        if self._left == 0:
            return goal
        share = 1.0 / self._left
        self._left -= 1
        return replace(goal, qpos=pose_between(qpos, goal.qpos, share))
