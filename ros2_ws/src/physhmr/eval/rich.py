"""RICH (Huang et al. 2022): people in scanned scenes, fixed cameras, SMPL-X truth; z up after multicam2world, 30 Hz.

Layout (github.com/paulchhuang/rich_toolkit, README and its scripts), under data/: bodies/<split>/<sequence>/<frame>/
<subject>.pkl with SMPL-X' `global_orient`, `body_pose`, `betas`, `transl` in the frame of camera 0,
images/<split>/<sequence>/cam_<CC>/<frame>_<CC>.<png|jpeg|...>, scan_calibration/<scene>/calibration/<CCC>.xml
(OpenCV's CameraMatrix 3x4, Intrinsics, Distortion), multicam2world/<scene>_multicam2world.json (c, R, t:
x_w = c x R + t). It has no joint positions: those need SMPL-X' body. Sequences of several people are left out. A
sequence's gender is the user's to give: the body may hold braces only for a gender that `gender.json` (the toolkit's
resource/) names.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from functools import partial
from pathlib import Path

import numpy as np

from physhmr.errors import CameraError, MotionFileError
from physhmr.eval.clips import RealClip
from physhmr.eval.dataset_world import dataset_clip, ray_joints
from physhmr.eval.datasets import Sequences, body_of, entry
from physhmr.eval.image_folder import image_files, image_size
from physhmr.motion.array_file import numbers
from physhmr.motion.array_pickle import load_array_pickle
from physhmr.motion.smpl import JOINTS, NUM_JOINTS, SmplBody, smpl_points
from physhmr.types import RAY_JOINTS, Array, CameraModel

FPS = 30.0
LONG_SIDE, SHORT_SIDE = 4112, 3008
"""px of the original images; the calibration is theirs, whatever the scale of the images at hand."""


def rich(folder: Path, body: str) -> Sequences:
    """Every camera of every sequence by name, such as BBQ_001_guitar_cam_00; `body` is SMPL-X' npz."""
    paths = sorted(path for path in folder.glob("images/*/*/cam_*") if path.is_dir())
    return {f"{path.parent.name}_{path.name}": partial(_clip, path, folder, body) for path in paths}


def _clip(images: Path, folder: Path, body: str) -> RealClip:
    sequence, split = images.parent.name, images.parent.parent.name
    scene, _, subject = sequence.partition("_")
    subject = subject.split("_")[0]
    if not body:
        raise MotionFileError(
            "RICH holds SMPL-X' parameters, no joints: give SMPL-X' body as an npz (docs/training.md)"
        )
    files = image_files(images)
    joints = _true_joints(
        folder / "bodies" / split / sequence, [path.stem.split("_")[0] for path in files], subject,
        body_of(body, _gender(folder, body, subject)),
    )  # fmt: skip
    number = int(images.name.removeprefix("cam_"))
    camera, T_cw = read_camera(folder / "scan_calibration" / scene / "calibration" / f"{number:03d}.xml", files[0])
    scale, T = _world(folder / "multicam2world", scene, sequence)
    T_cw[:3, 3] *= scale
    joints = scale * joints @ T[:3, :3].T + T[:3, 3]
    name, note = f"{sequence}_{images.name}", "RICH, fixed camera"
    return dataset_clip(name, images, FPS, joints, camera, T_cw @ np.linalg.inv(T), "z", note)


def _true_joints(folder: Path, frames: list[str], subject: str, body: SmplBody) -> Array:
    """(T, 12, 3) m in the frame of camera 0, NaN in frames without a body; raises for several people."""
    people = {path.stem for path in folder.glob("*/*.pkl")}
    if people != {subject}:
        raise MotionFileError(f"bodies of {len(people)} people in {folder}; it must be {subject} alone")
    joints = np.full((len(frames), len(RAY_JOINTS), 3), np.nan)
    for index, frame in enumerate(frames):
        path = folder / frame / f"{subject}.pkl"
        if path.is_file():
            joints[index] = ray_joints(_body_points(path, body), JOINTS)[0]
    return joints


def _body_points(path: Path, body: SmplBody) -> Array:
    """(1, 22, 3)."""
    name = f"{path.parent.name}/{path.name}"
    content = load_array_pickle(name, path.read_bytes())
    parts = {key: np.ravel(entry(name, content, key)) for key in ("global_orient", "body_pose", "betas", "transl")}
    root, pose = (numbers(name, key, parts[key], (n,)) for key, n in (("global_orient", 3), ("body_pose", 63)))
    betas, trans = (numbers(name, key, parts[key], (n,)) for key, n in (("betas", None), ("transl", 3)))
    # A motion has two frames at least; this one stands still.
    rotvecs = np.concatenate([root, pose]).reshape(1, NUM_JOINTS, 3).repeat(2, 0)
    return smpl_points(body, rotvecs, betas, trans[None].repeat(2, 0))


def read_camera(path: Path, image: Path) -> tuple[CameraModel, Array]:
    """The camera of the original images and T_cw (4, 4); raises `CameraError` for another layout of `path`."""
    try:
        root = ET.parse(path).getroot()
        words = {key: str(root.findtext(f"{key}/data")).split() for key in ("CameraMatrix", "Intrinsics", "Distortion")}
        pose, K, lens = (np.array(words[key], float) for key in words)
    except (OSError, ET.ParseError, ValueError) as error:
        raise CameraError(f"{path} is not a calibration of RICH: {error}") from error
    if pose.size != 12 or K.size != 9 or lens.size < 2:
        raise CameraError(f"{path} must hold 12, 9 and 2 or more numbers, got {pose.size}, {K.size} and {lens.size}")
    width, height = image_size(image)
    size = (LONG_SIDE, SHORT_SIDE) if width > height else (SHORT_SIDE, LONG_SIDE)
    T_cw = np.vstack([pose.reshape(3, 4), [0.0, 0.0, 0.0, 1.0]])
    return CameraModel(K.reshape(3, 3), *size, np.array([*lens[:2], 0.0, 0.0])), T_cw


def _world(folder: Path, scene: str, sequence: str) -> tuple[float, Array]:
    """Scale, and T (4, 4) from the scaled frame of camera 0 to the world."""
    if scene == "LectureHall":
        # Scanned twice; rich_toolkit's users tell the scans apart by the chairs.
        scene = "LectureHall_chair" if "chair" in sequence else "LectureHall_yoga"
    path = folder / f"{scene}_multicam2world.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise MotionFileError(f"{path} is not JSON: {error}") from error
    T = np.eye(4)
    T[:3, :3] = numbers(path.name, "R", entry(path.name, content, "R"), (3, 3)).T
    T[:3, 3] = numbers(path.name, "t", np.ravel(entry(path.name, content, "t")), (3,))
    return float(numbers(path.name, "c", np.ravel(entry(path.name, content, "c")), (1,))[0]), T


def _gender(folder: Path, body: str, subject: str) -> str:
    """The subject's gender where `body` asks for it."""
    if "{" not in body:
        return ""
    path = folder / "gender.json"
    try:
        return str(entry(path.name, json.loads(path.read_text(encoding="utf-8")), str(int(subject))))
    except ValueError as error:
        raise MotionFileError(f"{path} is not JSON, or '{subject}' no number: {error}") from error
