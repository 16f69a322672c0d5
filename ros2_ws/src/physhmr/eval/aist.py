"""AIST++ (Li et al. 2021): dancers seen by nine fixed cameras, joints triangulated from them; y up, cm, 60 Hz.

Layout (github.com/google/aistplusplus_api, README and loader.py): keypoints3d/<sequence>.pkl with
`keypoints3d_optim` (T, 17, 3) in COCO's order, cameras/mapping.txt (sequence, setting a line),
cameras/<setting>.json (a list of name, size, matrix, rotation as a rotation vector, translation, distortions) and
ignore_list.txt; the AIST videos, named with the camera in place of cAll, in videos/ beside them. The pickles are read
by `array_pickle`, which runs nothing.
"""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from physhmr.errors import MotionFileError
from physhmr.eval.clips import RealClip
from physhmr.eval.dataset_world import dataset_clip, ray_joints, video_rate
from physhmr.eval.datasets import Sequences, entry
from physhmr.geometry.rotation import quat_to_matrix, rotvec_to_quat
from physhmr.motion.array_file import numbers
from physhmr.motion.array_pickle import load_array_pickle
from physhmr.types import Array, CameraModel

FPS = 60.0
CENTIMETRE = 0.01
COCO = (
    "Nose", "L_Eye", "R_Eye", "L_Ear", "R_Ear", "L_Shoulder", "R_Shoulder", "L_Elbow", "R_Elbow", "L_Wrist", "R_Wrist",
    "L_Hip", "R_Hip", "L_Knee", "R_Knee", "L_Ankle", "R_Ankle",
)  # fmt: skip
_CAMERA = re.compile(r"_(c\d\d)_")


def aist(folder: Path, body: str) -> Sequences:
    """Every video in `folder`/videos by name, such as gBR_sBM_c01_d04_mBR0_ch01; `body` is not needed."""
    paths = sorted(path for path in folder.glob("videos/*.mp4") if _CAMERA.search(path.name))
    return {path.stem: partial(_clip, path, folder) for path in paths}


def _clip(video: Path, folder: Path) -> RealClip:
    view = _CAMERA.findall(video.name)[0]
    sequence = _CAMERA.sub("_cAll_", video.stem)
    ignored = folder / "ignore_list.txt"
    if ignored.is_file() and sequence in ignored.read_text(encoding="utf-8").split():
        raise MotionFileError("the authors' ignore_list.txt names it: its joints are wrong")
    path = folder / "keypoints3d" / f"{sequence}.pkl"
    content = load_array_pickle(path.name, path.read_bytes())
    joints = CENTIMETRE * _with_gaps(path.name, entry(path.name, content, "keypoints3d_optim"))
    camera, T_cw = _camera(folder / "cameras", sequence, view)
    rays, fps = ray_joints(joints, COCO), video_rate(video, FPS)
    return dataset_clip(video.stem, video, fps, rays, camera, T_cw, "y", "AIST++, fixed camera")


def _with_gaps(name: str, points: Any) -> Array:
    """(T, 17, 3): frames in which the authors could not triangulate are NaN there, and stay it."""
    found = np.asarray(points)
    filled = np.nan_to_num(found) if found.dtype.kind == "f" else found
    whole = numbers(name, "keypoints3d_optim", filled, (None, len(COCO), 3))
    whole[~np.isfinite(found).all((1, 2))] = np.nan
    return whole


def _camera(folder: Path, sequence: str, view: str) -> tuple[CameraModel, Array]:
    """The camera `view` of the setting in which `sequence` was taken, and T_cw (4, 4) in metres."""
    lines = (folder / "mapping.txt").read_text(encoding="utf-8").splitlines()
    setting_of = dict(line.split() for line in lines if len(line.split()) == 2)
    path = folder / f"{entry('cameras/mapping.txt', setting_of, sequence)}.json"
    try:
        cameras = {camera["name"]: camera for camera in json.loads(path.read_text(encoding="utf-8"))}
    except (ValueError, KeyError, TypeError) as error:
        raise MotionFileError(f"{path} is not a list of AIST++ cameras: {error!r}") from error
    camera, name = entry(path.name, cameras, view), path.name
    T_cw = np.eye(4)
    T_cw[:3, :3] = quat_to_matrix(rotvec_to_quat(numbers(name, "rotation", entry(name, camera, "rotation"), (3,))))
    T_cw[:3, 3] = CENTIMETRE * numbers(name, "translation", entry(name, camera, "translation"), (3,))
    size = numbers(name, "size", entry(name, camera, "size"), (2,))
    K = numbers(name, "matrix", entry(name, camera, "matrix"), (3, 3))
    lens = numbers(name, "distortions", np.ravel(entry(name, camera, "distortions")), (None,))
    return CameraModel(K, int(size[0]), int(size[1]), lens), T_cw
