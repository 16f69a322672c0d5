"""Pictures of any MuJoCo model without OpenGL: its surfaces as dense points in a depth buffer, lit from above.

Triangles are sampled so that neighbours are less than a pixel apart; the nearest sample of each pixel wins.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import mujoco
import numpy as np
from numpy.typing import NDArray

from physhmr.types import Array
from physhmr.view.meshes import Mesh, box_mesh, capsule_mesh
from physhmr.view.palette import Colour

Image = NDArray[np.uint8]
"""(H, W, 3) RGB."""
OVERSAMPLE = 2
LIGHT = np.array([0.35, -0.45, 0.82])
BACKGROUND: Colour = (246, 247, 249)
FLOOR: Colour = (226, 229, 234)
LINES: Colour = (205, 209, 216)
COLLISION_GROUP = 3


@dataclass(frozen=True)
class View:
    """A camera far away that looks at a point: parallel projection, so that sizes can be compared."""

    center_w: tuple[float, float, float]
    """m, in the middle of the picture."""
    height: float
    """m of the world from its lower to its upper edge."""
    azimuth: float = -0.9
    """rad; 0 looks along -x, at the face of who faces x."""
    elevation: float = 0.2
    """rad above the horizon."""

    def axes(self) -> Array:
        """(3, 3) rows: right, up, towards the camera."""
        ca, sa, ce, se = np.cos(self.azimuth), np.sin(self.azimuth), np.cos(self.elevation), np.sin(self.elevation)
        return np.array([[-sa, ca, 0.0], [-ca * se, -sa * se, ce], [ca * ce, sa * ce, se]])


class ModelPicture:
    """Draws poses of one model."""

    def __init__(self, model: mujoco.MjModel) -> None:
        """Collect the visible shapes; a model without any shows those that collide."""
        visible = np.flatnonzero(model.geom_group != COLLISION_GROUP).tolist() or range(model.ngeom)
        kinds = [geom for geom in visible if model.geom_type[geom] != mujoco.mjtGeom.mjGEOM_PLANE]
        self._model, self._shapes = model, {geom: _shape(model, geom) for geom in kinds}

    def __call__(self, qpos: Array, view: View, size: tuple[int, int]) -> Image:
        """A picture of (width, height) px of the pose (nq,), on a floor at z = 0."""
        placed = mujoco.MjData(self._model)
        placed.qpos[:] = qpos
        mujoco.mj_kinematics(self._model, placed)
        width, height = size[0] * OVERSAMPLE, size[1] * OVERSAMPLE
        scale, axes = height / view.height, view.axes()
        image = _ground(width, height, scale, view)
        samples = [self._samples(placed, geom, axes * scale) for geom in self._shapes]
        points, normals, colours = (np.concatenate(part) for part in zip(*samples, strict=True))
        pixel = points - scale * axes @ np.array(view.center_w)
        x, y = (0.5 * width + pixel[:, 0]).astype(int), (0.5 * height - pixel[:, 1]).astype(int)
        light = 0.45 + 0.55 * np.clip(np.abs(normals @ (axes @ (LIGHT / np.linalg.norm(LIGHT)))), 0, 1)
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        order = np.flatnonzero(inside)[np.argsort(pixel[inside, 2], kind="stable")]
        image[y[order], x[order]] = (colours[order] * light[order, None]).astype(np.uint8)
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)

    def _samples(self, placed: mujoco.MjData, geom: int, to_screen: Array) -> tuple[Array, Array, Array]:
        """Points (N, 3) px on the screen, unit normals (N, 3) there, colours (N, 3)."""
        mesh, colour = self._shapes[geom]
        vertices = (mesh.vertices @ placed.geom_xmat[geom].reshape(3, 3).T + placed.geom_xpos[geom]) @ to_screen.T
        a, b, c = (vertices[mesh.faces[:, k]] for k in range(3))
        normal = np.cross(b - a, c - a)
        area = 0.5 * np.linalg.norm(normal, axis=1)
        longest = np.sqrt(np.maximum.reduce([((b - a) ** 2).sum(1), ((c - a) ** 2).sum(1), ((c - b) ** 2).sum(1)]))
        steps = np.maximum(np.ceil(longest / 0.9).astype(int), 1)
        parts = []
        for count in np.unique(steps):
            chosen = np.flatnonzero(steps == count)
            u, v = _lattice(int(count))
            points = a[chosen, None] + u[:, None] * (b - a)[chosen, None] + v[:, None] * (c - a)[chosen, None]
            normals = normal[chosen] / np.maximum(2 * area[chosen, None], 1e-12)
            parts.append((points.reshape(-1, 3), np.repeat(normals, len(u), 0)))
        points, normals = (np.concatenate(part) for part in zip(*parts, strict=True))
        return points, normals, np.broadcast_to(colour, points.shape)


def _lattice(count: int) -> tuple[Array, Array]:
    """Barycentric coordinates (N,), (N,) that cover a triangle with `count` steps a side."""
    u, v = np.meshgrid((np.arange(count) + 1 / 3) / count, (np.arange(count) + 1 / 3) / count)
    inside = u + v <= 1.0
    return u[inside], v[inside]


def _shape(model: mujoco.MjModel, geom: int) -> tuple[Mesh, Array]:
    """The surface in the geom's frame, and its colour (3,) in 0..255."""
    kind, size = int(model.geom_type[geom]), model.geom_size[geom]
    material = model.geom_matid[geom]
    rgb = model.mat_rgba[material, :3] if material >= 0 else model.geom_rgba[geom, :3]
    # Black robots on paper show nothing: lift the shadows.
    colour = 255 * (0.2 + 0.8 * np.clip(rgb, 0, 1))
    if kind == mujoco.mjtGeom.mjGEOM_MESH:
        mesh = model.geom_dataid[geom]
        vertex, face = model.mesh_vertadr[mesh], model.mesh_faceadr[mesh]
        vertices = model.mesh_vert[vertex : vertex + model.mesh_vertnum[mesh]].astype(float)
        return Mesh(vertices, model.mesh_face[face : face + model.mesh_facenum[mesh]]), colour
    if kind == mujoco.mjtGeom.mjGEOM_BOX:
        return box_mesh(np.zeros(3), size), colour
    half = size[1] if kind in (mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_CYLINDER) else 1e-4
    return capsule_mesh(np.array([0, 0, -half]), np.array([0, 0, half]), float(size[0])), colour


def _ground(width: int, height: int, scale: float, view: View) -> Image:
    """The floor with lines every half metre, up to the horizon of its far edge."""
    image = np.full((height, width, 3), BACKGROUND, np.uint8)
    axes, center = view.axes(), np.array(view.center_w)
    reach, grid = 3.0, np.arange(-6, 7) * 0.5
    middle = np.array([*np.round(center[:2] * 2) / 2, 0.0])

    def pixels(points: Array) -> NDArray[np.int32]:
        screen = (points + middle - center) @ axes.T * scale
        return np.stack([0.5 * width + screen[:, 0], 0.5 * height - screen[:, 1]], -1).round().astype(np.int32)

    square = reach * np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], float)
    cv2.fillConvexPoly(image, pixels(square), FLOOR, cv2.LINE_AA)
    for offset in grid:
        for line in ([[offset, -reach, 0], [offset, reach, 0]], [[-reach, offset, 0], [reach, offset, 0]]):
            start, end = pixels(np.array(line, float)).tolist()
            cv2.line(image, start, end, LINES, OVERSAMPLE, cv2.LINE_AA)
    return image
