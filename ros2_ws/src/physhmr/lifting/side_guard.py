"""Left or right: a detector that exchanges them is set right by the pose that was lifted just before.

Exchanged sides cross the rays of hips and shoulders; the body that fits between them best is turned away, or is
metres farther off.
"""

from __future__ import annotations

from dataclasses import dataclass

from physhmr.geometry.facing import turned_over_rays
from physhmr.geometry.rays import misfit, weighed_residual
from physhmr.types import Array, RayBundle


@dataclass(frozen=True)
class SideGuardCfg:
    """When sides count as exchanged."""

    misfit: float = 0.05
    """m, weighted mean distance of the pose from the rays as they come: below it they may be right."""
    ratio: float = 0.7
    """Of that distance, at most, if sides are exchanged."""
    insistence: float = 3.0
    """s after which a detector that keeps saying so is believed: the person did turn around, or was lifted wrongly."""


class SideGuard:
    """Its state is since when sides are exchanged."""

    def __init__(self, cfg: SideGuardCfg | None = None) -> None:
        self._cfg = cfg or SideGuardCfg()
        self.reset()

    def reset(self) -> None:
        """Forget the person."""
        self._since_ns: int | None = None

    def step(self, rays: RayBundle, points_w: Array) -> RayBundle:
        """The rays, or their double if it goes better with the keypoints (21, 3) m of the pose before."""
        double = self._better_double(rays, points_w)
        if double is None:
            self._since_ns = None
            return rays
        self._since_ns = rays.stamp_ns if self._since_ns is None else self._since_ns
        insists = not 0 <= rays.stamp_ns - self._since_ns <= 1e9 * self._cfg.insistence
        return rays if insists else double

    def _better_double(self, rays: RayBundle, points_w: Array) -> RayBundle | None:
        """Rays with their sides exchanged, if the pose lies on these instead."""
        as_they_come = misfit(*weighed_residual(rays, points_w))
        if as_they_come < self._cfg.misfit:
            return None
        double = turned_over_rays(rays)
        return double if misfit(*weighed_residual(double, points_w)) <= self._cfg.ratio * as_they_come else None
