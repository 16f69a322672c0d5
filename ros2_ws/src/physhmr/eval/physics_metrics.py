"""Is the motion physically plausible? Feet on the floor, and falls. World is z up, the floor is z = 0.

Foot points are (T, P, 3) m, for example the corners of the soles; contact is (T, P) bool. Skate and
penetration need no truth and run live. Foot sliding is GVHMR's, penetration and float follow PhysDiff
(arXiv 2212.02500).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physhmr.body.skeleton import BODY_INDEX
from physhmr.errors import NonFiniteError, ShapeError
from physhmr.eval.alignment import check_pair
from physhmr.types import Array

Mask = NDArray[np.bool_]

STILL = 0.01
"""m; a true foot that moves less than this in one frame is standing."""
CLEARANCE = 0.02
"""m; a foot point below this height touches the floor, where no contact forces are known."""
FALLEN_BELOW, UPRIGHT_ABOVE = 0.42, 0.55
"""Of the body height: down, and up again, is where the higher of pelvis and head passes these."""
_MM = 1000.0


def foot_sliding(estimate: Array, truth: Array) -> float:
    """Return the mean displacement of estimated foot points while the true ones stand still, mm/frame.

    NaN if no true foot point ever stands.
    """
    check_pair(estimate, truth)
    standing = np.linalg.norm(np.diff(truth, axis=0), axis=-1) < STILL
    moved = np.linalg.norm(np.diff(estimate, axis=0), axis=-1)
    return _MM * _mean(moved[standing])


def skate(points: Array, contact: Mask) -> float:
    """Return the mean horizontal motion of points in contact in both of two frames, mm/frame; NaN without any."""
    _check_points(points, contact)
    both = contact[1:] & contact[:-1]
    moved = np.linalg.norm(np.diff(points[..., :2], axis=0), axis=-1)
    return _MM * _mean(moved[both])


def touching(points: Array, clearance: float = CLEARANCE) -> Mask:
    """Return (T, P): which points are nearer than `clearance` m to the floor, or below it."""
    return points[..., 2] < clearance


def penetration(points: Array) -> float:
    """Return how deep the lowest point of each frame is below the floor, mean over all frames, mm."""
    _check_points(points)
    return _MM * float(np.maximum(-points[..., 2].min(-1), 0.0).mean())


def floating(points: Array, down: NDArray[np.bool_]) -> float:
    """Return the mean height of the lowest point above the floor in the frames where the true foot is `down`, mm.

    `down` is (T,); a point below the floor floats by 0. NaN if the foot is never down.
    """
    _check_points(points)
    if down.shape != points.shape[:1]:
        raise ShapeError("down", points.shape[:1], down.shape)
    return _MM * _mean(np.maximum(points[..., 2].min(-1), 0.0)[down])


def fallen(body_pos_w: Array, height: float) -> Mask:
    """Return (T,): where a body (T, 24, 3) m of `height` m lies down.

    Both pelvis and head must be low: a squat keeps the head up, a bow the pelvis. Hysteresis keeps one
    fall from being many.
    """
    if body_pos_w.ndim != 3 or body_pos_w.shape[1:] != (len(BODY_INDEX), 3):
        raise ShapeError("body_pos_w", (None, len(BODY_INDEX), 3), body_pos_w.shape)
    top = body_pos_w[:, [BODY_INDEX["Pelvis"], BODY_INDEX["Head"]], 2].max(1) / height
    down = np.zeros(len(top), bool)
    for frame, level in enumerate(top):
        was_down = bool(frame and down[frame - 1])
        down[frame] = level < (UPRIGHT_ABOVE if was_down else FALLEN_BELOW)
    return down


def count_falls(body_pos_w: Array, height: float) -> int:
    """Return how often a body (T, 24, 3) m goes from up to down; one that starts on the floor counts as one."""
    down = fallen(body_pos_w, height)
    return int((down & ~np.concatenate([[False], down[:-1]])).sum())


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else float("nan")


def _check_points(points: Array, contact: Mask | None = None) -> None:
    if points.ndim != 3 or points.shape[2] != 3 or 0 in points.shape:
        raise ShapeError("points", "(T, P, 3) with T, P >= 1", points.shape)
    bad = int((~np.isfinite(points)).sum())
    if bad:
        raise NonFiniteError("points", bad)
    if contact is not None and contact.shape != points.shape[:2]:
        raise ShapeError("contact", points.shape[:2], contact.shape)
