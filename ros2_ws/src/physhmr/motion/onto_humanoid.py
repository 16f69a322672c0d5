"""Bring captured motion onto our humanoid: transfer orientations, place the feet, fit inside the hinge ranges."""

from __future__ import annotations

from collections.abc import Mapping

import mujoco
import numpy as np
from scipy.ndimage import gaussian_filter1d

from physhmr.body.humanoid_mjcf import CONTROL_HZ
from physhmr.body.pose_fit import PoseFit, place_points
from physhmr.body.skeleton import BODY_INDEX, BODY_NAMES, PARENTS, Skeleton
from physhmr.body.soles import sole_corners
from physhmr.motion.source import SourceMotion
from physhmr.types import Array, MotionClip

CMU_EXPMAP_JOINTS = {
    "Pelvis": "root", "Torso": "lowerback", "Spine": "upperback", "Chest": "thorax", "Neck": "lowerneck",
    "Head": "head",
    "L_Hip": "lfemur", "L_Knee": "ltibia", "L_Ankle": "lfoot", "L_Toe": "ltoes", "L_Thorax": "lclavicle",
    "L_Shoulder": "lhumerus", "L_Elbow": "lradius", "L_Wrist": "lhand",
    "R_Hip": "rfemur", "R_Knee": "rtibia", "R_Ankle": "rfoot", "R_Toe": "rtoes", "R_Thorax": "rclavicle",
    "R_Shoulder": "rhumerus", "R_Elbow": "rradius", "R_Wrist": "rhand",
}  # fmt: skip
CMU_BVH_JOINTS = {
    "Pelvis": "hip", "Torso": "abdomen", "Chest": "chest", "Neck": "neck", "Head": "head",
    "L_Hip": "lThigh", "L_Knee": "lShin", "L_Ankle": "lFoot", "L_Thorax": "lCollar", "L_Shoulder": "lShldr",
    "L_Elbow": "lForeArm", "L_Wrist": "lHand",
    "R_Hip": "rThigh", "R_Knee": "rShin", "R_Ankle": "rFoot", "R_Thorax": "rCollar", "R_Shoulder": "rShldr",
    "R_Elbow": "rForeArm", "R_Wrist": "rHand",
}  # fmt: skip
_LIMBS = tuple(f"{side}_{part}" for side in "LR" for part in ("Hip", "Knee", "Shoulder", "Elbow"))
"""Bodies whose bone direction, not whose rest orientation, is what two skeletons have in common."""
CONTACT_SPEED = 0.35
"""m/s below which the lowest foot point is taken to stand on the floor."""


def onto_humanoid(
    motion: SourceMotion, joint_of: Mapping[str, str], model: mujoco.MjModel, skeleton: Skeleton
) -> MotionClip:
    """`motion` on our body at the control rate, feet on the floor, hinges inside their ranges."""
    frames = _resample(len(motion.pos_w), motion.fps)
    rot = _body_rotations(motion, joint_of, skeleton)[frames]
    root = _root_positions(motion, joint_of, skeleton, rot, frames)
    pos = place_bodies(root, rot, skeleton)
    pos = pos - floor_offset(pos, rot, skeleton)[:, None, None] * np.array([0.0, 0.0, 1.0])
    return MotionClip(motion.name, CONTROL_HZ, fit_frames(pos, rot, model, skeleton), motion.source)


def fit_frames(pos_w: Array, rot_w: Array, model: mujoco.MjModel, skeleton: Skeleton) -> Array:
    """(T, 76) qpos whose bodies come nearest to (T, 24, 3), (T, 24, 3, 3)."""
    fit = PoseFit(model, skeleton)
    target = place_points(fit.points, pos_w, rot_w)
    fit.solve(target[0], iterations=40, damping=1e-2)
    return np.array([fit.solve(frame) for frame in target])


def place_bodies(root_w: Array, rot_w: Array, skeleton: Skeleton) -> Array:
    """(T, 24, 3) body origins of our skeleton with root (T, 3) and world rotations (T, 24, 3, 3)."""
    pos = np.zeros((*rot_w.shape[:2], 3))
    pos[:, 0] = root_w
    for body in range(1, len(BODY_NAMES)):
        pos[:, body] = pos[:, PARENTS[body]] + rot_w[:, PARENTS[body]] @ skeleton.offsets[body]
    return pos


def floor_offset(pos_w: Array, rot_w: Array, skeleton: Skeleton, fps: float = CONTROL_HZ) -> Array:
    """(T,) m to subtract from z: zero height of the standing foot, interpolated through flight, never below."""
    corners = place_points(sole_corners(skeleton), pos_w, rot_w)
    lowest = corners[..., 2].min(1)
    speed = np.linalg.norm(np.gradient(corners, 1 / fps, axis=0), axis=-1)
    at_lowest = np.take_along_axis(speed, corners[..., 2].argmin(1)[:, None], 1)[:, 0]
    standing = np.flatnonzero(at_lowest < CONTACT_SPEED)
    if len(standing) == 0:
        return np.full(len(lowest), lowest.min())
    offset = gaussian_filter1d(np.interp(np.arange(len(lowest)), standing, lowest[standing]), 3.0, mode="nearest")
    # What still dips below the floor is lifted, smoothly: a running minimum before the same filter.
    dip = np.minimum(lowest - offset, 0.0)
    return offset + np.minimum(gaussian_filter1d(dip, 1.0, mode="nearest"), dip)


def _resample(count: int, fps: float) -> Array:
    """Indices of the frames nearest to the control rate's instants."""
    instants = np.arange(0, (count - 1) / fps, 1.0 / CONTROL_HZ)
    return np.round(instants * fps).astype(int)


def _body_rotations(motion: SourceMotion, joint_of: Mapping[str, str], skeleton: Skeleton) -> Array:
    """(T, 24, 3, 3): the source's rotations, with limbs turned so that bone directions agree at rest."""
    rotations = np.zeros((len(motion.rot_w), len(BODY_NAMES), 3, 3))
    for body, name in enumerate(BODY_NAMES):
        if name not in joint_of:
            rotations[:, body] = rotations[:, PARENTS[body]]
            continue
        source = motion.rot_w[:, motion.joint(joint_of[name])]
        if name in _LIMBS:
            child = BODY_NAMES[next(i for i, p in enumerate(PARENTS) if p == body)]
            bone = motion.rest_w[motion.joint(joint_of[child])] - motion.rest_w[motion.joint(joint_of[name])]
            source = source @ rotation_between(skeleton.offsets[BODY_INDEX[child]], bone)
        rotations[:, body] = source
    return rotations


def _root_positions(
    motion: SourceMotion, joint_of: Mapping[str, str], skeleton: Skeleton, rot_w: Array, frames: Array
) -> Array:
    """(T, 3): the source's hip centre, scaled by leg length, carried back to our pelvis."""
    scale = _leg_length(skeleton.rest_points, BODY_INDEX) / _leg_length(
        motion.rest_w, {body: motion.joint(joint) for body, joint in joint_of.items()}
    )
    hips = [motion.joint(joint_of[name]) for name in ("L_Hip", "R_Hip")]
    hip_offset = skeleton.offsets[[BODY_INDEX["L_Hip"], BODY_INDEX["R_Hip"]]].mean(0)
    return scale * motion.pos_w[frames][:, hips].mean(1) - rot_w[:, 0] @ hip_offset


def _leg_length(points: Array, index: Mapping[str, int]) -> float:
    thigh = points[index["L_Knee"]] - points[index["L_Hip"]]
    shank = points[index["L_Ankle"]] - points[index["L_Knee"]]
    return float(np.linalg.norm(thigh) + np.linalg.norm(shank))


def rotation_between(a: Array, b: Array) -> Array:
    """(3, 3) the smallest rotation that turns the direction of `a` into that of `b` (Rodrigues)."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    v, c = np.cross(a, b), float(a @ b)
    skew = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.eye(3) + skew + skew @ skew / (1 + c)
