"""Acclaim motion: a skeleton (ASF) and what its bones do (AMC), as the CMU data base and HDM05 give it out.

Bones are named as Vicon's BodyBuilder does. Neither file tells the frame rate; both collections were taken at 120 Hz.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from physhmr.errors import MotionFileError
from physhmr.motion.source import SourceMotion, chain
from physhmr.types import Array

SOURCE = "an Acclaim file"
INCH = 0.0254
"""m, the unit of length, which files scale."""
FPS = 120.0
JOINT_OF = {
    "Pelvis": "root", "Torso": "lowerback", "Spine": "upperback", "Chest": "thorax", "Neck": "lowerneck",
    "Head": "head",
    "L_Hip": "lfemur", "L_Knee": "ltibia", "L_Ankle": "lfoot", "L_Toe": "ltoes", "L_Thorax": "lclavicle",
    "L_Shoulder": "lhumerus", "L_Elbow": "lradius", "L_Wrist": "lhand",
    "R_Hip": "rfemur", "R_Knee": "rtibia", "R_Ankle": "rfoot", "R_Toe": "rtoes", "R_Thorax": "rclavicle",
    "R_Shoulder": "rhumerus", "R_Elbow": "rradius", "R_Wrist": "rhand",
}  # fmt: skip
"""Our bodies -> joints as these files call them: a bone's joint is where it begins."""
_TURNS, _MOVES = ("rx", "ry", "rz"), ("tx", "ty", "tz")


@dataclass(frozen=True)
class _Bone:
    """From a joint to the next; the root has no length."""

    offset: Array
    """(3,) from its joint to its end, in the rest pose, in the file's unit."""
    axes: Array
    """(3, 3) about which its angles turn."""
    channels: tuple[str, ...]
    """rx, ry, rz, of the root also tx, ty, tz, in the order of the numbers in the AMC file."""


@dataclass(frozen=True)
class _Skeleton:
    bones: dict[str, _Bone]
    parents: dict[str, str]
    """Of every bone but the root; parents come first."""
    unit: float
    """m."""


def load_acclaim(name: str, content: bytes, asf: bytes, fps: float = FPS) -> SourceMotion:
    """Read one AMC clip of the skeleton `asf`; raises `MotionFileError` for what is no such file, or of another one."""
    try:
        skeleton = _read_skeleton(asf.decode())
        frames = list(_read_frames(content.decode()))
        joints = ("root", *skeleton.parents)
        turns = np.stack([_turns(skeleton, joint, frames) for joint in joints], 1)
        places = np.array([_values(skeleton, "root", frame, _MOVES) for frame in frames])
    except (ValueError, IndexError, KeyError, ZeroDivisionError, StopIteration) as error:
        raise MotionFileError(f"{name} or its skeleton is no Acclaim file: {error or 'it ends too early'}") from error
    if not (np.isfinite(turns).all() and np.isfinite(places).all()):
        raise MotionFileError(f"{name} holds numbers that are not finite")
    parents = [-1, *(joints.index(parent) for parent in skeleton.parents.values())]
    offsets = [np.zeros(3), *(skeleton.bones[parent].offset for parent in skeleton.parents.values())]
    unit = skeleton.unit
    return chain(
        name, fps, joints, parents, unit * np.array(offsets), unit * places, turns, SOURCE, feet_follow_shanks=True
    )


def _turns(skeleton: _Skeleton, joint: str, frames: list[dict[str, list[float]]]) -> Array:
    """(T, 3, 3) the bone's rotation in its parent's frame, of the angles about the bone's own axes."""
    angles = np.array([_values(skeleton, joint, frame, _TURNS) for frame in frames])
    axes = skeleton.bones[joint].axes
    return np.asarray(axes @ _about_xyz(angles) @ axes.T)


def _values(skeleton: _Skeleton, joint: str, frame: dict[str, list[float]], wanted: tuple[str, ...]) -> list[float]:
    """The frame's numbers for `wanted` channels of a bone; what it cannot do is zero."""
    channels = skeleton.bones[joint].channels
    numbers = dict(zip(channels, frame[joint] if channels else (), strict=True))
    return [numbers.get(channel, 0.0) for channel in wanted]


def _about_xyz(degrees: Array) -> Array:
    """(..., 3, 3) first about x, then y, then z, of fixed axes."""
    return np.asarray(Rotation.from_euler("xyz", degrees, degrees=True).as_matrix())


def _read_frames(text: str) -> Iterator[dict[str, list[float]]]:
    """The numbers of every bone, frame by frame: a line with the frame's number, then a line a bone."""
    frame: dict[str, list[float]] = {}
    for line in text.splitlines():
        words = line.split()
        if words == [":RADIANS"]:
            raise ValueError("angles must be in degrees, not radians")
        if not words or words[0][0] in "#:":
            continue
        if len(words) > 1:
            frame[words[0]] = [float(word) for word in words[1:]]
        elif frame:
            yield frame
            frame = {}
    yield frame


def _read_skeleton(text: str) -> _Skeleton:
    lines = iter([words for line in text.splitlines() if (words := line.split()) and words[0][0] != "#"])
    bones: dict[str, _Bone] = {}
    parents: dict[str, str] = {}
    units, section = {"length": "1.0", "angle": "deg"}, ""
    for words in lines:
        if words[0].startswith(":"):
            section = words[0]
        elif section == ":units":
            units[words[0]] = words[1]
        elif section == ":root" and words[0] == "order":
            bones["root"] = _Bone(np.zeros(3), np.eye(3), tuple(word.lower() for word in words[1:]))
        elif section == ":bonedata" and words[0] == "begin":
            name, bone = _read_bone(lines)
            bones[name] = bone
        elif section == ":hierarchy" and words[0] not in ("begin", "end"):
            if words[0] not in ("root", *parents):
                raise ValueError(f"{words[0]} has children before it has a parent")
            parents |= dict.fromkeys(words[1:], words[0])
    if "root" not in bones or not parents:
        raise ValueError("the skeleton has no root, or no hierarchy")
    if units["angle"] != "deg":
        raise ValueError(f"angles must be in degrees, not '{units['angle']}'")
    return _Skeleton(bones, parents, INCH / float(units["length"]))


def _read_bone(lines: Iterator[list[str]]) -> tuple[str, _Bone]:
    told: dict[str, list[str]] = {}
    for words in iter(lines.__next__, ["end"]):
        told.setdefault(words[0], words[1:])
    offset = float(told["length"][0]) * np.array(told["direction"], float)
    axes = _about_xyz(np.array(told["axis"][:3], float))
    return told["name"][0], _Bone(offset, axes, tuple(told.get("dof", ())))
