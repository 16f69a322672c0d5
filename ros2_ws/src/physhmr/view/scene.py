"""The humanoid from the side, drawn in software: floor, shadow, rays, the real camera, the wanted pose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from physhmr.body.skeleton import Skeleton
from physhmr.geometry.camera import LEVEL_R_WC, camera_from_fov, with_pose
from physhmr.types import Array, CameraModel, RayBundle
from physhmr.view import palette
from physhmr.view.canvas import Canvas
from physhmr.view.figure import Figure, FigureMaker
from physhmr.view.hud import PANEL, draw_readings
from physhmr.view.overlay import MIN_SCORE, draw_reference
from physhmr.view.snapshot import Image, Snapshot

FIELD_OF_VIEW = np.deg2rad(46.0)
DISTANCE, EYE_HEIGHT, AIM_HEIGHT = 3.9, 1.65, 0.85
"""m, of the viewer from what it looks at, and both heights."""
SIDE_ANGLE = np.deg2rad(58.0)
"""The viewer stands this far around the person, away from the real camera."""
LEAN = 0.15
"""The viewer aims this share of the way from the person to the real camera, at most `MAX_LEAN` m."""
MAX_LEAN = 0.5
FOLLOW = 0.25
"""Share of the way to the person that the view moves per frame: it glides."""
CUT = 1.5
"""m: the view jumps to a person farther away than this."""
_FLOOR_CELLS = 5  # half size of the floor grid, m
_GRID_SHADES = [palette.mix(palette.GRID, palette.GROUND, share / 12) for share in range(12)]
_RAY_BEYOND = 0.25  # m that a ray is drawn past its joint


class SideView:
    """A small third-person camera that glides along with the humanoid."""

    def __init__(self, skeleton: Skeleton, width: int = 640, height: int = 480) -> None:
        """Pictures are `width` x `height` px."""
        self._make_figure = FigureMaker(skeleton)
        self._lens = _beside_the_panel(camera_from_fov(width, height, FIELD_OF_VIEW))
        self._aim_w: Array = np.zeros(3)
        self._following = False
        self._bearing = 0.0
        self._cells = _grid_cells()
        self._backdrop = _backdrop(self._lens)

    def draw(self, snapshot: Snapshot) -> Image:
        """Return a new picture (height, width, 3) of the snapshot."""
        figure = None if snapshot.qpos is None else self._make_figure(snapshot.qpos)
        self._follow(figure, snapshot.camera)
        viewer = self._viewer()
        image = self._backdrop.copy()
        canvas = Canvas(image, viewer)
        self._draw_floor(canvas)
        if figure is not None:
            _draw_shadow(canvas, figure)
        if snapshot.camera is not None and snapshot.camera.T_wc is not None:
            _draw_camera(canvas, snapshot.camera)
        if snapshot.rays is not None:
            _draw_rays(canvas, snapshot.rays, self._aim_w if figure is None else figure.joints_w[0])
        if figure is not None:
            canvas.figure(figure)
        if snapshot.reference_qpos is not None:
            draw_reference(canvas, self._make_figure(snapshot.reference_qpos).joints_w)
        draw_readings(image, snapshot.readings)
        return image

    def _follow(self, figure: Figure | None, camera: CameraModel | None) -> None:
        """Glide towards the person; the bearing is that of the real camera plus `SIDE_ANGLE`."""
        person = np.zeros(3) if figure is None else figure.joints_w[0] * [1.0, 1.0, 0.0]
        aim, bearing = person, 0.0
        if camera is not None and camera.T_wc is not None:
            offset = camera.T_wc[:3, 3] * [1.0, 1.0, 0.0] - person
            length = float(np.linalg.norm(offset))
            bearing = float(np.arctan2(offset[1], offset[0]))
            aim = person + offset * min(LEAN, MAX_LEAN / max(length, 1e-6))
        # A humanoid that is put elsewhere is met there: nobody waits for a glide across the room.
        if not self._following or np.linalg.norm(aim - self._aim_w) > CUT:
            self._aim_w, self._bearing, self._following = aim, bearing, figure is not None
        self._aim_w = self._aim_w + FOLLOW * (aim - self._aim_w)
        turn = (bearing - self._bearing + np.pi) % (2 * np.pi) - np.pi
        self._bearing += 0.1 * FOLLOW * turn

    def _viewer(self) -> CameraModel:
        """The virtual camera at its present place."""
        angle = self._bearing + SIDE_ANGLE
        aim = np.array([0.0, 0.0, AIM_HEIGHT])
        eye = np.array([DISTANCE * np.cos(angle), DISTANCE * np.sin(angle), EYE_HEIGHT])
        return with_pose(self._lens, look_at(self._aim_w + eye, self._aim_w + aim))

    def _draw_floor(self, canvas: Canvas) -> None:
        """Metre lines around the person, fading with distance."""
        cells = self._cells + np.round(self._aim_w)
        distance = np.linalg.norm(cells.mean(1) - self._aim_w, axis=1)
        near = distance < _FLOOR_CELLS
        colours = [_GRID_SHADES[int(d)] for d in len(_GRID_SHADES) * distance[near] / _FLOOR_CELLS]
        canvas.segments(cells[near, 0], cells[near, 1], colours)


def look_at(eye_w: Array, aim_w: Array) -> Array:
    """Return T_wc (4, 4) of a camera at `eye_w` (3,) m without roll whose axis passes through `aim_w` (3,) m."""
    forward = aim_w - eye_w
    yaw, pitch = np.arctan2(forward[1], forward[0]), np.arctan2(-forward[2], np.hypot(forward[0], forward[1]))
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    T_wc = np.eye(4)
    T_wc[:3, :3] = np.array([[cy * cp, -sy, cy * sp], [sy * cp, cy, sy * sp], [-sp, 0.0, cp]]) @ LEVEL_R_WC
    T_wc[:3, 3] = eye_w
    return T_wc


def frustum(camera: CameraModel, depth: float) -> Array:
    """Return the eye and the image's four corners at `depth` m, (5, 3) m in the world; the lens is left out."""
    assert camera.T_wc is not None
    corners = np.array([[0, 0, 1], [camera.width, 0, 1], [camera.width, camera.height, 1], [0, camera.height, 1]])
    points_c = np.vstack([np.zeros(3), depth * corners @ np.linalg.inv(camera.K).T])
    return points_c @ camera.T_wc[:3, :3].T + camera.T_wc[:3, 3]


def ray_ends(rays: RayBundle, near_w: Array) -> Array:
    """Return where to stop drawing each ray, (21, 3) m: a little behind the point nearest to `near_w` (3,) m."""
    reach = ((near_w - rays.origin_w) * rays.dir_w).sum(1)
    return rays.origin_w + rays.dir_w * (np.maximum(reach, 0.0) + _RAY_BEYOND)[:, None]


def _draw_shadow(canvas: Canvas, figure: Figure) -> None:
    flat = np.array([1.0, 1.0, 0.0])
    for corners in figure.corners_w:
        canvas.polygon(corners * flat, palette.SHADOW)
    canvas.capsules(figure.ends_w * flat, 0.9 * figure.radius, palette.SHADOW)


def _draw_camera(canvas: Canvas, camera: CameraModel) -> None:
    eye, *corners = frustum(camera, 0.35)
    starts = np.array([eye] * 4 + corners)
    ends = np.array([*corners, *corners[1:], corners[0]])
    canvas.segments(starts, ends, [palette.CAMERA] * len(starts))


def _draw_rays(canvas: Canvas, rays: RayBundle, person_w: Array) -> None:
    seen = rays.score >= MIN_SCORE
    ends = ray_ends(rays, person_w)
    colours = [palette.mix(palette.GROUND, palette.RAY, 0.25 + 0.5 * score) for score in rays.score[seen]]
    canvas.segments(rays.origin_w[seen], ends[seen], colours)


def _backdrop(viewer: CameraModel) -> Image:
    """Sky above the horizon, ground below it, both fading into it; the viewer's pitch never changes."""
    rows = np.arange(viewer.height)
    horizon = viewer.K[1, 2] - viewer.K[1, 1] * (EYE_HEIGHT - AIM_HEIGHT) / DISTANCE
    below = np.clip((rows - horizon) / (viewer.height - horizon), 0.0, 1.0)[:, None]
    column = np.array(palette.SKY) + np.sqrt(below) * (np.array(palette.GROUND) - np.array(palette.SKY))
    return np.repeat(column[:, None].astype(np.uint8), viewer.width, axis=1)


def _beside_the_panel(lens: CameraModel) -> CameraModel:
    """The lens with what it looks at in the middle of what the readings leave free, if that is half of the picture."""
    K = lens.K.copy()
    K[0, 2] += 0.5 * PANEL if lens.width >= 2 * PANEL else 0.0
    return replace(lens, K=K)


def _grid_cells() -> Array:
    """Unit pieces of the metre lines, (N, 2, 3) m around the origin."""
    n = _FLOOR_CELLS
    pieces = [((i, j, 0), (i, j + 1, 0)) for i in range(-n, n + 1) for j in range(-n, n)]
    along_x = np.array(pieces, float)
    return np.concatenate([along_x, along_x[..., [1, 0, 2]]])
