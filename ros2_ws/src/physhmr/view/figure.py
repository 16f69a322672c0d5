"""The humanoid's capsules and boxes in the world, ready to be drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from physhmr.body.humanoid_mjcf import body_geom
from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import BODY_NAMES, Skeleton
from physhmr.types import Array

_CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)


@dataclass(frozen=True)
class Figure:
    """Shapes of one pose, world frame, m."""

    joints_w: Array
    """(24, 3) body origins."""
    capsule_bodies: tuple[int, ...]
    """Body of each of the C capsules."""
    ends_w: Array
    """(C, 2, 3)."""
    radius: Array
    """(C,)."""
    box_bodies: tuple[int, ...]
    corners_w: Array
    """(B, 8, 3)."""


class FigureMaker:
    """Places the shapes of one body; those of humanoid_mjcf.body_geom, so what is drawn is what collides."""

    def __init__(self, skeleton: Skeleton) -> None:
        """Prepare the shapes in their bodies' frames."""
        self.skeleton = skeleton
        geoms, height = [body_geom(name, skeleton) for name in BODY_NAMES], skeleton.shape.height
        self._capsules = tuple(body for body, geom in enumerate(geoms) if geom.kind == "capsule")
        self._boxes = tuple(body for body, geom in enumerate(geoms) if geom.kind == "box")
        self._ends_b = height * np.array([(geoms[body].start, geoms[body].end) for body in self._capsules])
        self._radius = height * np.array([geoms[body].radius for body in self._capsules])
        center = np.array([geoms[body].start for body in self._boxes])[:, None]
        half = np.array([geoms[body].end for body in self._boxes])[:, None]
        self._corners_b = height * (center + half * _CORNERS)

    def __call__(self, qpos: Array) -> Figure:
        """Return the shapes of the pose qpos (76,)."""
        pos, rot = forward_kinematics(qpos, self.skeleton)
        return Figure(
            pos,
            self._capsules,
            _place(self._ends_b, self._capsules, pos, rot),
            self._radius,
            self._boxes,
            _place(self._corners_b, self._boxes, pos, rot),
        )


def _place(points_b: Array, bodies: tuple[int, ...], pos: Array, rot: Array) -> Array:
    index = list(bodies)
    return points_b @ np.swapaxes(rot[index], 1, 2) + pos[index][:, None]
