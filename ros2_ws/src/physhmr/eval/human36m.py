"""Human3.6M (Ionescu et al. 2014): actors in a room, marker truth, four fixed cameras; z up, floor at 0, mm, 50 Hz.

Layout of the original archives (anibali/h36m-fetch, open-mmlab/mmhuman3d): <subject>/Videos/<action>.<camera>.mp4,
<subject>/MyPoseFeatures/D3_Positions/<action>.cdf with `Pose` (1, T, 96), and metadata.xml with the cameras: `w0` holds
for each camera and each of 11 subjects three angles and a place (X_c = Rx Ry Rz (X - place)), then for each camera
f, c, k1 k2 k3, p1 p2; `dbcameras/index2id` names the cameras. CDF files need the package cdflib.
"""

from __future__ import annotations

import importlib
import re
import xml.etree.ElementTree as ET
from functools import partial
from pathlib import Path

import numpy as np

from physhmr.errors import CameraError, MotionFileError
from physhmr.eval.clips import RealClip
from physhmr.eval.dataset_world import dataset_clip, ray_joints, video_rate
from physhmr.eval.datasets import Sequences
from physhmr.geometry.rotation import hinges_to_matrix
from physhmr.motion.array_file import numbers
from physhmr.types import RAY_JOINTS, Array, CameraModel

FPS = 50.0
MILLIMETRE = 1e-3
SUBJECTS = 11
CAMERAS = 4
_POSE, _LENS = 6, 9
"""Numbers in `w0` for a camera's pose and lens."""
SIZES = {"54138969": (1000, 1002), "55011271": (1000, 1000), "58860488": (1000, 1000), "60457274": (1000, 1002)}
"""px of each camera."""
JOINT_AT = {
    "R_Hip": 1, "R_Knee": 2, "R_Ankle": 3, "L_Hip": 6, "L_Knee": 7, "L_Ankle": 8, "L_Shoulder": 17, "L_Elbow": 18,
    "L_Wrist": 19, "R_Shoulder": 25, "R_Elbow": 26, "R_Wrist": 27,
}  # fmt: skip
"""Of its 32 joints."""


def human36m(folder: Path, body: str) -> Sequences:
    """Every video under `folder` by name, such as S9_Directions_1_54138969; `body` is not needed."""
    paths = sorted(path for path in folder.glob("S*/Videos/*.mp4") if path.stem.rpartition(".")[2] in SIZES)
    return {name: partial(_clip, name, path, folder) for name, path in zip(map(_name, paths), paths, strict=True)}


def _name(video: Path) -> str:
    return f"{video.parent.parent.name}_{re.sub('[ .]', '_', video.stem)}"


def _clip(name: str, video: Path, folder: Path) -> RealClip:
    action, _, camera_id = video.stem.rpartition(".")
    subject = video.parent.parent
    joints = _read_positions(subject / "MyPoseFeatures" / "D3_Positions" / f"{action}.cdf")
    camera, T_cw = read_camera(folder / "metadata.xml", int(subject.name[1:]), camera_id)
    names = sorted(JOINT_AT, key=RAY_JOINTS.index)
    rays = ray_joints(joints[:, [JOINT_AT[name] for name in names]], names)
    fps = video_rate(video, FPS)
    return dataset_clip(name, video, fps, rays, camera, T_cw, "z", "Human3.6M, fixed camera", floor_known=True)


def read_camera(metadata: Path, subject: int, camera_id: str) -> tuple[CameraModel, Array]:
    """A camera and T_cw (4, 4) in m for one subject; raises `CameraError` for another layout of `metadata`."""
    try:
        root = ET.parse(metadata).getroot()
        index = [element.text for element in root.findall("dbcameras/index2id/*")].index(camera_id)
        w0 = np.array([float(word) for word in str(root.findtext("w0")).strip("[] \n").split()])
    except (OSError, ET.ParseError, ValueError) as error:
        raise CameraError(f"{metadata} does not describe camera {camera_id}: {error}") from error
    if len(w0) != CAMERAS * (SUBJECTS * _POSE + _LENS) or not np.isfinite(w0).all() or not 1 <= subject <= SUBJECTS:
        raise CameraError(f"{metadata} must hold poses of {CAMERAS} cameras and {SUBJECTS} subjects, S{subject}'s too")
    pose = w0[_POSE * (index * SUBJECTS + subject - 1) :][:_POSE]
    fx, fy, cx, cy, k1, k2, k3, p1, p2 = w0[CAMERAS * SUBJECTS * _POSE + _LENS * index :][:_LENS]
    T_cw = np.eye(4)
    T_cw[:3, :3] = hinges_to_matrix(pose[:3])
    T_cw[:3, 3] = -T_cw[:3, :3] @ (MILLIMETRE * pose[3:])
    K = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    return CameraModel(K, *SIZES[camera_id], np.array([k1, k2, p1, p2, k3])), T_cw


def _read_positions(path: Path) -> Array:
    """(T, 32, 3) m."""
    if not path.is_file():
        raise MotionFileError(f"there is no {path}")
    try:
        cdflib = importlib.import_module("cdflib")
    except ImportError as error:
        raise MotionFileError("Human3.6M's CDF files need cdflib: pip install 'physhmr[captures]'") from error
    try:
        pose = cdflib.CDF(path).varget("Pose")
    # The package raises whatever its parser stumbles over.
    except Exception as error:
        raise MotionFileError(f"{path} is not a CDF file with 'Pose': {error!r}") from error
    rows = numbers(path.name, "Pose", np.reshape(pose, (-1, np.shape(pose)[-1])), (None, 96))
    return MILLIMETRE * rows.reshape(len(rows), 32, 3)
