"""The soles: where the feet may touch the floor, and how to stand a pose on it."""

from __future__ import annotations

import numpy as np

from physhmr.body.humanoid_mjcf import FOOT_BODIES, body_geom
from physhmr.body.kinematics import forward_kinematics
from physhmr.body.points import BodyPoint, place_points
from physhmr.body.skeleton import Skeleton
from physhmr.types import Array


def sole_corners(skeleton: Skeleton) -> tuple[BodyPoint, ...]:
    """The lower corners of the four foot boxes (16)."""
    corners = []
    for body in FOOT_BODIES:
        geom = body_geom(body, skeleton)
        for sx, sy in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
            offset = np.array(geom.start) + np.array(geom.end) * (sx, sy, -1)
            x, y, z = (skeleton.shape.height * offset).tolist()
            corners.append(BodyPoint(body, (x, y, z)))
    return tuple(corners)


def corner_positions(qpos: Array, skeleton: Skeleton) -> Array:
    """(..., 16, 3) m, the soles' corners for poses (..., 76)."""
    return place_points(sole_corners(skeleton), *forward_kinematics(qpos, skeleton))


def on_floor(qpos: Array, skeleton: Skeleton) -> Array:
    """(..., 76) the poses moved vertically so that the lowest sole corner of each touches the floor."""
    moved = qpos.copy()
    moved[..., 2] -= corner_positions(qpos, skeleton)[..., 2].min(-1)
    return moved
