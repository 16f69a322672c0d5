"""3DPW (von Marcard et al. 2018): a hand-held phone, joints from body-worn sensors and video; y up, 30 Hz.

Layout (the readme.txt that comes with it): imageFiles/<sequence>/image_00000.jpg ... and
sequenceFiles/{train,validation,test}/<sequence>.pkl, pickled by Python 2, with `jointPositions` (for each person
(T, 72): SMPL's 24 joints), `cam_poses` (T, 4, 4) world to camera, `cam_intrinsics` (3, 3) and `campose_valid` (for
each person (T,)). The pickle is read by `array_pickle`, which runs nothing. Sequences of two people are left out:
the chain follows one, and nobody says which.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from physhmr.errors import MotionFileError
from physhmr.eval.clips import RealClip
from physhmr.eval.dataset_world import dataset_clip, ray_joints
from physhmr.eval.datasets import Sequences, entry
from physhmr.eval.image_folder import image_files, image_size
from physhmr.motion.array_file import numbers
from physhmr.motion.array_pickle import load_array_pickle
from physhmr.motion.smpl import JOINTS
from physhmr.types import CameraModel

FPS = 30.0


def three_dpw(folder: Path, body: str) -> Sequences:
    """Every sequence under `folder` by name; `body` is not needed, the joints are in the files."""
    paths = sorted(folder.glob("sequenceFiles/*/*.pkl"))
    return {path.stem: partial(_clip, path, folder / "imageFiles" / path.stem) for path in paths}


def _clip(path: Path, images: Path) -> RealClip:
    name = path.name
    content = load_array_pickle(name, path.read_bytes())
    people = entry(name, content, "jointPositions")
    if len(people) != 1:
        raise MotionFileError(f"{len(people)} people; the chain follows one of them, and nobody says which")
    T_cw = numbers(name, "cam_poses", entry(name, content, "cam_poses"), (None, 4, 4))
    points = numbers(name, "jointPositions", people[0], (len(T_cw), 72)).reshape(len(T_cw), 24, 3)
    joints = ray_joints(points, JOINTS)
    valid = numbers(name, "campose_valid", np.ravel(entry(name, content, "campose_valid")[0]), (len(T_cw),))
    joints[valid == 0] = np.nan
    K = numbers(name, "cam_intrinsics", entry(name, content, "cam_intrinsics"), (3, 3))
    lens = CameraModel(K, *image_size(image_files(images)[0]))
    return dataset_clip(path.stem, images, FPS, joints, lens, T_cw, "y", "3DPW, moving camera")
