"""Where a person will be: the reference carried forward by its own velocity, to make up for images that come late.

Who walks goes on walking. Limbs that swing on as well are a little nearer to the truth, but their velocities are
noisy: 13 of 62 humanoids fell with them, 7 without. The encoder, going on blindly, says no more than its velocities.
"""

from __future__ import annotations

import numpy as np

from physhmr.body.keypoints import keypoints_of
from physhmr.body.skeleton import Skeleton
from physhmr.body.tangent import pose_add
from physhmr.geometry.rays import shifted_rays
from physhmr.types import RayBundle, Reference

REST = 0.1
"""s: a limb, a turn, a rise goes on for so long at most, as if braked."""


def predicted(reference: Reference, seconds: float, skeleton: Skeleton) -> Reference:
    """The reference `seconds` later, which keeps its velocity over the floor; for none the same one.

    The velocity stays, because predictions of control steps that follow each other move by it. Raises `NonFiniteError`
    where it leads beyond all numbers.
    """
    if seconds <= 0.0:
        return reference
    move = REST * (1.0 - np.exp(-seconds / REST)) * reference.qvel
    move[:2] = seconds * reference.qvel[:2]
    qpos = pose_add(reference.qpos, move)
    qpos[7:] = np.clip(qpos[7:], *skeleton.ranges.T)
    return Reference(reference.stamp_ns + round(1e9 * seconds), qpos, reference.qvel)


def carried_along(rays: RayBundle, before: Reference, after: Reference, skeleton: Skeleton) -> RayBundle:
    """The rays moved as the keypoints of a person move from one pose to another: they miss the second as the first."""
    if after is before:
        return rays
    now_w, later_w = keypoints_of(np.stack([before.qpos, after.qpos]), skeleton)
    return shifted_rays(rays, later_w - now_w)
