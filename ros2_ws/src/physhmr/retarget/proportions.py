"""Lengths that decide how a human's motion is scaled onto a robot."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from physhmr.body.skeleton import BODY_INDEX, Skeleton
from physhmr.errors import NonFiniteError, RobotError, ShapeError
from physhmr.types import NUM_BODIES, Array


@dataclass(frozen=True)
class Proportions:
    """Segment lengths of a human or a robot, m, mean of both sides; arms are 0 where there are none."""

    thigh: float
    shank: float
    hip_width: float
    """Between the hips' centres."""
    stance_width: float
    """Between the feet when standing with legs straight down."""
    ankle_height: float
    """Of the foot's point above its sole."""
    upper_arm: float = 0.0
    forearm: float = 0.0

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            least = 0.0 if f.name in ("upper_arm", "forearm", "ankle_height") else 0.005
            if not least <= value < 5.0:
                raise RobotError(f"{f.name} must lie in [{least:g}, 5) m, got {value:g}")

    @property
    def leg(self) -> float:
        """Thigh and shank, m."""
        return self.thigh + self.shank


def measure_proportions(pos_w: Array) -> Proportions:
    """The proportions of a person from joints (T, 24, 3) m over a calibration, about two seconds in any pose.

    The median over time discards single bad frames. Ankle heights are not seen well by a camera; they follow from
    the shank by the body's anthropometric table.
    """
    pos = np.asarray(pos_w, float)
    if pos.ndim != 3 or pos.shape[1:] != (NUM_BODIES, 3) or not len(pos):
        raise ShapeError("pos_w", f"(T >= 1, {NUM_BODIES}, 3)", pos.shape)
    if not np.isfinite(pos).all():
        raise NonFiniteError("pos_w", int((~np.isfinite(pos)).sum()))
    rest = Skeleton().rest_points
    shank = _sided_length(pos, "Knee", "Ankle")
    scale = shank / _sided_length(rest[None], "Knee", "Ankle")
    hip_width = _length(pos, "L_Hip", "R_Hip")
    return Proportions(
        thigh=_sided_length(pos, "Hip", "Knee"),
        shank=shank,
        hip_width=hip_width,
        stance_width=hip_width,
        ankle_height=scale * float(rest[BODY_INDEX["L_Ankle"], 2]),
        upper_arm=_sided_length(pos, "Shoulder", "Elbow"),
        forearm=_sided_length(pos, "Elbow", "Wrist"),
    )


def skeleton_proportions(skeleton: Skeleton) -> Proportions:
    """The proportions of the simulated humanoid."""
    return measure_proportions(skeleton.rest_points[None])


def _sided_length(pos: Array, first: str, second: str) -> float:
    return 0.5 * (_length(pos, f"L_{first}", f"L_{second}") + _length(pos, f"R_{first}", f"R_{second}"))


def _length(pos: Array, first: str, second: str) -> float:
    bones = pos[:, BODY_INDEX[first]] - pos[:, BODY_INDEX[second]]
    return float(np.median(np.linalg.norm(bones, axis=-1)))
