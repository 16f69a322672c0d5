"""Pictures of any MuJoCo model without OpenGL: its surfaces as dense points in a depth buffer, lit from above.

Surfaces are sampled a little denser than the pixels, each sample covers 2 x 2 of them, and the nearest wins.
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
SPACING = 0.8
"""Of samples, in oversampled pixels."""
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
        self._spacing = 0.0
        self._samples: dict[int, tuple[Array, Array]] = {}

    def __call__(self, qpos: Array, view: View, size: tuple[int, int]) -> Image:
        """A picture of (width, height) px of the pose (nq,), on a floor at z = 0."""
        placed = mujoco.MjData(self._model)
        placed.qpos[:] = qpos
        mujoco.mj_kinematics(self._model, placed)
        width, height = size[0] * OVERSAMPLE, size[1] * OVERSAMPLE
        scale, axes = height / view.height, view.axes()
        self._sample(SPACING / scale)
        image = _ground(width, height, scale, view)
        pixel, colour = self._place(placed, axes, np.array(view.center_w))
        x, y = 0.5 * width + scale * pixel[:, 0], 0.5 * height - scale * pixel[:, 1]
        inside = np.flatnonzero((x >= 1) & (x < width) & (y >= 1) & (y < height))
        order = inside[np.argsort(pixel[inside, 2])]
        columns, rows, colour = x[order].astype(np.int32), y[order].astype(np.int32), colour[order]
        # Later samples are nearer, so the largest index wins.
        nearest = np.full((height, width), -1, np.int64)
        for left, up in ((0, 0), (1, 0), (0, 1), (1, 1)):
            shifted = np.full_like(nearest, -1)
            shifted[rows - up, columns - left] = np.arange(len(order))
            nearest = np.maximum(nearest, shifted)
        seen = nearest >= 0
        image[seen] = colour[nearest[seen]]
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)

    def _sample(self, spacing: float) -> None:
        """Scatter points over all surfaces, `spacing` m apart on average; the same for the same spacing."""
        if not np.isclose(spacing, self._spacing, rtol=0.05):
            rng = np.random.default_rng(0)
            self._samples = {geom: _scatter(mesh, spacing, rng) for geom, (mesh, _) in self._shapes.items()}
            self._spacing = spacing

    def _place(self, placed: mujoco.MjData, axes: Array, center: Array) -> tuple[Array, NDArray[np.uint8]]:
        """Samples (N, 3) m on the screen, and their lit colours (N, 3)."""
        light, points, colours = LIGHT / np.linalg.norm(LIGHT), [], []
        for geom, (own, normals) in self._samples.items():
            rotation = placed.geom_xmat[geom].reshape(3, 3)
            points.append(own @ (axes @ rotation).T + axes @ (placed.geom_xpos[geom] - center))
            shade = 0.45 + 0.55 * np.abs(normals @ (rotation.T @ light))
            colours.append((shade[:, None] * self._shapes[geom][1]).astype(np.uint8))
        return np.concatenate(points), np.concatenate(colours)


def _scatter(mesh: Mesh, spacing: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Points (N, 3) m on a surface, evenly by area, and the unit normals (N, 3) there."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    double = np.linalg.norm(normal, axis=1)
    count = np.floor(0.5 * double / spacing**2 + rng.random(len(double))).astype(int)
    face = np.repeat(np.arange(len(count)), count)
    u, v = rng.random((2, len(face), 1))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    return a[face] + u * (b - a)[face] + v * (c - a)[face], normal[face] / double[face, None]


def _shape(model: mujoco.MjModel, geom: int) -> tuple[Mesh, Array]:
    """The surface in the geom's frame, and its colour (3,) in 0..255."""
    kind, size = int(model.geom_type[geom]), model.geom_size[geom]
    material = model.geom_matid[geom]
    rgb = model.mat_rgba[material, :3] if material >= 0 else model.geom_rgba[geom, :3]
    # Black robots on paper show nothing: lift the shadows.
    colour = 255 * (0.32 + 0.68 * np.clip(rgb, 0, 1))
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
