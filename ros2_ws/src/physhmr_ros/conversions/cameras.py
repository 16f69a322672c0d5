"""CameraInfo to a camera and back, transforms to 4x4 poses."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from sensor_msgs.msg import CameraInfo
from tf2_msgs.msg import TFMessage

from physhmr.geometry.camera_info import CameraCalibration, camera_from_info
from physhmr.geometry.rotation import matrix_to_quat, quat_to_matrix
from physhmr.types import Array, CameraModel
from physhmr_ros.conversions.primitives import header, to_ns


def camera(message: CameraInfo, rectified: bool = False, T_wc: Array | None = None) -> CameraModel:
    """Return the camera that a CameraInfo describes, standing at T_wc (4, 4) if that is known.

    Raises `CameraError` for an uncalibrated (all-zero) or unusable message.
    """
    calibration = CameraCalibration(
        width=message.width,
        height=message.height,
        k=message.k,
        d=np.asarray(message.d, float),
        distortion_model=message.distortion_model,
        r=message.r,
        p=message.p,
        binning_x=message.binning_x,
        binning_y=message.binning_y,
        roi_x=message.roi.x_offset,
        roi_y=message.roi.y_offset,
        roi_width=message.roi.width,
        roi_height=message.roi.height,
    )
    return camera_from_info(calibration, rectified, T_wc)


def camera_info(model: CameraModel, stamp_ns: int, frame_id: str) -> CameraInfo:
    """Return the CameraInfo of a camera without region of interest or binning."""
    rational = model.distortion.size == 8
    return CameraInfo(
        header=header(stamp_ns, frame_id),
        width=model.width,
        height=model.height,
        distortion_model="rational_polynomial" if rational else "plumb_bob",
        d=np.pad(model.distortion, (0, max(0, 5 - model.distortion.size))).tolist(),
        k=model.K.ravel(),
        r=np.eye(3).ravel(),
        p=np.pad(model.K, ((0, 0), (0, 1))).ravel(),
    )


def static_transform(T: Array, stamp_ns: int, parent: str, child: str) -> TFMessage:
    """Return T_parent_child (4, 4) as a message for /tf_static."""
    return TFMessage(transforms=[stamped(T, stamp_ns, parent, child)])


def stamped(T: Array, stamp_ns: int, parent: str, child: str) -> TransformStamped:
    """Return T_parent_child (4, 4) at a time."""
    x, y, z = T[:3, 3].tolist()
    w, i, j, k = matrix_to_quat(T[:3, :3]).tolist()
    transform = Transform(translation=Vector3(x=x, y=y, z=z), rotation=Quaternion(x=i, y=j, z=k, w=w))
    return TransformStamped(header=header(stamp_ns, parent), child_frame_id=child, transform=transform)


def pose(message: Transform) -> Array:
    """Return a transform as T (4, 4)."""
    rotation, translation = message.rotation, message.translation
    T = np.eye(4)
    T[:3, :3] = quat_to_matrix(np.array([rotation.w, rotation.x, rotation.y, rotation.z]))
    T[:3, 3] = translation.x, translation.y, translation.z
    return T


def _is_pose(message: Transform) -> bool:
    rotation, translation = message.rotation, message.translation
    turn = np.array([rotation.w, rotation.x, rotation.y, rotation.z])
    finite = np.isfinite(turn).all() and np.isfinite([translation.x, translation.y, translation.z]).all()
    return bool(finite and np.linalg.norm(turn) > 0.5)


def transforms(message: TFMessage) -> list[tuple[str, str, Array, int]]:
    """Return (parent, child, T_parent_child, stamp in ns) of each transform in a TF message that is one.

    Numbers that are not finite, and rotations by a quaternion of almost no length, are left out.
    """
    return [
        (one.header.frame_id, one.child_frame_id, pose(one.transform), to_ns(one.header.stamp))
        for one in message.transforms
        if _is_pose(one.transform)
    ]


def without(message: TFMessage, frames: str, stamps: Collection[int]) -> TFMessage:
    """Return a recorded TF message without what the chain will tell anew.

    That is whatever leads to a frame whose name begins with `frames` (the humanoid's bodies; empty: none), and
    whatever bears one of these `stamps` (ns): of images, for only our perception stamps a static pose like an image.
    """
    kept = [
        one
        for one in message.transforms
        if not (frames and one.child_frame_id.startswith(frames)) and to_ns(one.header.stamp) not in stamps
    ]
    return TFMessage(transforms=kept)
