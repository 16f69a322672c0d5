"""Where a person will be: the reference carried forward by its own velocity, to make up for images that come late.

Letting limbs come to rest meanwhile, or the encoder go on blindly instead, gains nothing (`benchmarks/prediction.py`).
"""

from __future__ import annotations

import numpy as np

from physhmr.body.keypoints import keypoints_of
from physhmr.body.skeleton import Skeleton
from physhmr.body.tangent import pose_add
from physhmr.geometry.rays import shifted_rays
from physhmr.types import RayBundle, Reference


def predicted(reference: Reference, seconds: float, skeleton: Skeleton) -> Reference:
    """The reference `seconds` later, if it keeps its velocity; for none the same one.

    Raises `NonFiniteError` for a velocity that leads beyond all numbers.
    """
    if seconds <= 0.0:
        return reference
    qpos = pose_add(reference.qpos, seconds * reference.qvel)
    qpos[7:] = np.clip(qpos[7:], *skeleton.ranges.T)
    return Reference(reference.stamp_ns + round(1e9 * seconds), qpos, reference.qvel)


def carried_along(rays: RayBundle, before: Reference, after: Reference, skeleton: Skeleton) -> RayBundle:
    """The rays moved as the keypoints of a person move from one pose to another: they miss the second as the first."""
    if after is before:
        return rays
    now_w, later_w = keypoints_of(np.stack([before.qpos, after.qpos]), skeleton)
    return shifted_rays(rays, later_w - now_w)
