"""From body rotations to hinge angles inside their ranges, whole clips at once.

Motion brought onto our bones asks for one rotation per body, so each hinge triple has three equations of its
own. Rx Ry Rz = R has two solutions; `exact_angles` chooses between them over the whole clip, so that angles stay
inside their ranges and do not jump. Gauss-Newton passes, each pulled a little towards its own past and future,
then smooth what is noise in gimbal lock and let children make up for what stops keep their parents from.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from physhmr.body.skeleton import PARENTS, Skeleton
from physhmr.errors import ShapeError
from physhmr.geometry.rotation import hinges_to_matrix, matrix_to_hinges, matrix_to_quat, quat_to_rotvec
from physhmr.types import NUM_BODIES, NUM_HINGES, Array

PASSES = 25
PULL = 0.3
"""rad of error that is worth one rad off the smoothed path: nothing where J is regular, all in gimbal lock."""
SMOOTHING = 2.0
"""Frames, standard deviation of the path's smoothing in each pass."""
MAX_STEP = 0.35
"""rad per pass and hinge."""
EXCESS_COST = 30.0
"""Of one rad^2 outside a range for one frame, in rad^2 of change from frame to frame."""


def fit_hinges(rot_w: Array, skeleton: Skeleton) -> Array:
    """(T, ..., 69) hinge angles, rad, for world rotations (T, ..., 24, 3, 3); the leading axis is time."""
    if rot_w.ndim < 3 or rot_w.shape[-3:] != (NUM_BODIES, 3, 3):
        raise ShapeError("rot_w", f"(T, ..., {NUM_BODIES}, 3, 3)", rot_w.shape)
    ranges = skeleton.ranges.reshape(NUM_BODIES - 1, 3, 2)
    low, high, levels = ranges[..., 0], ranges[..., 1], _levels()
    angles = np.clip(exact_angles(_local_rotations(rot_w), low, high), low, high)
    for _ in range(PASSES):
        smooth = gaussian_filter1d(angles, SMOOTHING, axis=0, mode="nearest")
        angles = _improved(angles, rot_w, smooth, low, high, levels)
    return angles.reshape(*rot_w.shape[:-3], NUM_HINGES)


def exact_angles(local: Array, low: Array, high: Array) -> Array:
    """(T, ..., 3) angles with Rx Ry Rz = (T, ..., 3, 3): of two solutions a frame, the cheapest path (Viterbi).

    Cost: squared changes from frame to frame, and `EXCESS_COST` for what lies outside [low, high] (..., 3).
    """
    near = matrix_to_hinges(local)
    choices = np.stack([near, _wrapped(np.pi + near * np.array([1.0, -1.0, 1.0]))], -2)
    outside = choices - np.clip(choices, low[..., None, :], high[..., None, :])
    unary = EXCESS_COST * np.square(outside).sum(-1)
    cost, came_from = unary[0], np.zeros(unary.shape, int)
    for frame in range(1, len(local)):
        change = choices[frame][..., None, :] - choices[frame - 1][..., None, :, :]
        total = np.square(change).sum(-1) + cost[..., None, :]
        came_from[frame] = total.argmin(-1)
        cost = total.min(-1) + unary[frame]
    path = np.empty(local.shape[:-2], int)
    path[-1] = cost.argmin(-1)
    for frame in range(len(local) - 1, 0, -1):
        path[frame - 1] = np.take_along_axis(came_from[frame], path[frame][..., None], -1)[..., 0]
    return np.take_along_axis(choices, path[..., None, None], -2)[..., 0, :]


def _local_rotations(rot_w: Array) -> Array:
    """(..., 23, 3, 3): each body's rotation in its parent."""
    parents = [PARENTS[body] for body in range(1, NUM_BODIES)]
    return np.swapaxes(rot_w[..., parents, :, :], -1, -2) @ rot_w[..., 1:, :, :]


def _improved(angles: Array, rot_w: Array, guide: Array, low: Array, high: Array, levels: list[list[int]]) -> Array:
    """(..., 23, 3) after one step towards (..., 24, 3, 3); each level aims from where its parents really are."""
    out, reached = angles.copy(), np.empty_like(rot_w)
    reached[..., 0, :, :] = rot_w[..., 0, :, :]
    for level in levels:
        hinge = [body - 1 for body in level]
        parent = reached[..., [PARENTS[body] for body in level], :, :]
        goal = np.swapaxes(parent, -1, -2) @ rot_w[..., level, :, :]
        out[..., hinge, :] = _step(out[..., hinge, :], goal, guide[..., hinge, :], low[hinge], high[hinge])
        reached[..., level, :, :] = parent @ hinges_to_matrix(out[..., hinge, :])
    return out


def _step(angles: Array, goal: Array, guide: Array, low: Array, high: Array) -> Array:
    """One step of triples (..., 3) to (..., 3, 3): min |J x - e|^2 + |PULL (q + x - guide)|^2.

    e = log(R(q)^T R*). What meets its stop is held, and the others are solved again.
    """
    J = _jacobian(angles)
    error = quat_to_rotvec(matrix_to_quat(np.swapaxes(hinges_to_matrix(angles), -1, -2) @ goal))
    free = np.ones_like(angles)
    for _ in range(2):
        transposed = np.swapaxes(J * free[..., None, :], -1, -2)
        normal = transposed @ np.swapaxes(transposed, -1, -2) + PULL**2 * np.eye(3)
        right = (transposed @ error[..., None])[..., 0] + PULL**2 * (guide - angles)
        change = np.linalg.solve(normal, right[..., None])[..., 0]
        moved = angles + np.clip(change, -MAX_STEP, MAX_STEP)
        free = ((moved >= low) & (moved <= high)).astype(float)
    return np.clip(moved, low, high)


def _jacobian(angles: Array) -> Array:
    """(..., 3, 3) columns: the hinge axes in the child's frame, Rz^T Ry^T ex, Rz^T ey, ez."""
    cy, cz = np.cos(angles[..., 1]), np.cos(angles[..., 2])
    sy, sz = np.sin(angles[..., 1]), np.sin(angles[..., 2])
    zero, one = np.zeros_like(cy), np.ones_like(cy)
    return np.stack([cy * cz, sz, zero, -cy * sz, cz, zero, sy, zero, one], -1).reshape(*angles.shape, 3)


def _wrapped(angles: Array) -> Array:
    return (angles + np.pi) % (2 * np.pi) - np.pi


def _levels() -> list[list[int]]:
    """Bodies below the root, grouped by their depth in the tree."""
    depth = [0] * NUM_BODIES
    for body in range(1, NUM_BODIES):
        depth[body] = depth[PARENTS[body]] + 1
    return [[body for body in range(NUM_BODIES) if depth[body] == level] for level in range(1, max(depth) + 1)]
