"""Whether the centre of mass is above what the body stands on."""

from __future__ import annotations

import cv2
import numpy as np

from physhmr.types import Array


def support_polygon(points: Array, com: Array) -> tuple[Array, float | None]:
    """Return the hull (M, 2) m of `points` (N, 2) m on the floor, and the support margin.

    The margin is the distance in m of `com` (2,) m, the centre of mass' floor projection, from the hull's edge:
    positive inside, negative outside, None without any point. The hull of points on a line has no inside.
    """
    if not len(points):
        return np.zeros((0, 2)), None
    # Around the centre of mass single precision is finer than a micrometre, wherever in the world the body is.
    # Adding zero makes -0 to 0, which OpenCV's hull takes for different points.
    hull = cv2.convexHull((points - com).astype(np.float32) + np.float32(0.0))
    margin = cv2.pointPolygonTest(hull, (0.0, 0.0), True)
    return hull[:, 0] + com, float(margin)
