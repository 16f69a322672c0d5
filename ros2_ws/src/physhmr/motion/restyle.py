"""The same steps by somebody else: longer, faster, bent, with arms held otherwise; feet that stood stand.

Few people were captured, and every one of them walks in a way of their own. Joint angles are scaled about their means
and shifted, the same on both sides; soles keep the orientation they had; the whole body leans until its mass is over
the standing feet as before, or as far inside a curve as it is fast there; then the root goes where these feet take it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from physhmr.body.humanoid_mjcf import center_of_mass
from physhmr.body.kinematics import forward_kinematics
from physhmr.body.points import place_points
from physhmr.body.skeleton import BODY_INDEX, BODY_NAMES, Skeleton, segment
from physhmr.body.soles import corner_positions, sole_corners
from physhmr.geometry.gravity import STANDARD
from physhmr.geometry.rotation import (
    matrix_to_hinges,
    quat_multiply,
    quat_to_matrix,
    rotvec_to_quat,
    yaw_of,
    yaw_quat,
)
from physhmr.motion.clip import at_tempo
from physhmr.motion.ground import beyond_support, stand_on_floor
from physhmr.types import Array, MotionClip

_MIRROR = np.array([-1.0, 1.0, -1.0])
"""Of a hinge triple: what turns about y is the same on both sides."""
STANDS = 0.15, 0.02
"""m/s and m: a corner of a sole that is this fast, or this high above the lowest, stands by a third."""
ADRIFT = 0.02
"""What the root's own way counts for, in corners that stand: all in flight, next to nothing else."""
TOUCH = 0.005
"""m; a corner that is lower stands, or drags."""
SLIP = 0.18
"""Of the way that the root goes: as much more than before may soles on the floor slip, and no more."""
TOPPLE = 0.015
"""m; as much farther than before may the zero moment point be outside of what touches the floor, on average."""
DRAWS = 20
"""Styles in which a clip is tried; where it suits none of them that is taken whose worse fault is the least."""


@dataclass(frozen=True)
class RestyleCfg:
    """How far styles go; standard deviations."""

    tempo: float = 0.15
    """Of the logarithm of how many times as fast."""
    stride: float = 0.18
    """Of the factor on a leg's swing, to and fro."""
    limb: float = 0.3
    """Of the factor on an arm's swing."""
    trunk_swing: float = 0.25
    leg: float = 0.07
    """rad, of legs held differently."""
    arm: float = 0.3
    """rad."""
    trunk: float = 0.06
    """rad, each of the spine's joints, and the pelvis."""
    lopsided: float = 0.3
    """Of all that, what one side has for itself."""
    turn: float = 0.3
    """rad/s, of walking in a curve."""
    backwards: float = 0.2
    """Share, not a deviation: of the styles that go backwards in time, as people who walk backwards very nearly do."""


def restyled(
    clip: MotionClip, skeleton: Skeleton, random: np.random.Generator, cfg: RestyleCfg | None = None
) -> MotionClip:
    """The clip in a style drawn at random, as long as its tempo makes it, on the floor; it keeps its name.

    Where legs bend so differently that one drags while the other stands (`SLIP`), or where nobody could keep on their
    feet (`TOPPLE`), another style is drawn.
    """
    cfg = cfg or RestyleCfg()
    allowed = np.array([SLIP, TOPPLE]) + _faults(clip.qpos, skeleton)
    best, least = clip.qpos, np.inf
    for _ in range(DRAWS):
        styled = _drawn(clip, skeleton, random, cfg)
        worse = float((_faults(styled, skeleton) / allowed).max())
        if worse < least:
            best, least = styled, worse
        if worse <= 1.0:
            break
    return MotionClip(clip.name, clip.fps, best, clip.source)


def _faults(qpos: Array, skeleton: Skeleton) -> Array:
    """(2,): the share of its way by which it slips, and m by which it topples."""
    return np.array([_slip(qpos, skeleton), beyond_support(qpos, skeleton).mean()])


def _drawn(clip: MotionClip, skeleton: Skeleton, random: np.random.Generator, cfg: RestyleCfg) -> Array:
    """(T', 76) poses in one style."""
    before = at_tempo(clip, float(np.clip(np.exp(cfg.tempo * random.normal()), 0.75, 1.35))).qpos
    stands = _standing(before, skeleton, clip.fps)
    qpos = before.copy()
    qpos[:, 7:] = _held_differently(before[:, 7:], skeleton, random, cfg)
    pitch = cfg.trunk * random.normal() * np.array([0.0, 1.0, 0.0])
    qpos[:, 3:7] = quat_multiply(qpos[:, 3:7], rotvec_to_quat(pitch))
    turn = cfg.turn * random.normal()
    soles = forward_kinematics(before, skeleton)[1]
    wanted = _over_feet(before, stands, skeleton)
    wanted += turn * _into_curve(before, clip.fps) * wanted[2]
    for _ in range(2):
        _keep_soles(qpos, soles, skeleton)
        _lean(qpos, wanted, _over_feet(qpos, stands, skeleton))
    _keep_soles(qpos, soles, skeleton)
    _walk(qpos, yaw_quat(turn / clip.fps * np.arange(len(qpos), dtype=float)), stands, skeleton)
    if random.random() < cfg.backwards:
        qpos = qpos[::-1]
    return stand_on_floor(qpos, skeleton)


def _slip(qpos: Array, skeleton: Skeleton) -> float:
    """Share of the root's way by which corners on the floor slip; 0 where nothing touches it."""
    corners = corner_positions(qpos, skeleton)
    down = corners[..., 2] < TOUCH
    moved = np.linalg.norm(np.diff(corners[..., :2], axis=0), axis=-1)[down[1:] & down[:-1]]
    way = np.linalg.norm(np.diff(qpos[:, :2], axis=0), axis=-1).mean()
    return float(moved.mean() / max(way, 1e-9)) if len(moved) else 0.0


def _held_differently(hinges: Array, skeleton: Skeleton, random: np.random.Generator, cfg: RestyleCfg) -> Array:
    """(T, 69) angles with other swings about other means, inside their ranges."""
    swing, shift = np.ones((len(BODY_NAMES), 3)), np.zeros((len(BODY_NAMES), 3))
    for body in BODY_NAMES:
        swings, shifts = _spread(body, cfg)
        drawn = random.normal(size=(2, 3))
        if body.startswith("R_"):
            left = BODY_INDEX[f"L{body[1:]}"]
            swing[BODY_INDEX[body]] = swing[left] + cfg.lopsided * swings * drawn[0]
            shift[BODY_INDEX[body]] = _MIRROR * shift[left] + cfg.lopsided * shifts * drawn[1]
        else:
            swing[BODY_INDEX[body]] += swings * drawn[0]
            shift[BODY_INDEX[body]] = shifts * drawn[1]
    mean = hinges.mean(0)
    changed = mean + swing[1:].ravel() * (hinges - mean) + shift[1:].ravel()
    return np.clip(changed, *skeleton.ranges.T)


def _spread(body: str, cfg: RestyleCfg) -> tuple[float, Array]:
    """How much the swing and the mean (3,) of a body's hinges vary."""
    part = segment(body)
    if part == "Hip":
        return cfg.stride, cfg.leg * np.array([1.0, 1.0, 0.0])
    if part == "Knee":
        return cfg.stride, cfg.leg * np.array([0.0, 1.0, 0.0])
    if part in ("Torso", "Spine", "Chest", "Neck", "Head"):
        return cfg.trunk_swing, cfg.trunk * np.array([0.5, 1.0, 0.5])
    if part in ("Shoulder", "Elbow"):
        return cfg.limb, cfg.arm * np.ones(3) if part == "Shoulder" else cfg.arm * np.array([0.0, 0.0, 1.0])
    return 0.0, np.zeros(3)


def _keep_soles(qpos: Array, wanted: Array, skeleton: Skeleton) -> None:
    """Turn the ankles, in place, so that the feet are oriented as in `wanted` (T, 24, 3, 3), of all bodies."""
    rot = forward_kinematics(qpos, skeleton)[1]
    for side in "LR":
        ankle, knee = BODY_INDEX[f"{side}_Ankle"], BODY_INDEX[f"{side}_Knee"]
        hinges = slice(3 * (ankle - 1), 3 * ankle)
        local = np.swapaxes(rot[:, knee], -1, -2) @ wanted[:, ankle]
        qpos[:, 7:][:, hinges] = np.clip(matrix_to_hinges(local), *skeleton.ranges[hinges].T)


def _over_feet(qpos: Array, stands: Array, skeleton: Skeleton) -> Array:
    """(3,) m, forward, left and up: where the centre of mass is from what stands, on average."""
    pos, rot = forward_kinematics(qpos, skeleton)
    center = center_of_mass(pos, rot, skeleton)
    # Weights of the corners never add up to nothing, not even of a leap.
    weights = (stands + 1e-9) / (stands + 1e-9).sum()
    corner = place_points(sole_corners(skeleton), pos, rot)[1:] * weights[..., None]
    from_feet = center[1:] * weights.sum(1, keepdims=True) - corner.sum(1)
    return np.asarray(_from_behind(from_feet, qpos[1:]).sum(0))


def _into_curve(qpos: Array, fps: float) -> Array:
    """(3,) s, forward, left and up: how far into a curve who goes this way leans, per rad/s of it and m of height."""
    way = _from_behind(np.diff(qpos[:, :3], axis=0), qpos[1:]).mean(0) * fps
    return np.array([-way[1], way[0], 0.0]) / STANDARD


def _from_behind(vectors: Array, qpos: Array) -> Array:
    """(T, 3) of the world as forward, left and up of poses (T, 76)."""
    return np.asarray((quat_to_matrix(yaw_quat(-yaw_of(qpos[:, 3:7]))) @ vectors[..., None])[..., 0])


def _lean(qpos: Array, wanted: Array, is_at: Array) -> None:
    """Tilt everything, in place, so that the mass gets from where it `is_at` over the feet to where it is `wanted`."""
    forward, left, _ = (wanted - is_at) / is_at[2]
    qpos[:, 3:7] = quat_multiply(qpos[:, 3:7], rotvec_to_quat(np.array([-left, forward, 0.0])))


def _standing(qpos: Array, skeleton: Skeleton, fps: float) -> Array:
    """(T - 1, 16) how surely each corner of the soles stands between a frame and the next, from 0 to 1."""
    corners = corner_positions(qpos, skeleton)
    speed = np.linalg.norm(np.diff(corners, axis=0), axis=-1) * fps
    height = corners[..., 2] - corners[..., 2].min(1, keepdims=True)
    return np.exp(-np.square(speed / STANDS[0]) - np.square(np.maximum(height[1:], height[:-1]) / STANDS[1]))


def _walk(qpos: Array, curve: Array, stands: Array, skeleton: Skeleton) -> None:
    """Turn by the `curve` (T, 4), in place, and go where the corners that stand (T - 1, 16) take the root."""
    own = (quat_to_matrix(curve[:-1]) @ np.diff(qpos[:, :3], axis=0)[..., None])[:, :2, 0]
    qpos[:, 3:7] = quat_multiply(curve, qpos[:, 3:7])
    relative = corner_positions(qpos, skeleton)[..., :2] - qpos[:, None, :2]
    by_feet = (stands[..., None] * -np.diff(relative, axis=0)).sum(1)
    steps = (by_feet + ADRIFT * own) / (stands.sum(1, keepdims=True) + ADRIFT)
    qpos[1:, :2] = qpos[0, :2] + np.cumsum(gaussian_filter1d(steps, 1.0, axis=0, mode="nearest"), 0)
