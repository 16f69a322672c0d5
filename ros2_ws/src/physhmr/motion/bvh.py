"""BVH files: a hierarchy with Euler channels in degrees, then one line of numbers a frame.

Every exporter has joints, names, axes and a rest pose of its own. Where these are known, as of CMU's conversions,
rotations are taken over; of any other file the places of the joints, which all mean alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from physhmr.body.skeleton import BODY_INDEX, BODY_NAMES, SMPL_TO_MUJOCO, Skeleton
from physhmr.errors import MotionFileError
from physhmr.geometry.rotation import Y_UP_TO_Z_UP, quat_to_matrix, rotvec_to_quat
from physhmr.motion.from_points import stream_from_points
from physhmr.motion.joint_names import bodies_of
from physhmr.motion.onto_humanoid import resampled, transfer
from physhmr.motion.smpl import JOINTS
from physhmr.motion.source import PoseStream, SourceMotion, along_chain, chain
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
"""Our bodies -> joints of the CMU conversions for DAZ."""
CMU_MOTIONBUILDER_JOINT_OF = {
    "Pelvis": "Hips", "Torso": "LowerBack", "Spine": "Spine", "Chest": "Spine1", "Neck": "Neck", "Head": "Head",
    "L_Hip": "LeftUpLeg", "L_Knee": "LeftLeg", "L_Ankle": "LeftFoot", "L_Toe": "LeftToeBase",
    "L_Thorax": "LeftShoulder", "L_Shoulder": "LeftArm", "L_Elbow": "LeftForeArm", "L_Wrist": "LeftFingerBase",
    "R_Hip": "RightUpLeg", "R_Knee": "RightLeg", "R_Ankle": "RightFoot", "R_Toe": "RightToeBase",
    "R_Thorax": "RightShoulder", "R_Shoulder": "RightArm", "R_Elbow": "RightForeArm", "R_Wrist": "RightFingerBase",
}  # fmt: skip
"""The same of the CMU conversions for MotionBuilder, which have the data base's own skeletons."""
_CMU_ALONE = {"LHipJoint", "RHipJoint", "LowerBack"}
"""Joints by which these are known."""
_DAZ_FIGURE = {"lShin": (0.0, -36.8199, 0.73152), "lFoot": (-0.73152, -45.1104, -5.12064)}
"""cm, offsets by which the others are known: they all have the same figure, names that others use, too."""
_LEGS, _ARMS = np.array([-0.1, 0.0, -0.995]), np.array([0.0, 0.99, -0.143])
"""Unit vectors, z up: where legs and left arms point in the rest pose of these files."""
_NODS = {"neck": -0.28, "head": 0.28}
"""rad by which neck and head are turned there about y, forward."""
ANY_SOURCE = "a BVH file"
STANDING = 0.2
"""Share of the frames, those in which an ankle is slowest, that show how the foot stands."""
_AXES = {"Xrotation": 0, "Yrotation": 1, "Zrotation": 2}
_PLACES = {"Xposition": 0, "Yposition": 1, "Zposition": 2}


@dataclass
class BvhFile:
    """What stands in a file, in its own axes and unit."""

    joints: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[tuple[float, ...]] = field(default_factory=list)
    channels: list[tuple[str, ...]] = field(default_factory=list)
    ends: dict[int, tuple[float, ...]] = field(default_factory=dict)
    """Offsets of end sites by their joint."""
    table: Array = field(default_factory=lambda: np.zeros((0, 0)))
    """A row of numbers a frame, one for each channel."""
    fps: float = 0.0


def load_bvh(name: str, content: bytes, skeleton: Skeleton, up: str = "", fps: float | None = None) -> PoseStream:
    """What a clip of whatever skeleton asks of our bodies: joints are known by their names, poses by their places.

    The length unit does not matter; `up` is the world's axis, y or z; empty: that along which heads are above hips
    most of the time. `fps` is for a file that tells a wrong rate. How limbs twist about themselves and the head turns
    is not taken over, but of CMU's clips as they were converted for MotionBuilder or DAZ: of these it is known what
    rotations mean. Raises `MotionFileError` when it is no BVH, joints are missing or an option makes no sense.
    """
    if up not in ("", "y", "z"):
        raise MotionFileError(f"{name}: up must be y, z or nothing, got '{up}'")
    if fps is not None and not 0.0 < fps < np.inf:
        raise MotionFileError(f"{name}: fps must be positive, got {fps}")
    file = read_bvh(name, content)
    file = replace(file, fps=fps or file.fps)
    if up != "z" and (joint_of := _cmu_joints(file)):
        motion = cmu_motion(name, file)
        if joint_of is CMU_JOINT_OF:
            return transfer(_as_performed(motion), joint_of, skeleton)
        return transfer(replace(motion, feet_follow_shanks=True), joint_of, skeleton)
    bodies = bodies_of(name, file.joints)
    places, rot = along_chain(file.parents, *_poses(file))
    ends = {joint: places[:, joint] + rot[:, joint] @ np.array(offset) for joint, offset in file.ends.items()}
    points = resampled(_points(bodies, file.parents, places, ends, skeleton), file.fps)
    upright = np.median(points[:, JOINTS.index("Head")] - points[:, JOINTS.index("Pelvis")], 0)
    if up == "y" or (not up and upright[1] > upright[2]):
        points = points @ Y_UP_TO_Z_UP.T
    return stream_from_points(name, points, skeleton, ANY_SOURCE, 2 * (_foot_slope(points),))


def _cmu_joints(file: BvhFile) -> dict[str, str]:
    """Our bodies -> joints of a conversion of CMU's data base; empty when it is none."""
    offset_of = dict(zip(file.joints, file.offsets, strict=True))
    if {*_CMU_ALONE, *CMU_MOTIONBUILDER_JOINT_OF.values()} <= offset_of.keys():
        return CMU_MOTIONBUILDER_JOINT_OF
    is_figure = all(np.allclose(offset_of.get(joint, 0.0), place) for joint, place in _DAZ_FIGURE.items())
    return CMU_JOINT_OF if is_figure and set(CMU_JOINT_OF.values()) <= offset_of.keys() else {}


def _as_performed(motion: SourceMotion) -> SourceMotion:
    """A conversion for DAZ, with the rest pose of CMU's performers.

    Offsets there are those of DAZ's figure, whose thighs, shanks and arms are bent at rest. The performers' are
    straight; where they point was measured on seven clips that CMU's own files tell, too: within 3 degrees of these.
    """
    rot = motion.rot_w.copy()
    for joint, nod in _NODS.items():
        rot[:, motion.joint(joint)] = rot[:, motion.joint(joint)] @ _about(1, np.array([nod]))
    rest = motion.rest_w.copy()
    for side, mirror in (("l", 1.0), ("r", -1.0)):
        for limb, direction in ((("Thigh", "Shin", "Foot"), _LEGS), (("Shldr", "ForeArm", "Hand"), _ARMS)):
            for above, below in pairwise(motion.joint(side + part) for part in limb):
                length = np.linalg.norm(motion.rest_w[below] - motion.rest_w[above])
                rest[below] = rest[above] + length * direction * (1.0, mirror, 1.0)
    return replace(motion, rest_w=rest, rot_w=rot)


def cmu_motion(name: str, file: BvhFile) -> SourceMotion:
    """A conversion of CMU's data base, centimetres and y up, as its rotations say."""
    shifts, local = _poses(file)
    offsets, root_pos = 0.01 * np.array(file.offsets), 0.01 * shifts[:, 0]
    return chain(name, file.fps, tuple(file.joints), file.parents, offsets, root_pos, local, CMU_SOURCE)


def read_bvh(name: str, content: bytes) -> BvhFile:
    """What a file says; raises `MotionFileError` when it is no BVH, or not of finite numbers."""
    try:
        header, motion = content.decode("utf-8-sig").split("MOTION", 1)
        file = _parse(iter(header.split()))
        _, frames, _, _, interval, *numbers = motion.split()
        table = np.array(numbers, float).reshape(int(frames), sum(map(len, file.channels)))
        fps = 1.0 / float(interval)
    except (UnicodeDecodeError, ValueError, IndexError, StopIteration, ZeroDivisionError) as error:
        raise MotionFileError(f"{name} is not a BVH file: {error or 'it ends too early'}") from error
    if not np.isfinite(table).all():
        raise MotionFileError(f"{name} holds numbers that are not finite")
    if len(table) < 2 or not 0.0 < fps < np.inf:
        raise MotionFileError(f"{name} needs two frames and a positive frame time, got {len(table)} and {interval}")
    return replace(file, table=table, fps=fps)


def _parse(words: Iterator[str]) -> BvhFile:
    """Walk the HIERARCHY block; end sites carry no channels."""
    found, open_joints, in_end_site = BvhFile(), [-1], False
    for word in words:
        if word in ("ROOT", "JOINT"):
            found.parents.append(open_joints[-1])
            open_joints.append(len(found.joints))
            found.joints.append(" ".join(iter(words.__next__, "{")))
        elif word == "End":
            in_end_site = True
        elif word == "OFFSET":
            offset = tuple(float(next(words)) for _ in range(3))
            if in_end_site:
                found.ends[open_joints[-1]] = offset
            else:
                found.offsets.append(offset)
        elif word == "CHANNELS":
            found.channels.append(tuple(next(words) for _ in range(int(next(words)))))
        elif word == "}":
            if not in_end_site:
                open_joints.pop()
            in_end_site = False
    return found


def _poses(file: BvhFile) -> tuple[Array, Array]:
    """(T, J, 3) where joints are in their parents, in the file's unit, and local rotations (T, J, 3, 3).

    Rotations are the channels' product in order. Joints that have position channels are where these say.
    """
    shifts = np.tile(np.array(file.offsets), (len(file.table), 1, 1))
    local = np.tile(np.eye(3), (len(file.table), len(file.joints), 1, 1))
    column = 0
    for joint, channels in enumerate(file.channels):
        for channel in channels:
            if channel in _AXES:
                local[:, joint] = local[:, joint] @ _about(_AXES[channel], np.radians(file.table[:, column]))
            else:
                shifts[:, joint, _PLACES[channel]] = file.table[:, column]
            column += 1
    return shifts, local


def _points(
    bodies: dict[str, int], parents: list[int], places: Array, ends: dict[int, Array], skeleton: Skeleton
) -> Array:
    """(T, 24, 3) SMPL's joints; spines have any number of joints, so ours lie as far up theirs as up our own."""
    at = {body: places[:, joint] for body, joint in bodies.items()}
    at["Pelvis"] = (at["L_Hip"] + at["R_Hip"]) / 2
    carry_both_legs = set(_ancestors(bodies["L_Hip"], parents)) & set(_ancestors(bodies["R_Hip"], parents))
    spine, joint = [at["Neck"]], parents[bodies["Neck"]]
    while joint >= 0 and joint not in carry_both_legs:
        spine.append(places[:, joint])
        joint = parents[joint]
    rest = {body: skeleton.rest_points[BODY_INDEX[body], 2] for body in ("L_Hip", "Torso", "Spine", "Chest", "Neck")}
    way = np.stack([at["Pelvis"], *reversed(spine)], 1)
    for body in ("Torso", "Spine", "Chest"):
        at[body] = _along(way, (rest[body] - rest["L_Hip"]) / (rest["Neck"] - rest["L_Hip"]))
    for side in "LR":
        ankle, thorax = f"{side}_Ankle", f"{side}_Thorax"
        at.setdefault(f"{side}_Toe", ends.get(bodies[ankle], at[ankle]))
        at.setdefault(thorax, at["Neck"] + 0.3 * (at[f"{side}_Shoulder"] - at["Neck"]))
        at[f"{side}_Hand"] = at[f"{side}_Wrist"]
    return np.stack([at[BODY_NAMES[index]] for index in SMPL_TO_MUJOCO], 1)


def _ancestors(joint: int, parents: list[int]) -> list[int]:
    found = []
    while (joint := parents[joint]) >= 0:
        found.append(joint)
    return found


def _along(way: Array, share: float) -> Array:
    """(T, 3) the points at this `share` of the length of polylines (T, N, 3)."""
    steps = np.linalg.norm(np.diff(way, axis=1), axis=-1)
    # Bones are rigid: how far up a joint lies is the same in every frame.
    lengths = np.concatenate([[0.0], np.cumsum(np.median(steps, 0))])
    at = float(np.interp(share * lengths[-1], lengths, np.arange(len(lengths))))
    low = min(int(at), len(lengths) - 2)
    part = at - low
    return np.asarray((1.0 - part) * way[:, low] + part * way[:, low + 1])


def _foot_slope(points: Array) -> float:
    """rad by which toes of (T, 24, 3) z-up points lie below their ankles, seen from these, while the foot stands."""
    slopes = []
    for side in "LR":
        ankle, toe = (points[:, JOINTS.index(f"{side}_{part}")] for part in ("Ankle", "Toe"))
        speed = np.linalg.norm(np.gradient(ankle, axis=0), axis=1)
        still = speed <= np.quantile(speed, STANDING)
        bone = (toe - ankle)[still]
        slopes.append(np.arctan2(-bone[:, 2], np.linalg.norm(bone[:, :2], axis=1)))
    return float(np.median(np.concatenate(slopes)))


def _about(axis: int, angle: Array) -> Array:
    return quat_to_matrix(rotvec_to_quat(angle[:, None] * np.eye(3)[axis]))
