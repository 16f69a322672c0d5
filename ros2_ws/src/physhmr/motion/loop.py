"""Make a short periodic motion long: cut out one cycle, repeat it, carry the root along."""

from __future__ import annotations

import numpy as np

from physhmr.body.tangent import pose_add, pose_difference
from physhmr.errors import MotionFileError
from physhmr.geometry.rotation import quat_multiply, yaw_of, yaw_quat
from physhmr.motion.clip import clip_velocities
from physhmr.types import Array, MotionClip

MIN_CYCLE = 0.6
"""s, shorter repetitions are no stride."""
SEAM = 6
"""Frames over which the seam's difference fades out."""
STANDING = 0.1
"""m/s; who gets on more slowly over a cycle stands, and is to stay there however often it is repeated."""


def loop_clip(clip: MotionClip, seconds: float) -> MotionClip:
    """Repeat the most cyclic part of `clip` for `seconds`; raises `MotionFileError` if it is too short."""
    start, end = best_cycle(clip)
    cycle = clip.qpos[start:end]
    closing = clip.qpos[end]
    count = int(np.ceil(seconds * clip.fps / len(cycle))) + 1
    name, source = f"{clip.name}_{seconds:.0f}s", f"{clip.source}; one cycle repeated"
    if np.linalg.norm(closing[:2] - cycle[0, :2]) < STANDING * len(cycle) / clip.fps:
        returned = pose_add(cycle, _fade(len(cycle)) * pose_difference(cycle[0], closing))
        return MotionClip(name, clip.fps, np.tile(returned, (count, 1))[: int(seconds * clip.fps) + 1], source)
    pieces, anchor = [], cycle[0]
    for _ in range(count):
        pieces.append(_planted(_closed(cycle, closing), cycle[0], anchor))
        anchor = _planted(closing[None], cycle[0], anchor)[0]
    qpos = np.concatenate(pieces)[: int(seconds * clip.fps) + 1]
    return MotionClip(name, clip.fps, qpos, source)


def best_cycle(clip: MotionClip) -> tuple[int, int]:
    """Frames (start, end) between which pose and velocity repeat best, up to place and heading."""
    shortest = int(MIN_CYCLE * clip.fps)
    if len(clip.qpos) < shortest + 2:
        raise MotionFileError(f"{clip.name} is {clip.duration:.1f} s long; a cycle needs {MIN_CYCLE} s at least")
    velocity = clip_velocities(clip.qpos, clip.fps)
    feature = np.concatenate([clip.qpos[:, 2:3], clip.qpos[:, 7:], 0.1 * velocity[:, 6:]], 1)
    distance = np.linalg.norm(feature[:, None] - feature[None], axis=-1)
    lag = np.arange(len(feature))[None] - np.arange(len(feature))[:, None]
    distance[lag < shortest] = np.inf
    start, end = np.unravel_index(np.argmin(distance), distance.shape)
    return int(start), int(end)


def _closed(cycle: Array, closing: Array) -> Array:
    """The cycle whose first frames are bent so that it begins where the one before it ended."""
    bent = cycle.copy()
    fade = _fade(len(cycle))
    gap = closing - cycle[0]
    bent[:, 7:] += fade * gap[7:]
    bent[:, 2] += fade[:, 0] * gap[2]
    return bent


def _fade(frames: int) -> Array:
    """(frames, 1) shares, from 1 to 0 over the seam."""
    return np.clip(1 - np.arange(frames) / SEAM, 0, 1)[:, None]


def _planted(qpos: Array, origin: Array, anchor: Array) -> Array:
    """Poses (T, 76) moved in the plane so that `origin`'s place and heading become `anchor`'s."""
    turn = yaw_of(anchor[3:7]) - yaw_of(origin[3:7])
    cosine, sine = np.cos(turn), np.sin(turn)
    offset = qpos[:, :2] - origin[:2]
    moved = qpos.copy()
    moved[:, 0] = anchor[0] + cosine * offset[:, 0] - sine * offset[:, 1]
    moved[:, 1] = anchor[1] + sine * offset[:, 0] + cosine * offset[:, 1]
    moved[:, 3:7] = quat_multiply(np.broadcast_to(yaw_quat(turn), (len(qpos), 4)), qpos[:, 3:7])
    return moved
