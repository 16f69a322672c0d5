"""Body rotations from joint centres alone (SMPL's 24 points): each bone gives a direction, each bend an axis."""

from __future__ import annotations

import numpy as np

from physhmr.body.skeleton import BODY_INDEX, PARENTS, SMPL_TO_MUJOCO, Skeleton
from physhmr.errors import MotionFileError, ShapeError
from physhmr.motion.onto_humanoid import interpolate_rotations, spread_trunk
from physhmr.motion.source import PoseStream
from physhmr.types import NUM_BODIES, Array

FALLBACK = 0.15
"""Weight of another axis against the bend of a joint: a straight limb has no bend to tell its twist."""
SMPL_FOOT_SLOPES = (0.45, 0.53)
"""rad, left and right, by which SMPL's toes lie below their ankles where the foot is flat (median of ASAP's standing
feet in its calmest clips); on our body it is 0.37, so that its people stood on tiptoe."""


def stream_from_points(
    name: str, points_w: Array, skeleton: Skeleton, source: str, foot_slopes: tuple[float, float] | None = None
) -> PoseStream:
    """Joint centres (T, 24, 3) in SMPL's order and z-up axes, at the control rate, as poses of our bodies.

    Any length unit will do. `foot_slopes` rad, left and right, is by how much the toes lie below their ankle, seen from
    it, where the foot is flat; None: as on our body.
    """
    if points_w.ndim != 3 or points_w.shape[1:] != (NUM_BODIES, 3):
        raise ShapeError("points_w", f"(T, {NUM_BODIES}, 3)", points_w.shape)
    points = np.empty_like(points_w)
    points[:, list(SMPL_TO_MUJOCO)] = points_w
    at = {body: points[:, index] for body, index in BODY_INDEX.items()}
    legs = _leg_length(points)
    if legs == 0.0:
        raise MotionFileError(f"{name}: its legs have no length")
    rotations = _rotations(at, skeleton, foot_slopes)
    hips = (at["L_Hip"] + at["R_Hip"]) / 2 * (_leg_length(skeleton.rest_points[None]) / legs)
    hip_offset = skeleton.offsets[[BODY_INDEX["L_Hip"], BODY_INDEX["R_Hip"]]].mean(0)
    return PoseStream(name, hips - rotations[:, 0] @ hip_offset, rotations, source)


def aligned(direction: Array, hint: Array, rest_direction: Array, rest_hint: Array) -> Array:
    """(T, 3, 3) rotations that take one rest direction to (T, 3) exactly and one rest hint as near as it can be."""
    rest = _frame(rest_direction[None], rest_hint[None])[0]
    return _frame(direction, hint) @ rest.T


def _rotations(at: dict[str, Array], skeleton: Skeleton, foot_slopes: tuple[float, float] | None) -> Array:
    rotations = np.tile(np.eye(3), (len(at["Pelvis"]), NUM_BODIES, 1, 1))
    y, z = np.eye(3)[1], np.eye(3)[2]
    up = at["Spine"] - (at["L_Hip"] + at["R_Hip"]) / 2
    rotations[:, 0] = aligned(at["L_Hip"] - at["R_Hip"], up, y, z)
    shoulders = at["L_Shoulder"] - at["R_Shoulder"]
    rotations[:, BODY_INDEX["Chest"]] = aligned(at["Neck"] - at["Torso"], shoulders, z, y)
    rotations[:, BODY_INDEX["Head"]] = rotations[:, BODY_INDEX["Chest"]]
    spread_trunk(rotations, ("Pelvis", "Chest", "Head"))
    for side, slope in zip("LR", foot_slopes or (None, None), strict=True):
        _set_leg(rotations, at, side, skeleton, slope)
        _set_arm(rotations, at, side, skeleton)
    return rotations


def _set_leg(rotations: Array, at: dict[str, Array], side: str, skeleton: Skeleton, foot_slope: float | None) -> None:
    """The knee's axis is the leg's y, that of a straight one where its toes want it; a foot follows its toes."""
    hip, knee, ankle, toe = (f"{side}_{part}" for part in ("Hip", "Knee", "Ankle", "Toe"))
    thigh, shank, toes = at[knee] - at[hip], at[ankle] - at[knee], at[toe] - at[ankle]
    axis = _unit_cross(thigh, shank) + FALLBACK * (_unit_cross(toes, shank) + FALLBACK * rotations[:, 0, :, 1])
    y = np.eye(3)[1]
    foot = skeleton.offsets[BODY_INDEX[toe]].copy()
    if foot_slope is not None:
        foot[2] = -np.tan(foot_slope) * np.linalg.norm(foot[:2])
    for body, bone, rest in (
        (hip, thigh, skeleton.offsets[BODY_INDEX[knee]]),
        (knee, shank, skeleton.offsets[BODY_INDEX[ankle]]),
        (ankle, toes, foot),
    ):
        hint = axis if body != ankle else rotations[:, BODY_INDEX[knee], :, 1]
        rotations[:, BODY_INDEX[body]] = aligned(bone, hint, rest, y)
    rotations[:, BODY_INDEX[toe]] = rotations[:, BODY_INDEX[ankle]]


def _set_arm(rotations: Array, at: dict[str, Array], side: str, skeleton: Skeleton) -> None:
    """The elbow's axis is the arm's z, up in the T-pose; wrist and hand follow the forearm."""
    thorax, shoulder, elbow, wrist, hand = (f"{side}_{p}" for p in ("Thorax", "Shoulder", "Elbow", "Wrist", "Hand"))
    sign = 1.0 if side == "L" else -1.0
    chest, z = rotations[:, BODY_INDEX["Chest"]], np.eye(3)[2]
    collar = aligned(at[shoulder] - at[thorax], chest[..., 2], skeleton.offsets[BODY_INDEX[shoulder]], z)
    # Joint regressors move the collar bone by centimetres; half of it is motion.
    rotations[:, BODY_INDEX[thorax]] = interpolate_rotations(chest, collar, np.full(len(chest), 0.5))
    upper, fore = at[elbow] - at[shoulder], at[wrist] - at[elbow]
    # Lowering a straight arm from the T-pose about x takes its z axis outward; hanging arms then have their own.
    outward = chest[..., 2] - sign * _unit(upper) @ z[:, None] * chest[..., 1]
    axis = -sign * _unit_cross(upper, fore) + FALLBACK * outward
    for body, child, bone in ((shoulder, elbow, upper), (elbow, wrist, fore)):
        rotations[:, BODY_INDEX[body]] = aligned(bone, axis, skeleton.offsets[BODY_INDEX[child]], z)
    for body in (wrist, hand):
        rotations[:, BODY_INDEX[body]] = rotations[:, BODY_INDEX[elbow]]


def _leg_length(points: Array) -> float:
    """Of both thighs and shanks, medians over the frames of (T, 24, 3) in the order of our bodies."""
    legs = [BODY_INDEX[f"{side}_{part}"] for side in "LR" for part in ("Knee", "Ankle")]
    return sum(float(np.median(np.linalg.norm(points[:, b] - points[:, PARENTS[b]], axis=1))) for b in legs)


def _frame(direction: Array, hint: Array) -> Array:
    """(T, 3, 3) right-handed frames: first axis along `direction`, second as near as possible to `hint`."""
    first = _unit(direction)
    second = _unit(hint - np.sum(hint * first, -1, keepdims=True) * first)
    return np.stack([first, second, np.cross(first, second)], -1)


def _unit_cross(a: Array, b: Array) -> Array:
    """The sine-weighted normal of two directions: zero where they are parallel."""
    return np.cross(_unit(a), _unit(b))


def _unit(vectors: Array) -> Array:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
