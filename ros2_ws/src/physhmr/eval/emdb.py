"""EMDB (Kaufmann et al. 2023): a walking camera, SMPL truth from body-worn sensors; y up, 30 Hz.

Layout (github.com/eth-ait/emdb, dataset.md): P0..P9 / <sequence> / images / 00000.jpg ... and
P0_<sequence>_data.pkl with `smpl` (poses_root (T, 3), poses_body (T, 69), trans (T, 3), betas (10,)), `camera`
(intrinsics (3, 3), extrinsics (T, 4, 4) world to camera, width, height), `gender` and `good_frames_mask` (T,). It has
no joint positions: those need SMPL's body. The pickle is read by `array_pickle`, which runs nothing. That y is up is
how the authors' viewer shows the files; it is not written down.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from physhmr.errors import MotionFileError
from physhmr.eval.clips import RealClip
from physhmr.eval.dataset_world import dataset_clip, ray_joints
from physhmr.eval.datasets import Sequences, body_of, entry
from physhmr.motion.array_file import numbers
from physhmr.motion.array_pickle import load_array_pickle
from physhmr.motion.smpl import JOINTS, smpl_points
from physhmr.types import CameraModel

FPS = 30.0


def emdb(folder: Path, body: str) -> Sequences:
    """Every sequence under `folder` by name, such as P0_00_mvs_a; `body` is SMPL's npz, braces take the gender."""
    paths = sorted(folder.glob("P*/*/*_data.pkl"))
    return {path.stem.removesuffix("_data"): partial(_clip, path, body) for path in paths}


def _clip(path: Path, body: str) -> RealClip:
    name, sequence = path.name, path.stem.removesuffix("_data")
    content = load_array_pickle(name, path.read_bytes())
    smpl, camera = entry(name, content, "smpl"), entry(name, content, "camera")
    root = numbers(name, "poses_root", entry(name, smpl, "poses_root"), (None, 3))
    count = len(root)
    poses = numbers(name, "poses_body", entry(name, smpl, "poses_body"), (count, 69))
    trans = numbers(name, "trans", entry(name, smpl, "trans"), (count, 3))
    betas = numbers(name, "betas", np.ravel(entry(name, smpl, "betas")), (None,))
    rotvecs = np.concatenate([root, poses], 1).reshape(count, -1, 3)
    if not body:
        raise MotionFileError("EMDB holds SMPL's parameters, no joints: give SMPL's body as an npz (docs/training.md)")
    model = body_of(body, str(entry(name, content, "gender")))
    joints = ray_joints(smpl_points(model, rotvecs, betas, trans), JOINTS)
    good = numbers(name, "good_frames_mask", entry(name, content, "good_frames_mask"), (count,))
    joints[good == 0] = np.nan
    lens = CameraModel(
        numbers(name, "intrinsics", entry(name, camera, "intrinsics"), (3, 3)),
        int(entry(name, camera, "width")),
        int(entry(name, camera, "height")),
    )
    T_cw = numbers(name, "extrinsics", entry(name, camera, "extrinsics"), (count, 4, 4))
    return dataset_clip(sequence, path.parent / "images", FPS, joints, lens, T_cw, "y", "EMDB, moving camera")
