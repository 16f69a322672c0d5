"""Least-squares alignment of point sets (Umeyama, "Least-squares estimation of transformation parameters", 1991)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from physhmr.errors import NonFiniteError, ShapeError
from physhmr.types import Array


@dataclass(frozen=True)
class Similarity:
    """x -> scale * R x + t, possibly one per leading index."""

    scale: Array
    """(...,)."""
    R: Array
    """(..., 3, 3) rotations, det = 1."""
    t: Array
    """(..., 3) m."""

    def __call__(self, points: Array) -> Array:
        """Move points (..., N, 3)."""
        return self.scale[..., None, None] * points @ np.swapaxes(self.R, -1, -2) + self.t[..., None, :]


def umeyama(source: Array, target: Array, with_scale: bool = True) -> Similarity:
    """Return the similarity (or rigid motion) that brings `source` nearest to `target`, both (..., N, 3) m.

    Minimises sum |s R x + t - y|^2 (eqs. 40-43). Where all source points coincide the scale is 1.
    Raises `ShapeError` for different shapes, `NonFiniteError` for NaN or infinity.
    """
    check_pair(source, target)
    x_mean, y_mean = source.mean(-2), target.mean(-2)
    x, y = source - x_mean[..., None, :], target - y_mean[..., None, :]
    U, singular, Vt = np.linalg.svd(np.swapaxes(y, -1, -2) @ x)
    sign = np.ones_like(singular)
    sign[..., 2] = np.sign(np.linalg.det(U @ Vt))  # a reflection is no rotation
    R = (U * sign[..., None, :]) @ Vt
    scale = np.ones(singular.shape[:-1])
    if with_scale:
        spread = (x * x).sum((-2, -1))
        scale = np.where(spread > 0, (singular * sign).sum(-1) / np.where(spread > 0, spread, 1.0), scale)
    return Similarity(scale, R, y_mean - scale[..., None] * (R @ x_mean[..., None])[..., 0])


def check_pair(estimate: Array, truth: Array) -> None:
    """Raise `ShapeError` unless both are equal in shape and (..., N, 3), `NonFiniteError` unless finite."""
    if np.shape(estimate) != np.shape(truth) or np.ndim(estimate) < 2 or np.shape(estimate)[-1] != 3:
        raise ShapeError("estimate", f"{np.shape(truth)} like the truth, (..., N, 3)", np.shape(estimate))
    for name, points in (("estimate", estimate), ("truth", truth)):
        bad = int((~np.isfinite(points)).sum())
        if bad:
            raise NonFiniteError(name, bad)
