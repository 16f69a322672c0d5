"""RayBundle to its message and back. A message without names says: this image was looked at, nobody was in it."""

from __future__ import annotations

import numpy as np

from physhmr.errors import ShapeError
from physhmr.types import KEYPOINTS, NUM_KEYPOINTS, Array, RayBundle
from physhmr_msgs.msg import RayBundle as RayBundleMessage
from physhmr_ros.conversions.primitives import doubles, header, to_ns


def to_message(stamp_ns: int, rays: RayBundle | None, frame_id: str) -> RayBundleMessage:
    """Return the rays of the image taken at `stamp_ns`, or that nobody was in it."""
    if rays is None:
        return RayBundleMessage(header=header(stamp_ns, frame_id))
    return RayBundleMessage(
        header=header(stamp_ns, frame_id),
        names=list(KEYPOINTS),
        origin_w=doubles(rays.origin_w),
        dir_w=doubles(rays.dir_w),
        score=doubles(rays.score),
        landmarks_w=doubles(rays.landmarks_w),
        person=rays.person,
        camera_known=rays.camera_known,
    )


def from_message(message: RayBundleMessage) -> tuple[int, RayBundle | None]:
    """Return the image's stamp in ns and its rays, None if nobody was in it.

    Raises `ShapeError` or `NonFiniteError` for a message that does not hold one row per known keypoint.
    """
    stamp_ns = to_ns(message.header.stamp)
    if not message.names:
        return stamp_ns, None
    if tuple(message.names) != KEYPOINTS:
        raise ShapeError("RayBundle.names", f"the {NUM_KEYPOINTS} keypoints of physhmr", f"{len(message.names)} others")
    bundle = RayBundle(
        stamp_ns=stamp_ns,
        origin_w=_rows("origin_w", message.origin_w),
        dir_w=_rows("dir_w", message.dir_w),
        score=np.asarray(message.score, float),
        landmarks_w=_rows("landmarks_w", message.landmarks_w),
        person=message.person,
        camera_known=message.camera_known,
    )
    return stamp_ns, bundle


def _rows(name: str, values: object) -> Array:
    flat = np.asarray(values, float)
    if flat.size != 3 * NUM_KEYPOINTS:
        raise ShapeError(f"RayBundle.{name}", f"({NUM_KEYPOINTS}, 3) row-major", flat.shape)
    return flat.reshape(NUM_KEYPOINTS, 3)
