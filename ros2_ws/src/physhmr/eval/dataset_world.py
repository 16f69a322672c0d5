"""From a data set's world to ours: z up, metres, the floor at z = 0, the 12 joints of the rays, camera poses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from physhmr.errors import CameraError, MotionFileError, ShapeError
from physhmr.eval.clips import RealClip
from physhmr.eval.pose2sim import JointTrack
from physhmr.geometry.rotation import Y_UP_TO_Z_UP
from physhmr.types import RAY_JOINTS, Array, CameraModel

ANKLE_HEIGHT = 0.08
"""m of the ankle joint of a standing person: what tells the floor where the data set does not."""
LOWEST = 2.0
"""Percentile of the lower ankle's height that is taken for standing."""
NOT_RIGID = 1e-3
"""Singular values of a camera's rotation may be so far from 1."""
SAME_RATE = 0.005
"""59.94 Hz is 60 Hz."""
_TURN = {"y": Y_UP_TO_Z_UP, "z": np.eye(3)}
_ANKLES = [RAY_JOINTS.index(name) for name in ("L_Ankle", "R_Ankle")]
_SHOULDERS = [RAY_JOINTS.index(name) for name in ("L_Shoulder", "R_Shoulder")]


def ray_joints(points: Array, names: Sequence[str]) -> Array:
    """(T, 12, 3): the joints of the rays out of (T, J, 3) called `names` in our words."""
    return points[:, [names.index(name) for name in RAY_JOINTS]]


def dataset_clip(
    name: str, video: Path, fps: float, joints: Array, camera: CameraModel, T_cw: Array, up: str, note: str,
    floor_known: bool = False,
) -> RealClip:  # fmt: skip
    """One clip with its truth in our world.

    `joints` (T, 12, 3) m in the data set's world whose axis `up` is y or z, rows of NaN where nobody knows; `T_cw`
    (4, 4) or (T, 4, 4) takes that world to the camera. Raises `MotionFileError` for bodies that do not stand
    along that axis, `CameraError` for what is no rigid motion.
    """
    if joints.ndim != 3 or joints.shape[1:] != (len(RAY_JOINTS), 3):
        raise ShapeError("joints", f"(T, {len(RAY_JOINTS)}, 3)", joints.shape)
    T = _to_our_world(name, joints, up, floor_known)
    truth = joints @ T[:3, :3].T + T[:3, 3]
    T_wc = T @ np.linalg.inv(_rigid(name, T_cw))
    track = JointTrack(fps, RAY_JOINTS, truth, np.round(1e9 * np.arange(len(truth)) / fps))
    moving = T_cw.ndim == 3
    if moving and len(T_cw) != len(joints):
        raise ShapeError("T_cw", (len(joints), 4, 4), T_cw.shape)
    said = note if floor_known else f"{note}; the floor is taken to lie {ANKLE_HEIGHT:g} m below the lowest true ankles"
    return RealClip(
        name, video, replace(camera, T_wc=T_wc[0] if moving else T_wc), track, said,
        fps=fps, frames=len(truth), T_wc=T_wc if moving else None,
    )  # fmt: skip


def video_rate(video: Path, nominal: float) -> float:
    """Hz, as the video says; raises `MotionFileError` if that is not the `nominal` rate of its truth."""
    capture = cv2.VideoCapture(str(video))
    fps = float(capture.get(cv2.CAP_PROP_FPS))
    capture.release()
    if abs(fps / nominal - 1) > SAME_RATE:
        raise MotionFileError(f"{video} has {fps:g} Hz, its truth {nominal:g}; is this the original video?")
    return fps


def _to_our_world(name: str, joints: Array, up: str, floor_known: bool) -> Array:
    """(4, 4)."""
    known = joints[np.isfinite(joints).all((1, 2))] @ _TURN[up].T
    if len(known) < 2:
        raise MotionFileError(f"{name} has no two frames with a truth")
    if np.median(known[:, _SHOULDERS, 2].mean(1) - known[:, _ANKLES, 2].mean(1)) <= 0:
        raise MotionFileError(f"{name}: bodies do not stand along {up}, which should be up; is this the original data?")
    T = np.eye(4)
    T[:3, :3] = _TURN[up]
    if not floor_known:
        T[2, 3] = ANKLE_HEIGHT - np.percentile(known[:, _ANKLES, 2].min(1), LOWEST)
    return T


def _rigid(name: str, T: Array) -> Array:
    """Poses (..., 4, 4) with the rotations that lie nearest to theirs: files hold few digits."""
    if T.shape[-2:] != (4, 4) or not np.isfinite(T).all():
        raise CameraError(f"{name}: a camera's pose must be 4x4 finite numbers, got {T.shape}")
    left, scale, right = np.linalg.svd(T[..., :3, :3])
    whole = T.copy()
    whole[..., :3, :3] = left @ right
    if np.abs(scale - 1).max() > NOT_RIGID or (np.linalg.det(whole[..., :3, :3]) < 0).any():
        raise CameraError(f"{name}: a camera's pose holds no rotation")
    return whole
