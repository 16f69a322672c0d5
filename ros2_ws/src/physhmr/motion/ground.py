"""The floor under a motion: when a foot bears weight, how far the pose must move up or down, and whether it topples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_banded
from scipy.ndimage import binary_dilation, gaussian_filter1d, maximum_filter1d

from physhmr.body.humanoid_mjcf import CONTROL_HZ, center_of_mass
from physhmr.body.kinematics import forward_kinematics
from physhmr.body.points import place_points
from physhmr.body.skeleton import Skeleton
from physhmr.body.soles import corner_positions, sole_corners
from physhmr.geometry.gravity import STANDARD
from physhmr.types import Array

Mask = NDArray[np.bool_]
CONTACT_SPEED = 0.35
"""m/s below which the lowest foot point is taken to stand on the floor."""
FREE_FALL = 5.0
"""m/s^2 between the body's vertical acceleration and gravity's below which nothing may be holding it."""
_BLUR = 3
"""Frames over which an acceleration is taken."""
TOUCHES = 0.04
"""m; a corner of a sole that is lower may bear weight."""
_DIRECTIONS = np.linspace(0.0, 2.0 * np.pi, 32, endpoint=False)
"""rad, in which an edge of what bears weight is looked for."""
_SMOOTHING = 1.5
"""Frames; larger leaves feet in the air, smaller carries every wobble of the feet into the trunk."""


def stand_on_floor(qpos: Array, skeleton: Skeleton) -> Array:
    """(T, 76) the poses moved vertically, smoothly, so that feet that bear weight touch z = 0 and none is below."""
    grounded = qpos.copy()
    grounded[:, 2] -= floor_offset(corner_positions(qpos, skeleton), qpos[:, 2])
    return grounded


def floor_offset(corners_w: Array, body_height: Array, fps: float = CONTROL_HZ) -> Array:
    """(T,) m to subtract from z: the supporting foot's height, interpolated through flight.

    `corners_w` (T, P, 3) m are the soles' corners, `body_height` (T,) m the pelvis (or any point near the
    centre of mass), whose fall tells flight from a fast step.
    """
    lowest = corners_w[..., 2].min(1)
    held = np.flatnonzero(supported(corners_w, body_height, fps))
    if len(held) == 0:
        return np.full(len(lowest), lowest.min())
    offset = np.interp(np.arange(len(lowest)), held, lowest[held])
    offset = gaussian_filter1d(offset, _SMOOTHING, mode="nearest")
    # What still dips below the floor is lifted: a running maximum under the same filter covers every dip.
    dip = maximum_filter1d(np.maximum(offset - lowest, 0.0), 5, mode="nearest")
    smooth = gaussian_filter1d(dip, _SMOOTHING / 2, mode="nearest")
    return np.minimum(offset - smooth, lowest)


def supported(corners_w: Array, body_height: Array, fps: float = CONTROL_HZ) -> Mask:
    """(T,) frames in which the body does not fall freely: nowhere near it, or with the lowest corner at rest."""
    speed = np.linalg.norm(np.gradient(corners_w, 1 / fps, axis=0), axis=-1)
    at_lowest = np.take_along_axis(speed, corners_w[..., 2].argmin(1)[:, None], 1)[:, 0]
    falling = free_fall(body_height, fps)
    # Take-off and landing blur the parabola's ends by a few frames; at its apex the feet rest, but on nothing.
    near = binary_dilation(falling, iterations=_BLUR)
    return ~near | ((at_lowest < CONTACT_SPEED) & ~falling)


def free_fall(height: Array, fps: float) -> Mask:
    """(T,) where heights (T,) m accelerate as gravity alone makes them, within `FREE_FALL`."""
    # Odd reflection: a clip that ends in mid-motion does not stop dead there.
    pad = min(2 * _BLUR, len(height) - 1)
    padded = np.pad(height, pad, mode="reflect", reflect_type="odd")
    acceleration = gaussian_filter1d(padded, 1.2, order=2)[pad : pad + len(height)] * fps**2
    return np.abs(acceleration + STANDARD) < FREE_FALL


def beyond_support(qpos: Array, skeleton: Skeleton, fps: float = CONTROL_HZ) -> Array:
    """(T,) m by which the zero moment point is outside of what touches the floor; 0 within, and in flight.

    There weight and inertia of poses (T, 76) would have to be borne (Vukobratovic and Borovac 2004): nobody can move
    like that where no foot is.
    """
    pos, rot = forward_kinematics(qpos, skeleton)
    center = gaussian_filter1d(center_of_mass(pos, rot, skeleton), _SMOOTHING, axis=0, mode="nearest")
    acceleration = np.gradient(np.gradient(center, 1 / fps, axis=0), 1 / fps, axis=0)
    weight = np.maximum(STANDARD + acceleration[:, 2:], 0.3 * STANDARD)
    borne_at = center[:, :2] - acceleration[:, :2] * center[:, 2:] / weight
    outward = np.stack([np.cos(_DIRECTIONS), np.sin(_DIRECTIONS)])
    corners = place_points(sole_corners(skeleton), pos, rot)
    edges = np.where(corners[..., 2:] < TOUCHES, corners[..., :2] @ outward, -np.inf).max(1)
    beyond = (borne_at @ outward - edges).max(1)
    return np.where(np.isfinite(beyond), np.maximum(beyond, 0.0), 0.0)


def pendulum(pushed_at: Array, height: float, fps: float = CONTROL_HZ) -> Array:
    """(T, 2) m, where a mass at `height` m is that the floor pushes at these places (T, 2); it rests at both ends.

    Of a mass that neither rises nor turns the zero moment point is c - height / g c'' (Kajita et al. 2003).
    """
    stiffness = height / STANDARD * fps**2
    bands = np.full((3, len(pushed_at)), -stiffness)
    bands[1] = 1.0 + 2.0 * stiffness
    bands[1, [0, -1]] = 1.0 + stiffness
    return np.asarray(solve_banded((1, 1), bands, pushed_at))
