"""Lifting by the motion encoder: its pose, standing where the rays say.

The encoder knows how people move, the rays know where they are: across the line of sight the rays place the
root, along it the encoder does, and a foot that stands puts the pose on the floor.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from physhmr.body.keypoints import keypoints_of
from physhmr.body.kinematics import forward_kinematics
from physhmr.body.points import place_points
from physhmr.body.skeleton import Skeleton
from physhmr.body.soles import sole_corners
from physhmr.geometry.rays import place_on_rays
from physhmr.policy.token_encoder import TokenEncoder
from physhmr.types import Array, RayBundle, Reference

DEPTH_WEIGHT = 0.3
"""Of the encoder's position, in rays of full confidence: it must not pull across the line of sight."""
SETTLING_FRAMES = 5
"""The encoder needs so many frames of a new person before its word counts."""
TRUST = 0.35
"""Share of a new measurement in the root's position; the rest is the last one, moved on by the encoder's velocity."""
FARTHEST = 0.5
"""m between the two, beyond which the person has jumped and the measurement is taken as it is."""


class EncodedLifter:
    """Lifts one person; takes the place of `lifting.CausalLifter`."""

    def __init__(self, path: Path, skeleton: Skeleton) -> None:
        """Load the encoder's file; raises `ModelFileError` if it does not fit."""
        self._encoder, self._skeleton = TokenEncoder(path, skeleton), skeleton
        self._corners = sole_corners(skeleton)
        self._seen, self._last = 0, (0, np.zeros(3))

    def reset(self) -> None:
        """Forget the person."""
        self._seen = 0
        self._encoder.reset()

    def step(self, rays: RayBundle, scale: float = 1.0) -> Reference | None:
        """The reference one control step after `rays`; None for the first frames of a new person.

        `scale` as in `CausalLifter.step`.
        """
        told = self._encoder.step(rays, scale)
        self._seen += 1
        if self._seen <= SETTLING_FRAMES:
            return None
        qpos = told.ahead.qpos.copy()
        offset = keypoints_of(qpos, self._skeleton) - qpos[:3]
        weight = np.where(rays.score > 0.0, rays.score, 0.0)
        found = place_on_rays(scale * rays.origin_w, rays.dir_w, offset, weight, qpos[:3], DEPTH_WEIGHT)
        qpos[:3] = self._steadied(rays.stamp_ns, found, told.ahead.qvel[:3])
        qpos[2] -= float(told.contact.max()) * self._lowest(qpos)
        return replace(told.ahead, qpos=qpos)

    def _steadied(self, stamp_ns: int, found: Array, velocity: Array) -> Array:
        """Measured and predicted position (3,) m blended."""
        since, before = self._last
        expected = before + 1e-9 * (stamp_ns - since) * velocity
        if self._seen > SETTLING_FRAMES + 1 and np.linalg.norm(found - expected) < FARTHEST:
            found = expected + TRUST * (found - expected)
        self._last = stamp_ns, found
        return found

    def _lowest(self, qpos: Array) -> float:
        """Height of the lowest sole corner, m."""
        return float(place_points(self._corners, *forward_kinematics(qpos, self._skeleton))[:, 2].min())
