"""Lifting by a motion encoder: its pose, corrected by the rays of the frame.

The encoder knows how people move and stand; the rays know where the limbs are. Each frame starts at the
encoder's pose, placed on the rays, takes a few damped Gauss-Newton steps that pull it onto the rays, and is
smoothed. The velocity is the encoder's: it is less noisy than any difference of poses.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from physhmr.body.keypoints import keypoints_of
from physhmr.body.skeleton import Skeleton
from physhmr.body.tangent import pose_add, pose_difference
from physhmr.geometry.rays import place_on_rays
from physhmr.lifting.pose_filter import PoseFilter
from physhmr.lifting.pose_solver import PoseSolver, Prior, SolverCfg
from physhmr.types import NV, Array, MotionToken, RayBundle, Reference


class Encoder(Protocol):
    """What is needed of `policy.TokenEncoder`."""

    def step(self, rays: RayBundle, scale: float = 1.0) -> MotionToken:
        """The token after one more frame."""

    def coast(self, stamp_ns: int) -> MotionToken:
        """The token after a control step without a new frame."""

    def reset(self) -> None:
        """Forget the person."""


@dataclass(frozen=True)
class EncodedLifterCfg:
    """How far the encoder is believed."""

    solver: SolverCfg = field(default_factory=lambda: SolverCfg(ray_sigma=0.03, bone_sigma=0.2))
    depth_weight: float = 0.3
    """Of the encoder's position, in rays of full confidence: it must not pull across the line of sight."""
    farthest: float = 0.5
    """m that the rays may move the encoder's position."""
    turn_sigma: float = 0.1
    """rad, root."""
    hinge_sigma: float = 0.3
    """rad."""
    iterations: int = 2
    smoothed: bool = True
    """Filter the corrected pose, which shakes a little with the rays."""
    settling_frames: int = 5
    """The encoder needs so many frames of a new person before its word counts."""


ONLY_PLACED = EncodedLifterCfg(iterations=0, smoothed=False)
"""The encoder's pose where the rays say: the vision policy corrects the rest."""


class EncodedLifter:
    """Lifts one person; its state is the encoder's token and the filter's."""

    def __init__(self, encoder: Encoder, skeleton: Skeleton, cfg: EncodedLifterCfg | None = None) -> None:
        self._encoder, self._skeleton, self._cfg = encoder, skeleton, cfg or EncodedLifterCfg()
        self._solver, self._filter = PoseSolver(skeleton, self._cfg.solver), PoseFilter()
        self._cost = np.r_[
            np.zeros(3), np.full(3, 1 / self._cfg.turn_sigma), np.full(NV - 6, 1 / self._cfg.hinge_sigma)
        ]
        self._seen = 0
        self._correction = np.zeros(NV)
        """From the encoder's pose to that on the rays, at the last frame."""

    def reset(self) -> None:
        """Forget the person."""
        self._seen = 0
        self._correction = np.zeros(NV)
        self._encoder.reset()
        self._filter.reset()

    def step(self, rays: RayBundle, scale: float = 1.0) -> Reference | None:
        """The reference one control step after `rays`; None for the first frames of a new person.

        `scale` as in `CausalLifter.step`.
        """
        told = self._encoder.step(rays, scale).ahead
        self._seen += 1
        if self._seen <= self._cfg.settling_frames:
            return None
        rays = replace(rays, origin_w=scale * rays.origin_w)
        qpos = told.qpos.copy()
        offset, weight = keypoints_of(qpos, self._skeleton) - qpos[:3], self._solver.trust(rays)
        placed = place_on_rays(rays.origin_w, rays.dir_w, offset, weight, qpos[:3], self._cfg.depth_weight)
        # Sides that are exchanged shrink the person in the image, and would send it to the horizon.
        move = placed - qpos[:3]
        qpos[:3] += move * min(1.0, self._cfg.farthest / max(float(np.linalg.norm(move)), 1e-6))
        self._solver.task.set_rays(rays)
        self._solver.start(qpos)
        for _ in range(self._cfg.iterations):
            self._solver.weigh(rays)
            self._solver.step((Prior(qpos, self._cost),))
        self._correction = pose_difference(told.qpos, self._solver.qpos)
        return self._finish(told, self._solver.qpos)

    def coast(self, stamp_ns: int) -> Reference | None:
        """The reference one control step after `stamp_ns`, when no rays came: the encoder's, corrected as before."""
        if not self._seen:
            return None
        told = self._encoder.coast(stamp_ns).ahead
        if self._seen <= self._cfg.settling_frames:
            return None
        qpos = pose_add(told.qpos, self._correction)
        qpos[7:] = np.clip(qpos[7:], *self._skeleton.ranges.T)
        return self._finish(told, qpos)

    def _finish(self, told: Reference, qpos: Array) -> Reference:
        if self._cfg.smoothed:
            qpos, _ = self._filter.step(told.stamp_ns, qpos)
        return replace(told, qpos=qpos)
