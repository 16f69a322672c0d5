"""Pixel-as-ray (PhysHMR, arXiv 2510.02566, sec. 3): 2-D keypoints become rays in the world."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from physhmr.errors import ShapeError
from physhmr.geometry.camera import pixels_to_rays, require_pose
from physhmr.types import Array, CameraModel, Keypoints2d, RayBundle


def pixel_as_ray(keypoints: Keypoints2d, camera: CameraModel, person: int = 0, camera_known: bool = False) -> RayBundle:
    """Lift keypoints (21, 2) px to world rays: origin c, direction R K^-1 [u v 1]^T, normalised.

    Landmarks turn with the camera into world axes. A pixel that the lens cannot have produced gets
    score 0. `person` and `camera_known` are as in `RayBundle`. Raises `CameraError` while the camera's pose is unknown.
    """
    rows = world_rays(keypoints.xy, keypoints.score, keypoints.landmarks_c, camera)
    return RayBundle(keypoints.stamp_ns, *rows, person, camera_known)


def world_rays(xy: Array, score: Array, landmarks_c: Array, camera: CameraModel) -> tuple[Array, Array, Array, Array]:
    """Return origins, directions, scores and landmarks of a `RayBundle` for any number of frames.

    `xy` (..., 2) px, `score` (...), `landmarks_c` (..., 3) m; raises as `pixel_as_ray` does.
    """
    T_wc = require_pose(camera)
    R_wc = T_wc[:3, :3]
    dir_c, valid = pixels_to_rays(camera, xy)
    origin_w = np.broadcast_to(T_wc[:3, 3], dir_c.shape).copy()
    return origin_w, dir_c @ R_wc.T, np.where(valid, score, 0.0), landmarks_c @ R_wc.T


def scaled_rays(rays: RayBundle, scale: float) -> RayBundle:
    """Return the rays of all cameras in the world scaled about its origin, where people of another size have ours."""
    origin_w, landmarks_w = scale * rays.origin_w, scale * rays.landmarks_w
    others = tuple(scaled_rays(other, scale) for other in rays.others)
    return replace(rays, origin_w=origin_w, landmarks_w=landmarks_w, others=others)


def shifted_rays(rays: RayBundle, offset_w: Array) -> RayBundle:
    """Return the rays of all cameras in the world moved by (3,) m."""
    others = tuple(shifted_rays(other, offset_w) for other in rays.others)
    return replace(rays, origin_w=rays.origin_w + offset_w, others=others)


def ray_residual(origin_w: Array, dir_w: Array, point_w: Array) -> Array:
    """Return the perpendicular offset r = (p - c) - ((p - c) . d) d, (..., 3) m, of points from rays.

    All arguments (..., 3) and broadcastable, `dir_w` of unit length; r is zero on the ray and
    blind to depth. Raises `ShapeError` for other shapes.
    """
    for name, value in (("origin_w", origin_w), ("dir_w", dir_w), ("point_w", point_w)):
        if np.shape(value)[-1:] != (3,):
            raise ShapeError(name, "(..., 3)", np.shape(value))
    offset = np.asarray(point_w) - origin_w
    return offset - (offset * dir_w).sum(-1, keepdims=True) * dir_w


def weighed_residual(rays: RayBundle, points_w: Array) -> tuple[Array, Array]:
    """Return weights (21,) by confidence, that add up to 1, and the offsets (21, 3) m of keypoints from their rays."""
    weight = rays.score + 1e-9
    return weight / weight.sum(), ray_residual(rays.origin_w, rays.dir_w, points_w)


def misfit(weight: Array, residual: Array) -> float:
    """Return the mean distance, m, that `weighed_residual` stands for."""
    return float(weight @ np.linalg.norm(residual, axis=-1))


def ray_gap(one: RayBundle, other: RayBundle, min_score: float = 0.3) -> float:
    """Return by how many m the rays of two cameras to the same keypoints miss each other; a quarter miss by more.

    Counted are keypoints that both saw with `min_score`; infinite if these are fewer than 4, or if a quarter of the
    rays come nearest to each other behind a camera. Two people who stand where both look equally large may pass for
    one: of those 0.6 to 2.5 m apart, before two cameras placed at random, a tenth misses by less than 0.15 m.
    """
    both = (one.score >= min_score) & (other.score >= min_score)
    if both.sum() < 4:
        return np.inf
    a, b, apart = one.dir_w[both], other.dir_w[both], (other.origin_w - one.origin_w)[both]
    cosine = (a * b).sum(-1)
    sine2 = np.maximum(1.0 - cosine**2, 1e-9)
    along_a, along_b = (apart * a).sum(-1), (apart * b).sum(-1)
    reach_a, reach_b = (along_a - cosine * along_b) / sine2, (cosine * along_a - along_b) / sine2
    gap = np.linalg.norm(apart + reach_b[:, None] * b - reach_a[:, None] * a, axis=-1)
    return float(np.quantile(np.where((reach_a > 0.0) & (reach_b > 0.0), gap, np.inf), 0.75, method="higher"))


def place_on_rays(
    origin_w: Array, dir_w: Array, offset_w: Array, weight: Array, prior_w: Array, prior_weight: float
) -> Array:
    """Return the position p (3,) m at which the points p + offset come nearest to their rays.

    Minimises sum_k w_k |r_k|^2 + w_0 |p - prior|^2 with r of `ray_residual`; origins, directions and offsets
    (K, 3), weights (K,). Where the rays are blind, the prior decides.
    """
    projector = weight[:, None, None] * (np.eye(3) - dir_w[:, :, None] * dir_w[:, None, :])
    right = (projector @ (origin_w - offset_w)[:, :, None])[..., 0].sum(0)
    return np.linalg.solve(projector.sum(0) + prior_weight * np.eye(3), right + prior_weight * prior_w)
