"""Where the centre of mass may be while the robot stands."""

from __future__ import annotations

import cv2
import numpy as np

from physhmr.types import Array

INSIDE = 0.25
"""The centre of mass is wanted inside the support, shrunk by this share towards its middle."""


def nearest_support(point: Array, corners: Array) -> Array:
    """(2,) m nearest to `point` (2,) in the shrunk convex hull of the standing corners (N, 2), N >= 2."""
    middle = corners.mean(0)
    hull = cv2.convexHull((middle + (1 - INSIDE) * (corners - middle)).astype(np.float32))[:, 0].astype(float)
    if len(hull) > 2 and cv2.pointPolygonTest(hull.astype(np.float32), point.tolist(), False) >= 0:
        return point.copy()
    start, span = hull, np.roll(hull, -1, 0) - hull
    share = ((point - start) * span).sum(1) / np.maximum((span * span).sum(1), 1e-12)
    nearest = start + np.clip(share, 0.0, 1.0)[:, None] * span
    return nearest[np.argmin(np.linalg.norm(nearest - point, axis=1))]
