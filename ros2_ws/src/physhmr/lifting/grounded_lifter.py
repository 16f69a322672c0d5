"""Lifting over the floor that the person's feet are on, which the camera's pose tells inexactly.

A camera rolled by 5 degrees more than it believes sees somebody rise by 0.35 m on 4 m of way; a humanoid cannot follow
that. Whoever walks, squats or stands has a foot on the floor at nearly all times, so the floor is where the lowest sole
has been for most of the last second.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from physhmr.body.tangent import pose_shifted
from physhmr.geometry.rays import misfit, shifted_rays, weighed_residual
from physhmr.lifting.protocol import Lifter
from physhmr.lifting.side_guard import SideGuard
from physhmr.types import NUM_KEYPOINTS, Array, RayBundle, Reference

WINDOW = 1.0
"""s; longer than any jump of people who are not athletes."""
AIRBORNE = 0.8
"""Of the window, that somebody may be in the air."""
TOLERANCE = 0.03
"""m that soles may be off before the floor is moved: they are seen no better."""
CLIMB = 0.3
"""m/s at which the floor moves at most."""


class GroundedLifter:
    """A lifter whose poses stand on z = 0, and the rays as seen from there."""

    def __init__(self, lifter: Lifter) -> None:
        self._lifter, self._sides = lifter, SideGuard()
        self.reset()

    def reset(self) -> None:
        """Forget the person, and the floor below them."""
        self._lifter.reset()
        self._lowest: deque[tuple[int, float]] = deque()
        self._floor: float | None = None
        self._level = 0.0
        self._sides.reset()
        self._seen: Reference | None = None
        """What the newest image was lifted to."""
        self._rays: RayBundle | None = None
        self._misfit = 0.0

    @property
    def floor(self) -> float:
        """m, height of the person's floor over that of the camera's pose, in the humanoid's scale."""
        return self._floor or 0.0

    @property
    def level(self) -> float:
        """m, where the soles were for most of the last second; `floor` follows it slowly."""
        return self._level

    @property
    def rays(self) -> RayBundle | None:
        """The newest rays (of the first camera) as its pose was made of them: over the person's floor."""
        return self._rays

    @property
    def misfit(self) -> float:
        """m, weighted mean distance of the newest pose's keypoints from their rays."""
        return self._misfit

    def step(self, rays: RayBundle) -> Reference | None:
        """As `Lifter.step`."""
        over_floor = shifted_rays(rays, self._height_w(-self._floor)) if self._floor else rays
        if self._seen is not None:
            elapsed = 1e-9 * (rays.stamp_ns - self._seen.stamp_ns)
            keypoints_w = self._lifter.points_w[:NUM_KEYPOINTS] + elapsed * self._seen.qvel[:3]
            over_floor = self._sides.step(over_floor, keypoints_w)
        self._seen = self._lifter.step(over_floor)
        self._rays = replace(over_floor, others=()) if over_floor.others else over_floor
        return self._seen and self._grounded(self._seen, self._rays)

    def coast(self, stamp_ns: int) -> Reference | None:
        """As `Lifter.coast`."""
        return self._lifter.coast(stamp_ns)

    def _grounded(self, lifted: Reference, rays: RayBundle) -> Reference:
        """The pose after the floor was found anew; what is remembered moves along."""
        points_w = self._lifter.points_w
        weight, residual = weighed_residual(rays, points_w[:NUM_KEYPOINTS])
        self._misfit = misfit(weight, residual)
        # The pose stands as low as it may; what is left of the way to the floor shows in the rays.
        lowest = float(points_w[NUM_KEYPOINTS:, 2].min() - weight @ residual[:, 2])
        before = self.floor
        self._find_floor(rays.stamp_ns, before + lowest)
        if self.floor == before:
            return lifted
        offset_w = self._height_w(before - self.floor)
        self._lifter.moved(offset_w)
        self._rays = shifted_rays(rays, offset_w)
        return replace(lifted, qpos=pose_shifted(lifted.qpos, offset_w))

    @staticmethod
    def _height_w(height: float) -> Array:
        return np.array([0.0, 0.0, height])

    def _find_floor(self, stamp_ns: int, lowest: float) -> None:
        """Move the floor towards where the lowest sole was for most of the last second; the first pose stands on it."""
        elapsed = 1e-9 * (stamp_ns - self._lowest[-1][0]) if self._lowest else 0.0
        if elapsed < 0.0:
            self._lowest.clear()
        self._lowest.append((stamp_ns, lowest))
        while stamp_ns - self._lowest[0][0] > 1e9 * WINDOW:
            self._lowest.popleft()
        heights = sorted(height for _, height in self._lowest)
        self._level = heights[int((1.0 - AIRBORNE) * len(heights))]
        wanted = self._level - float(np.clip(self._level, -TOLERANCE, TOLERANCE))
        reach = CLIMB * max(elapsed, 0.0)
        self._floor = (
            wanted if self._floor is None else self._floor + float(np.clip(wanted - self._floor, -reach, reach))
        )
