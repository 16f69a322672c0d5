"""The soles: where the feet may touch the floor, and how to stand a pose on it."""

from __future__ import annotations

import mujoco
import numpy as np

from physhmr.body.humanoid_mjcf import FOOT_BODIES, body_geom
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


def on_floor(qpos: Array, model: mujoco.MjModel, skeleton: Skeleton) -> Array:
    """(76,) the pose moved vertically so that its lowest sole corner touches the floor."""
    scratch = mujoco.MjData(model)
    scratch.qpos[:] = qpos
    mujoco.mj_kinematics(model, scratch)
    corners = place_points(sole_corners(skeleton), scratch.xpos[1:], scratch.xmat[1:].reshape(-1, 3, 3))
    moved = qpos.copy()
    moved[2] -= corners[:, 2].min()
    return moved
