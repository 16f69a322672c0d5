"""Triangle meshes of the humanoid's shapes, in their bodies' frames: what collides is what is shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physhmr.body.humanoid_mjcf import body_geom
from physhmr.body.skeleton import Skeleton
from physhmr.errors import ShapeError
from physhmr.types import Array

AROUND, UP = 20, 6
"""Facets around a capsule, and rings of each of its half spheres."""


@dataclass(frozen=True)
class Mesh:
    """A closed surface; faces turn counter-clockwise seen from outside."""

    vertices: Array
    """(V, 3) m."""
    faces: NDArray[np.int32]
    """(F, 3) indices of vertices."""


def body_mesh(name: str, skeleton: Skeleton) -> Mesh:
    """Return the shape of body `name` in its frame."""
    geom, height = body_geom(name, skeleton), skeleton.shape.height
    start, end = height * np.array(geom.start), height * np.array(geom.end)
    return capsule_mesh(start, end, height * geom.radius) if geom.kind == "capsule" else box_mesh(start, end)


def capsule_mesh(start: Array, end: Array, radius: float) -> Mesh:
    """Return the hull of two spheres around `start` and `end` (3,) m.

    Raises `ShapeError` if the ends coincide or the radius is not positive.
    """
    length = float(np.linalg.norm(end - start))
    if not (length > 0 and radius > 0):
        raise ShapeError("capsule", "two different ends and a positive radius", (length, radius))
    tilt = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 2 * UP)
    turn = np.linspace(0.0, 2 * np.pi, AROUND, endpoint=False)
    ring, height = radius * np.cos(tilt)[:, None], radius * np.sin(tilt) + np.repeat([0.0, length], UP)
    u, v, axis = _frame((end - start) / length)
    around = np.cos(turn)[:, None] * u + np.sin(turn)[:, None] * v
    vertices = start + ring[..., None] * around + height[:, None, None] * axis
    return Mesh(vertices.reshape(-1, 3), _tube_faces(2 * UP, AROUND))


def box_mesh(center: Array, half: Array) -> Mesh:
    """Return the box around `center` (3,) with half sizes `half` (3,), m."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    return Mesh(center + half * corners, faces.astype(np.int32))


def _tube_faces(rings: int, around: int) -> NDArray[np.int32]:
    """Two triangles between neighbours; the first and last rings are points, whose triangles have no area."""
    ring, column = np.meshgrid(np.arange(rings - 1), np.arange(around), indexing="ij")
    following = (column + 1) % around
    a, b = ring * around + column, ring * around + following
    c, d = a + around, b + around
    return np.concatenate([np.stack([a, b, d], -1).reshape(-1, 3), np.stack([a, d, c], -1).reshape(-1, 3)]).astype(
        np.int32
    )


def _frame(axis: Array) -> tuple[Array, Array, Array]:
    """Two directions across a unit axis (3,), right-handed, and the axis itself."""
    across = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    u = across / np.linalg.norm(across)
    return u, np.cross(axis, u), axis
