"""Bring captured motion onto our humanoid: transfer orientations, fit inside the hinge ranges."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from physhmr.body.humanoid_mjcf import CONTROL_HZ
from physhmr.body.skeleton import BODY_INDEX, BODY_NAMES, PARENTS, Skeleton, segment
from physhmr.geometry.rotation import matrix_to_quat, quat_to_matrix, quat_to_rotvec, rotvec_to_quat
from physhmr.motion.hinge_fit import fit_hinges
from physhmr.motion.source import PoseStream, SourceMotion
from physhmr.types import NQ, Array, MotionClip

_LIMBS = tuple(f"{side}_{part}" for side in "LR" for part in ("Hip", "Knee", "Shoulder", "Elbow"))
"""Bodies whose bone direction, not whose rest orientation, is what two skeletons have in common."""
_TRUNK = ("Pelvis", "Torso", "Spine", "Chest", "Neck", "Head")


def onto_humanoid(streams: Sequence[PoseStream], skeleton: Skeleton) -> list[MotionClip]:
    """The streams as clips of our body, hinges inside their ranges; many at once cost little more than one.

    Heights are the source's still: `cleanup.clean` puts the feet on the floor.
    """
    longest = max(len(stream.root_w) for stream in streams)
    held = [np.minimum(np.arange(longest), len(stream.root_w) - 1) for stream in streams]
    angles = fit_hinges(np.stack([s.rot_w[index] for s, index in zip(streams, held, strict=True)], 1), skeleton)
    clips = []
    for column, stream in enumerate(streams):
        qpos = np.empty((len(stream.root_w), NQ))
        qpos[:, :3] = stream.root_w
        qpos[:, 3:7] = matrix_to_quat(stream.rot_w[:, 0])
        qpos[:, 7:] = angles[: len(qpos), column]
        clips.append(MotionClip(stream.name, CONTROL_HZ, qpos, stream.source))
    return clips


def transfer(motion: SourceMotion, joint_of: Mapping[str, str], skeleton: Skeleton) -> PoseStream:
    """What `motion` asks of our bodies; `joint_of` names the source's joint for each body that has one."""
    rotations = _resampled_rotations(_body_rotations(motion, joint_of, skeleton), motion.fps)
    hips = motion.pos_w[:, [motion.joint(joint_of[name]) for name in ("L_Hip", "R_Hip")]].mean(1)
    hips = resampled(hips, motion.fps) * _leg_ratio(motion, joint_of, skeleton)
    hip_offset = skeleton.offsets[[BODY_INDEX["L_Hip"], BODY_INDEX["R_Hip"]]].mean(0)
    return PoseStream(motion.name, hips - rotations[:, 0] @ hip_offset, rotations, motion.source)


def interpolate_rotations(R0: Array, R1: Array, share: Array) -> Array:
    """(..., 3, 3): the point `share` (...) in 0..1 of the way from R0 to R1 on the shortest arc."""
    arc = quat_to_rotvec(matrix_to_quat(np.swapaxes(R0, -1, -2) @ R1))
    return R0 @ quat_to_matrix(rotvec_to_quat(arc * share[..., None]))


def rotation_between(a: Array, b: Array) -> Array:
    """(3, 3) the smallest rotation that turns the direction of `a` into that of `b` (Rodrigues)."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    v, c = np.cross(a, b), float(a @ b)
    skew = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.eye(3) + skew + skew @ skew / (1 + c)


def resampled(values: Array, fps: float) -> Array:
    """(S, ...) values at the control rate, linear between those of (T, ...) at `fps` Hz; T of at least 2."""
    before, share = _instants(len(values), fps)
    step = values[before + 1] - values[before]
    return values[before] + share.reshape(-1, *[1] * (values.ndim - 1)) * step


def _instants(count: int, fps: float) -> tuple[Array, Array]:
    """Source frame before each control instant, and how far towards the next one the instant lies."""
    at = np.arange(0, (count - 1) / fps + 1e-9, 1.0 / CONTROL_HZ) * fps
    before = np.minimum(at.astype(int), count - 2)
    return before, np.clip(at - before, 0.0, 1.0)


def _resampled_rotations(rotations: Array, fps: float) -> Array:
    before, share = _instants(len(rotations), fps)
    return interpolate_rotations(rotations[before], rotations[before + 1], np.repeat(share[:, None], 24, 1))


def _body_rotations(motion: SourceMotion, joint_of: Mapping[str, str], skeleton: Skeleton) -> Array:
    """(T, 24, 3, 3): the source's rotations, with limbs turned so that bone directions agree at rest."""
    rotations = np.zeros((len(motion.rot_w), len(BODY_NAMES), 3, 3))
    # A wrist at rest continues its forearm.
    follows = {"Wrist": "Elbow"} | ({"Ankle": "Knee", "Toe": "Knee"} if motion.feet_follow_shanks else {})
    for body, name in enumerate(BODY_NAMES):
        if name not in joint_of:
            rotations[:, body] = rotations[:, PARENTS[body]]
            continue
        source = motion.rot_w[:, motion.joint(joint_of[name])]
        part = segment(name)
        limb = name.replace(part, follows.get(part, part))
        if limb in _LIMBS:
            source = source @ _rest_turn(motion, joint_of, BODY_INDEX[limb], skeleton)
        rotations[:, body] = source
    spread_trunk(rotations, [name for name in _TRUNK if name in joint_of])
    return rotations


def _rest_turn(motion: SourceMotion, joint_of: Mapping[str, str], body: int, skeleton: Skeleton) -> Array:
    """(3, 3): from our bone's direction at rest to the performer's."""
    child = next(i for i, p in enumerate(PARENTS) if p == body)
    ends = [motion.rest_w[motion.joint(joint_of[BODY_NAMES[end]])] for end in (body, child)]
    return rotation_between(skeleton.offsets[child], ends[1] - ends[0])


def spread_trunk(rotations: Array, known: Sequence[str]) -> None:
    """Share each turn between two `known` trunk bodies out among the bodies between them, in place."""
    places = [_TRUNK.index(name) for name in known]
    for low, high in itertools.pairwise(places):
        below, above = (rotations[:, BODY_INDEX[_TRUNK[place]]] for place in (low, high))
        for place in range(low + 1, high):
            share = np.full(len(rotations), (place - low) / (high - low))
            rotations[:, BODY_INDEX[_TRUNK[place]]] = interpolate_rotations(below, above, share)


def _leg_ratio(motion: SourceMotion, joint_of: Mapping[str, str], skeleton: Skeleton) -> float:
    """Our leg length over the performer's."""
    theirs = {body: motion.joint(joint) for body, joint in joint_of.items()}
    return _leg_length(skeleton.rest_points, BODY_INDEX) / _leg_length(motion.rest_w, theirs)


def _leg_length(points: Array, index: Mapping[str, int]) -> float:
    thigh = points[index["L_Knee"]] - points[index["L_Hip"]]
    shank = points[index["L_Ankle"]] - points[index["L_Knee"]]
    return float(np.linalg.norm(thigh) + np.linalg.norm(shank))
