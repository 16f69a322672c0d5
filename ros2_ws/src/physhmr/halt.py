"""How a reference comes to rest when nobody is seen any more: it slows down while it straightens up.

A pose that stops in the middle of a step, or a stance that is blended in from wherever the humanoid is, leaves it
without support: on the bundled walk 10 of 12 losses ended in a fall, with this 7, and 1 once a policy had learned it.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from physhmr.body.humanoid_mjcf import CONTROL_HZ, standing_qpos
from physhmr.body.skeleton import Skeleton
from physhmr.body.soles import on_floor
from physhmr.body.tangent import pose_between, pose_difference
from physhmr.geometry.rotation import quat_multiply, rotvec_to_quat, up_axis, yaw_of, yaw_quat
from physhmr.types import NV, Array, Reference

STRAIGHTENED = 0.1
"""Share of the way to standing, a control step."""
KEPT = 0.9
"""Share of the horizontal velocity, a control step: from 1.2 m/s it takes 0.4 m to stop."""

WALKING = 0.3
"""m/s; who moves less can hold a pose: straightening up out of a squat is no help."""
LEANING = 0.6
"""rad of the pelvis from upright; who leans more falls, jumps or bows low, which no policy here has learned."""


def lean(reference: Reference) -> float:
    """rad, of the pelvis from upright."""
    return float(np.arccos(np.clip(up_axis(reference.qpos[3:7])[2], -1.0, 1.0)))


def can_wait(reference: Reference) -> bool:
    """Whether the pose can be held for a while as it is: nobody on the way somewhere, or on the way down."""
    return bool(lean(reference) <= LEANING and np.linalg.norm(reference.qvel[:2]) <= WALKING)


def moderated(reference: Reference, skeleton: Skeleton) -> Reference:
    """The reference, or what is as far from standing as it may lean: deep bows are followed a part of the way."""
    angle = lean(reference)
    if angle <= LEANING:
        return reference
    up_w = up_axis(reference.qpos[3:7])
    # Turned back about a horizontal axis; upside down, any will do.
    axis_w = np.array([up_w[1], -up_w[0], 0.0]) if abs(up_w[2]) < 1.0 - 1e-9 else np.array([1.0, 0.0, 0.0])
    back = rotvec_to_quat((angle - LEANING) * axis_w / np.linalg.norm(axis_w))
    share, qpos = LEANING / angle, reference.qpos.copy()
    qpos[3:7] = quat_multiply(back, qpos[3:7])
    qpos[7:] = (1.0 - share) * standing_qpos(skeleton)[7:] + share * qpos[7:]
    qvel = reference.qvel * np.r_[1.0, 1.0, np.full(NV - 2, share)]
    return Reference(reference.stamp_ns, on_floor(qpos, skeleton), qvel)


def stance(qpos: Array, skeleton: Skeleton) -> Array:
    """(..., 76) standing where the poses (..., 76) are, in their headings."""
    standing = np.broadcast_to(_standing(skeleton), qpos.shape).copy()
    standing[..., :2], standing[..., 3:7] = qpos[..., :2], yaw_quat(yaw_of(qpos[..., 3:7]))
    return standing


@cache
def _standing(skeleton: Skeleton) -> Array:
    """(76,) at the origin; made once, because it takes longer than the rest of a halting step."""
    return on_floor(standing_qpos(skeleton), skeleton)


def halting_motion(qpos: Array, qvel: Array, skeleton: Skeleton) -> tuple[Array, Array]:
    """Poses (..., 76) and velocities (..., 75) one control step later.

    Repeated, they end standing, in the heading that they had.
    """
    start = qpos.copy()
    start[..., :2] += KEPT * qvel[..., :2] / CONTROL_HZ
    after = pose_between(start, stance(start, skeleton), STRAIGHTENED)
    return after, CONTROL_HZ * pose_difference(qpos, after)


def halting(reference: Reference, skeleton: Skeleton) -> Reference:
    """The reference one control step later, as `halting_motion` says."""
    return Reference(reference.stamp_ns, *halting_motion(reference.qpos, reference.qvel, skeleton))
