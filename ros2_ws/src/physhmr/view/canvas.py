"""Draws world geometry into an image through a camera: clipped in front of the lens, far things first."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from physhmr.body.skeleton import BODY_NAMES
from physhmr.geometry.camera import distort, require_pose
from physhmr.types import Array, CameraModel
from physhmr.view.figure import Figure
from physhmr.view.palette import Colour, mix, side_colour

NEAR = 0.1
"""m; what is nearer to the lens is cut off."""
_SHIFT = 4  # cv2 takes pixels in units of 2^-4
_OUTSIDE = 1.2  # points this many image radii off axis stay there: lens polynomials fold further out
_DARK: Colour = (18, 20, 26)
_LIGHT: Colour = (255, 255, 255)


class Canvas:
    """An RGB image (H, W, 3), drawn on in place, seen through a camera whose pose is known."""

    def __init__(self, image: NDArray[np.uint8], camera: CameraModel) -> None:
        """Raises `CameraError` while the camera's pose is unknown."""
        self.image = image
        T_wc = require_pose(camera)
        self._R_wc, self._center_w, self._camera = T_wc[:3, :3], T_wc[:3, 3], camera
        half = np.array([camera.width, camera.height]) / np.array([camera.K[0, 0], camera.K[1, 1]])
        self._radius = _OUTSIDE * float(np.linalg.norm(half))

    def segments(self, starts_w: Array, ends_w: Array, colours: Sequence[Colour], width: int = 1) -> None:
        """Draw lines (N, 3) to (N, 3) m, one colour each."""
        pixels, visible, _ = self._segments(np.stack([starts_w, ends_w], 1))
        for (start, end), colour, seen in zip(pixels, colours, visible, strict=True):
            if seen:
                cv2.line(self.image, start, end, colour, width, cv2.LINE_AA, _SHIFT)

    def capsules(self, ends_w: Array, radius: Array, colour: Colour) -> None:
        """Draw flat thick lines (N, 2, 3) m with `radius` (N,) m."""
        pixels, visible, depth = self._segments(ends_w)
        for (start, end), width, seen in zip(pixels, self._widths(radius, depth), visible, strict=True):
            if seen:
                cv2.line(self.image, start, end, colour, int(width), cv2.LINE_AA, _SHIFT)

    def polygon(self, points_w: Array, colour: Colour) -> None:
        """Fill the convex hull of points (N, 3) m, if all of them are in front of the lens."""
        points_c = self._to_camera(points_w)
        if (points_c[:, 2] > NEAR).all():
            hull = cv2.convexHull(self._pixels(points_c))
            cv2.fillConvexPoly(self.image, hull, colour, cv2.LINE_AA, _SHIFT)

    def figure(self, figure: Figure) -> None:
        """Draw a humanoid: outlined, lit from the upper left, darker with depth."""
        pixels, visible, depths = self._segments(figure.ends_w)
        widths = self._widths(figure.radius, depths)
        corners_c = self._to_camera(figure.corners_w)
        bodies = (*figure.capsule_bodies, *figure.box_bodies)
        depths = np.concatenate([depths, corners_c[..., 2].mean(1)])
        shades = _shades(depths)
        for index in np.argsort(-depths):
            colour = mix(side_colour(BODY_NAMES[bodies[index]]), _DARK, shades[index])
            if index >= len(pixels):
                self._box(corners_c[index - len(pixels)], mix(colour, _DARK, 0.1))
            elif visible[index]:
                self._limb(pixels[index], int(widths[index]), colour)

    def _limb(self, ends: NDArray[np.int32], width: int, colour: Colour) -> None:
        """Three strokes: rim, body, and a highlight moved towards the light."""
        lit = ends - np.int32((width << _SHIFT) // 7)
        strokes = ((ends, width + 2, mix(colour, _DARK, 0.55)), (ends, width, colour))
        for line, thickness, tone in (*strokes, (lit, max(width // 3, 1), mix(colour, _LIGHT, 0.22))):
            cv2.line(self.image, line[0], line[1], tone, thickness, cv2.LINE_AA, _SHIFT)

    def _box(self, corners_c: Array, colour: Colour) -> None:
        if not (corners_c[:, 2] > NEAR).all():
            return
        hull = cv2.convexHull(self._pixels(corners_c))
        cv2.fillConvexPoly(self.image, hull, colour, cv2.LINE_AA, _SHIFT)
        cv2.polylines(self.image, [hull], True, mix(colour, _DARK, 0.55), 1, cv2.LINE_AA, _SHIFT)

    def _segments(self, ends_w: Array) -> tuple[NDArray[np.int32], NDArray[np.bool_], Array]:
        """Fixed-point pixels (N, 2, 2) of lines (N, 2, 3), which are visible (N,), and their mean depth (N,) m."""
        ends_c = self._to_camera(ends_w)
        depth = ends_c[..., 2]
        visible: NDArray[np.bool_] = np.any(depth > NEAR, axis=1)
        other = depth[:, ::-1]
        # An end behind the lens moves along the line until it is just in front.
        share = np.where(
            (depth < NEAR) & visible[:, None], (NEAR - depth) / np.where(other > depth, other - depth, 1), 0
        )
        clipped = ends_c + share[..., None] * (ends_c[:, ::-1] - ends_c)
        clipped[~visible] = (0.0, 0.0, 1.0)
        return self._pixels(clipped), visible, clipped[..., 2].mean(1)

    def _to_camera(self, points_w: Array) -> Array:
        return (points_w - self._center_w) @ self._R_wc

    def _pixels(self, points_c: Array) -> NDArray[np.int32]:
        plane = points_c[..., :2] / np.maximum(points_c[..., 2:], 1e-6)
        length = np.sqrt((plane * plane).sum(-1, keepdims=True))
        plane *= np.minimum(1.0, self._radius / np.maximum(length, 1e-9))
        if self._camera.distortion.any():
            plane = distort(self._camera, plane)
        K = self._camera.K
        return np.round((plane @ K[:2, :2].T + K[:2, 2]) * (1 << _SHIFT)).astype(np.int32)

    def _widths(self, radius: Array, depth: Array) -> Array:
        """Stroke widths (N,) px, at least 1 and never wider than the image."""
        width = 2.0 * self._camera.K[0, 0] * radius / np.maximum(depth, NEAR)
        return np.clip(width, 1, self.image.shape[1]).round()


def _shades(depth: Array) -> Array:
    """Share of darkness (N,): 0 for the nearest, up to 0.45 for what is 0.6 m behind it."""
    return 0.45 * np.clip((depth - depth.min()) / 0.6, 0.0, 1.0)
