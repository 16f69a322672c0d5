"""BVH files: a hierarchy with Euler channels in degrees, then one line of numbers a frame. y is up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from physhmr.errors import MotionFileError
from physhmr.geometry.rotation import quat_to_matrix, rotvec_to_quat
from physhmr.motion.source import SourceMotion, chain
from physhmr.types import Array

CMU_SOURCE = (
    "CMU Graphics Lab Motion Capture Database (mocap.cs.cmu.edu, NSF EIA-0196217), as BVH; free use with credit"
)
CMU_JOINT_OF = {
    "Pelvis": "hip", "Torso": "abdomen", "Chest": "chest", "Neck": "neck", "Head": "head",
    "L_Hip": "lThigh", "L_Knee": "lShin", "L_Ankle": "lFoot", "L_Thorax": "lCollar", "L_Shoulder": "lShldr",
    "L_Elbow": "lForeArm", "L_Wrist": "lHand",
    "R_Hip": "rThigh", "R_Knee": "rShin", "R_Ankle": "rFoot", "R_Thorax": "rCollar", "R_Shoulder": "rShldr",
    "R_Elbow": "rForeArm", "R_Wrist": "rHand",
}  # fmt: skip
"""Our bodies -> joints of the CMU conversions."""
_AXES = {"Xrotation": 0, "Yrotation": 1, "Zrotation": 2}
_PLACES = {"Xposition": 0, "Yposition": 1, "Zposition": 2}


@dataclass
class _Hierarchy:
    joints: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[tuple[float, ...]] = field(default_factory=list)
    channels: list[tuple[str, ...]] = field(default_factory=list)


def load_bvh(name: str, content: bytes, unit: float = 0.01, source: str = CMU_SOURCE) -> SourceMotion:
    """Read one clip; `unit` is the file's length unit in metres. Raises `MotionFileError` when it is no BVH."""
    try:
        header, motion = content.decode("ascii").split("MOTION", 1)
        hierarchy = _parse(iter(header.split()))
        _, frames, _, _, interval, *numbers = motion.split()
        table = np.array(numbers, float).reshape(int(frames), sum(map(len, hierarchy.channels)))
    except (UnicodeDecodeError, ValueError, IndexError, StopIteration) as error:
        raise MotionFileError(f"{name} is not a BVH file: {error or 'it ends too early'}") from error
    if not np.isfinite(table).all():
        raise MotionFileError(f"{name} holds numbers that are not finite")
    root, local = _poses(hierarchy, table)
    return chain(
        name, 1.0 / float(interval), tuple(hierarchy.joints), hierarchy.parents, unit * np.array(hierarchy.offsets),
        unit * root, local, source,
    )  # fmt: skip


def _parse(words: Iterator[str]) -> _Hierarchy:
    """Walk the HIERARCHY block; end sites carry no channels and are left out."""
    found, open_joints, in_end_site = _Hierarchy(), [-1], False
    for word in words:
        if word in ("ROOT", "JOINT"):
            found.parents.append(open_joints[-1])
            open_joints.append(len(found.joints))
            found.joints.append(next(words))
        elif word == "End":
            in_end_site = True
        elif word == "OFFSET" and not in_end_site:
            found.offsets.append(tuple(float(next(words)) for _ in range(3)))
        elif word == "CHANNELS":
            found.channels.append(tuple(next(words) for _ in range(int(next(words)))))
        elif word == "}":
            if not in_end_site:
                open_joints.pop()
            in_end_site = False
    return found


def _poses(hierarchy: _Hierarchy, table: Array) -> tuple[Array, Array]:
    """Root positions (T, 3) in the file's unit and local rotations (T, J, 3, 3): the channels' product in order."""
    root = np.zeros((len(table), 3))
    local = np.tile(np.eye(3), (len(table), len(hierarchy.joints), 1, 1))
    column = 0
    for joint, channels in enumerate(hierarchy.channels):
        for channel in channels:
            if channel in _AXES:
                local[:, joint] = local[:, joint] @ _about(_AXES[channel], np.radians(table[:, column]))
            elif hierarchy.parents[joint] < 0:
                root[:, _PLACES[channel]] = table[:, column]
            column += 1
    return root, local


def _about(axis: int, angle: Array) -> Array:
    return quat_to_matrix(rotvec_to_quat(angle[:, None] * np.eye(3)[axis]))
