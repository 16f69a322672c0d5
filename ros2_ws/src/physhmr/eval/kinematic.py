"""The kinematic baseline: a detector's own 3-D landmarks, put into the world where its rays say."""

from __future__ import annotations

import numpy as np

from physhmr.errors import PhyshmrError
from physhmr.types import KEYPOINTS, Array, RayBundle

FOOT_LANDMARKS = [KEYPOINTS.index(name) for name in ("L_Heel", "R_Heel", "L_Toe", "R_Toe")]
FOOT_LANDMARK_CLEARANCE = 0.05
"""m; heel and toe landmarks lie inside the foot: on the floor they are about this high."""


def place_landmarks(rays: RayBundle) -> Array:
    """Return the landmarks (21, 3) m in the world, moved to where they lie nearest to their rays.

    Minimises sum w |(I - d d^T)(l + t - c)|^2 over the one translation t; no rotation, no scale, no memory.
    Raises `PhyshmrError` if fewer than two rays are seen.
    """
    across = rays.score[:, None, None] * (np.eye(3) - rays.dir_w[:, :, None] * rays.dir_w[:, None, :])
    normal, right = across.sum(0), (across @ (rays.origin_w - rays.landmarks_w)[..., None]).sum(0)[:, 0]
    if np.linalg.cond(normal) > 1e9:
        raise PhyshmrError(f"{np.count_nonzero(rays.score)} rays do not say where the landmarks are")
    return rays.landmarks_w + np.linalg.solve(normal, right)
