"""dm_control's motion capture: CMU clips fitted to its CMU humanoid, many in one HDF5 file (cmu_2020_*.h5).

Layout (google-deepmind/dm_control, locomotion/mocap/loader.py and mocap.proto): a group a clip with the attribute
`dt`, s, and walkers/walker_0/{position (3, T), quaternion (4, T), body_positions (93, T), body_quaternions (124, T)};
world z up, quaternions wxyz, bodies in the model's depth-first order without the root, and one after the head that the
published model lacks (0.14 m before it, fixed to it). At rest the model stands
in a T-pose, x left, y up, z forward, with legs splayed by 20 degrees; its bodies' frames are those of CMU's ASF files.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from physhmr.body.skeleton import Skeleton
from physhmr.errors import MotionFileError
from physhmr.geometry.rotation import Y_UP_TO_Z_UP, quat_to_matrix
from physhmr.motion.acclaim import JOINT_OF
from physhmr.motion.array_file import RATES_HZ, frame_rate, numbers, read_arrays
from physhmr.motion.onto_humanoid import transfer
from physhmr.motion.source import PoseStream, SourceMotion
from physhmr.types import Array

SOURCE = "CMU Graphics Lab Motion Capture Database, fitted by dm_control (Apache-2.0); free use with credit"
_ARM = ("lclavicle", "lhumerus", "lradius", "lwrist", "lhand", "lfingers", "lthumb")
_LEG = ("lhipjoint", "lfemur", "ltibia", "lfoot", "ltoes")
_TRUNK = ("lowerback", "upperback", "thorax", "lowerneck", "upperneck", "head")
BODIES = ("root", *_LEG, *(f"r{name[1:]}" for name in _LEG), *_TRUNK, *_ARM, *(f"r{name[1:]}" for name in _ARM))
_STORED = np.delete(np.arange(31), 16)
"""Where files have the bodies after the root: one that we do not know follows the head."""
FIELDS = {"position": 3, "quaternion": 4, "body_positions": 93, "body_quaternions": 124}
"""Name and numbers a frame."""
_PARENT = {"lowerneck": "thorax", "lclavicle": "thorax", "lhipjoint": "root", "lowerback": "root", "lthumb": "lhand"}
_REST_QUATS = {
    "femur": (0.9848078, 0.0, 0.0, 0.1736482), "tibia": (0.9848078, 0.0, 0.0, 0.1736482),
    "foot": (0.6963642, -0.6963642, -0.1227878, 0.1227878), "toes": (0.6963642, -0.6963642, -0.1227878, 0.1227878),
    "humerus": (0.1830127, 0.6830127, -0.6830127, 0.1830127), "radius": (0.1830127, 0.6830127, -0.6830127, 0.1830127),
    "wrist": (0.5, -0.5, 0.5, 0.5), "hand": (0.5, -0.5, 0.5, 0.5), "fingers": (0.5, -0.5, 0.5, 0.5),
}  # fmt: skip
"""wxyz of left bodies' frames at rest, in the model's axes; all others are parallel to them."""


def open_trajectories(path: Path) -> Callable[[str], bytes]:
    """A reader of clips, such as CMU_001_01, each as the content of an npz file; raises `MotionFileError`.

    Needs h5py (the captures extra).
    """
    try:
        h5py = importlib.import_module("h5py")
    except ImportError as error:
        raise MotionFileError(f"{path.name} needs h5py: pip install 'physhmr[captures]'") from error
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise MotionFileError(f"{path} is no HDF5 file: {error}") from error
    return lambda clip: _packed(file, clip)


def load_dm_control(name: str, content: bytes, skeleton: Skeleton) -> PoseStream:
    """What a clip asks of our bodies; raises `MotionFileError` for other content."""
    return transfer(read_trajectory(name, content), JOINT_OF, skeleton)


def read_trajectory(name: str, content: bytes) -> SourceMotion:
    """Read one clip that `open_trajectories` gave; raises `MotionFileError` for other content."""
    found = read_arrays(name, content, ("dt", *FIELDS))
    missing = [key for key in ("dt", *FIELDS) if key not in found]
    if missing:
        raise MotionFileError(f"{name} is no clip of dm_control: it lacks {', '.join(missing)}")
    step = float(numbers(name, "dt", np.ravel(found["dt"]), (1,))[0])
    return motion_of(
        name, step, {key: numbers(name, key, found[key], (width, None)).T for key, width in FIELDS.items()}
    )


def motion_of(name: str, step: float, fields: Mapping[str, Array]) -> SourceMotion:
    """The motion that `FIELDS`, each (T, numbers), tell every `step` s.

    Raises `MotionFileError` for an implausible rate, and where they contradict each other.
    Bones are as long as the first frame has them: each performer was fitted a model of his own.
    """
    fps = frame_rate(name, "1 / dt", 1.0 / max(step, 0.1 / RATES_HZ[1]))
    count = len(fields["position"])
    if count < 2 or any(len(field) != count for field in fields.values()):
        raise MotionFileError(f"{name}: {', '.join(FIELDS)} must have as many frames, and two at least")
    places, turns = (fields[f"body_{key}"].reshape(count, 31, -1)[:, _STORED] for key in ("positions", "quaternions"))
    pos = np.concatenate([fields["position"][:, None], places], 1)
    quats = np.concatenate([fields["quaternion"][:, None], turns], 1)
    if not np.abs(np.linalg.norm(quats, axis=-1) - 1).max() < 0.01:
        raise MotionFileError(f"{name}: quaternions must have length 1")
    rot = quat_to_matrix(quats)
    at_rest = np.stack([rest_rotation(body) for body in BODIES])
    rest = np.zeros((len(BODIES), 3))
    for index, body in enumerate(BODIES[1:], start=1):
        parent = BODIES.index(parent_of(body))
        bone = rot[0, parent].T @ (pos[0, index] - pos[0, parent])
        rest[index] = rest[parent] + at_rest[parent] @ bone
    turned = rot @ at_rest.swapaxes(-1, -2) @ Y_UP_TO_Z_UP.T
    return SourceMotion(name, fps, BODIES, rest @ Y_UP_TO_Z_UP.T, pos, turned, SOURCE, feet_follow_shanks=True)


def parent_of(body: str) -> str:
    """The body that `body` hangs on; raises `ValueError` for the root."""
    left = body if body in _TRUNK else f"l{body[1:]}"
    known = _PARENT.get(left)
    if known is None:
        limb = next(chain for chain in (_ARM, _LEG, _TRUNK) if left in chain)
        known = limb[limb.index(left) - 1]
    return known if known in ("root", *_TRUNK) else f"{body[0]}{known[1:]}"


def rest_rotation(body: str) -> Array:
    """(3, 3): the body's frame at rest in the model's axes; right bodies mirror the left ones at x = 0."""
    w, x, y, z = _REST_QUATS.get(body[1:], (1.0, 0.0, 0.0, 0.0))
    mirror = 1.0 if body.startswith("l") else -1.0
    return quat_to_matrix(np.array([w, x, mirror * y, mirror * z]))


def _packed(file: Any, clip: str) -> bytes:
    try:
        group = file[clip]
        arrays: dict[str, Any] = {key: np.asarray(group["walkers/walker_0"][key]) for key in FIELDS}
        arrays["dt"] = np.asarray(group.attrs["dt"])
    except (KeyError, TypeError, OSError, ValueError) as error:
        raise MotionFileError(f"{clip} is no clip of dm_control in {file.filename}: {error}") from error
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()
