"""Where a link's shapes touch the floor: points of MuJoCo geoms, and the rectangle of a flat sole."""

from __future__ import annotations

import itertools

import mujoco
import numpy as np

from physhmr.types import Array

SOLE_LAYER = 0.01
"""m; what lies less than this above the lowest point belongs to the sole."""
_CORNERS = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))


def collides(model: mujoco.MjModel) -> list[int]:
    """Geoms that collide: those with contact bits, or group 3 where a model switches all bits off."""
    bits = (model.geom_contype != 0) | (model.geom_conaffinity != 0)
    return np.flatnonzero(bits if bits.any() else model.geom_group == 3).tolist()


def sole_corners(model: mujoco.MjModel, placed: mujoco.MjData, body: int) -> Array:
    """(4, 3) m in the frame of `body`: heel left, heel right, toe left, toe right of its lowest layer.

    `placed` stands upright, facing x, with flat feet.
    """
    own = np.flatnonzero(model.geom_bodyid == body).tolist()
    chosen = [geom for geom in own if geom in set(collides(model))] or own
    points = np.concatenate([lowest_points(model, placed, geom) for geom in chosen])
    low = points[:, 2].min()
    x, y = points[points[:, 2] < low + SOLE_LAYER, :2].T
    corners = np.array([[x0, y0, low] for x0 in (x.min(), x.max()) for y0 in (y.max(), y.min())])
    return (corners - placed.xpos[body]) @ placed.xmat[body].reshape(3, 3)


def lowest_points(model: mujoco.MjModel, placed: mujoco.MjData, geom: int) -> Array:
    """(N, 3) m in the world: those points of a geom that can be its lowest."""
    pos, rot, size = placed.geom_xpos[geom], placed.geom_xmat[geom].reshape(3, 3), model.geom_size[geom]
    kind, down = int(model.geom_type[geom]), np.array([0.0, 0.0, -1.0])
    if kind == mujoco.mjtGeom.mjGEOM_MESH:
        mesh = model.geom_dataid[geom]
        start = model.mesh_vertadr[mesh]
        return model.mesh_vert[start : start + model.mesh_vertnum[mesh]] @ rot.T + pos
    if kind == mujoco.mjtGeom.mjGEOM_SPHERE:
        return (pos + size[0] * down)[None]
    if kind == mujoco.mjtGeom.mjGEOM_CAPSULE:
        return pos + np.outer([-size[1], size[1]], rot[:, 2]) + size[0] * down
    if kind == mujoco.mjtGeom.mjGEOM_CYLINDER:
        turn = np.linspace(0.0, 2 * np.pi, 16, endpoint=False)
        ring = size[0] * np.stack([np.cos(turn), np.sin(turn), 0 * turn], -1)
        ends = [ring + np.array([0.0, 0.0, z]) for z in (-size[1], size[1])]
        return np.concatenate(ends) @ rot.T + pos
    return pos + (_CORNERS * size) @ rot.T
