"""Finds what no body does in captured motion, mends short gaps, and cuts the rest out.

Interpolated marker gaps make roots spin and limbs flip within a frame or two; a wrong skeleton floats.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import BODY_INDEX, BODY_NAMES, Skeleton
from physhmr.body.soles import corner_positions
from physhmr.geometry.rotation import quat_conjugate, quat_multiply, quat_to_rotvec, rotvec_to_quat
from physhmr.motion.clip import clip_velocities
from physhmr.motion.ground import stand_on_floor, supported
from physhmr.types import Array, MotionClip

Mask = NDArray[np.bool_]
_NOT_FEET = [index for index, name in enumerate(BODY_NAMES) if not name.endswith(("Ankle", "Toe"))]


@dataclass(frozen=True)
class Limits:
    """What a person on two feet does not pass."""

    root_turn: float = 12.0
    """rad/s."""
    root_speed: float = 6.0
    """m/s."""
    hinge_rate: float = 25.0
    """rad/s."""
    tilt: float = 1.2
    """rad between the pelvis and the vertical."""
    clearance: float = 0.06
    """m between the floor and any joint but the feet's."""
    sit: float = 0.28
    """m, least height of the pelvis."""
    overhang: float = 0.40
    """m on the floor plan from the pelvis to the line between the ankles; beyond it somebody else holds the body."""
    uneven: float = 0.08
    """m, of the supporting foot about its usual height, before the feet are put on the floor."""
    floor: float = 0.03
    """m, of the lowest point of supporting feet about the floor."""
    flight: bool = True
    """Both feet may leave the floor."""
    margin: int = 1
    """Frames around a fault that count as faulty: interpolated gaps fade in and out."""
    longest_gap: int = 6
    """Frames of implausible motion that are bridged by interpolation."""
    shortest_clip: int = 60
    """Frames; shorter pieces are dropped."""


@dataclass(frozen=True)
class ClipReport:
    """What the clean-up did to one clip."""

    name: str
    frames: int
    """Frames that came in."""
    kept: int
    """Frames that went out."""
    mended: int
    """Frames replaced by interpolation."""
    faults: dict[str, int] = field(default_factory=dict)
    """Implausible frames by kind."""


def clean(clip: MotionClip, skeleton: Skeleton, limits: Limits | None = None) -> tuple[list[MotionClip], ClipReport]:
    """The plausible pieces of `clip`, each standing on the floor, and a report."""
    limits = limits or Limits()
    found = find_faults(clip.qpos, clip.fps, skeleton, limits, limits.uneven)
    qpos, mended = bridge(clip.qpos, any_fault(found, limits.margin), limits.longest_gap)
    left = any_fault(find_faults(qpos, clip.fps, skeleton, limits, limits.uneven), limits.margin)
    pieces = []
    for coarse in _cut(qpos, left, limits):
        grounded = stand_on_floor(coarse, skeleton)
        strict = any_fault(find_faults(grounded, clip.fps, skeleton, limits, limits.floor, floor=0.0), limits.margin)
        pieces += [stand_on_floor(piece, skeleton) for piece in _cut(grounded, strict, limits)]
    names = [clip.name] if len(pieces) == 1 else [f"{clip.name}_{index}" for index in range(len(pieces))]
    clips = [MotionClip(name, clip.fps, piece, clip.source) for name, piece in zip(names, pieces, strict=True)]
    counts = {kind: int(mask.sum()) for kind, mask in found.items() if mask.any()}
    return clips, ClipReport(clip.name, len(clip.qpos), sum(map(len, pieces)), int(mended.sum()), counts)


def find_faults(
    qpos: Array, fps: float, skeleton: Skeleton, limits: Limits, tolerance: float, floor: float | None = None
) -> dict[str, Mask]:
    """(T,) masks by kind of fault for poses (T, 76).

    Feet must be within `tolerance` m of `floor` (None: of where they usually are), upwards only when supported.
    """
    velocity = clip_velocities(qpos, fps)
    pos, rot = forward_kinematics(qpos, skeleton)
    corners = corner_positions(qpos, skeleton)
    lowest, held = corners[..., 2].min(1), supported(corners, qpos[:, 2], fps)
    usual = float(np.median(lowest[held] if held.any() else lowest)) if floor is None else floor
    return {
        "root spins": np.linalg.norm(velocity[:, 3:6], axis=1) > limits.root_turn,
        "root jumps": np.linalg.norm(velocity[:, :3], axis=1) > limits.root_speed,
        "hinges jump": _largest_step(qpos[:, 7:], fps) > limits.hinge_rate,
        "tilted": rot[:, 0, 2, 2] < np.cos(limits.tilt),
        "not on feet": (pos[:, _NOT_FEET, 2] - usual).min(1) < limits.clearance,
        "sits": pos[:, 0, 2] - usual < limits.sit,
        "overhangs": (_overhang(pos) > limits.overhang) & held,
        "below floor": lowest - usual < -tolerance,
        "floats": (lowest - usual > tolerance) & (held | (not limits.flight)),
    }


def bridge(qpos: Array, bad: Mask, longest: int) -> tuple[Array, Mask]:
    """Poses (T, 76) with short bad runs interpolated between their good neighbours, and which frames those are."""
    mended, out = np.zeros(len(qpos), bool), qpos.copy()
    good = np.flatnonzero(~bad)
    for before, after in itertools.pairwise(good):
        if 1 < after - before <= longest + 1:
            share = np.linspace(0, 1, after - before + 1)[1:-1]
            out[before + 1 : after] = interpolate_pose(qpos[before], qpos[after], share)
            mended[before + 1 : after] = True
    return out, mended


def interpolate_pose(first: Array, last: Array, share: Array) -> Array:
    """(N, 76) poses at `share` (N,) of the way between two: straight lines, the root's rotation on its arc."""
    out = first + share[:, None] * (last - first)
    arc = quat_to_rotvec(quat_multiply(quat_conjugate(first[3:7]), last[3:7]))
    out[:, 3:7] = quat_multiply(first[None, 3:7], rotvec_to_quat(share[:, None] * arc))
    return out


def any_fault(found: dict[str, Mask], margin: int = 1) -> Mask:
    """(T,) frames with a fault of any kind, and `margin` (1 or more) frames on either side."""
    return binary_dilation(np.logical_or.reduce(list(found.values())), iterations=margin)


def good_runs(bad: Mask) -> list[tuple[int, int]]:
    """Half-open ranges of frames without faults."""
    edges = np.flatnonzero(np.diff(np.r_[True, bad, True].astype(int)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _cut(qpos: Array, bad: Mask, limits: Limits) -> list[Array]:
    """The good runs that are long enough."""
    return [qpos[start:stop] for start, stop in good_runs(bad) if stop - start >= limits.shortest_clip]


def _overhang(pos: Array) -> Array:
    """(T,) m on the floor plan from the pelvis to the segment between the ankles."""
    left, right = pos[:, BODY_INDEX["L_Ankle"], :2], pos[:, BODY_INDEX["R_Ankle"], :2]
    line, reach = right - left, pos[:, 0, :2] - left
    share = np.sum(line * reach, 1) / np.maximum(np.sum(line * line, 1), 1e-9)
    return np.linalg.norm(reach - np.clip(share, 0.0, 1.0)[:, None] * line, axis=1)


def _largest_step(angles: Array, fps: float) -> Array:
    """(T,) rad/s, the fastest hinge on the way to or from each frame."""
    rate = np.abs(np.diff(angles, axis=0)).max(1) * fps
    return np.maximum(np.r_[0.0, rate], np.r_[rate, 0.0])


def summary(reports: list[ClipReport]) -> dict[str, int]:
    """Implausible frames by kind over many clips."""
    total: Counter[str] = Counter()
    for report in reports:
        total.update(report.faults)
    return dict(total)
