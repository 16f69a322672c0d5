"""How well a policy follows motion clips: one humanoid, physics only, no root force, no second try.

Success and G-MPJPE as PHC defines them (arXiv 2305.06456): a clip fails where the mean body distance
passes 0.5 m, and ends there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from physhmr.body.humanoid_mjcf import CONTROL_HZ
from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import Skeleton
from physhmr.errors import DivergedError, MotionFileError
from physhmr.eval import pose_metrics
from physhmr.eval.physics_metrics import count_falls
from physhmr.motion.clip import clip_velocities
from physhmr.policy.runtime import Policy
from physhmr.sim.humanoid_sim import HumanoidSim
from physhmr.types import Array, MotionClip, Reference

_PELVIS = (0,)


@dataclass(frozen=True)
class ClipScore:
    """What came of one clip."""

    name: str
    seconds: float
    """Of the clip."""
    survived: float
    """s until the mean body distance passed 0.5 m; the whole clip if it never did."""
    success: bool
    falls: int
    """0 or 1: lay down although the reference did not."""
    g_mpjpe: float
    """mm, over the frames survived."""
    mpjpe: float
    """mm, relative to the pelvis."""
    accel: float
    """m/s^2; NaN below three frames."""


@dataclass(frozen=True)
class TrackingSummary:
    """Over all clips."""

    clips: int
    seconds: float
    success: float
    """Share of clips in [0, 1]."""
    survived: float
    """Share of all seconds in [0, 1]."""
    g_mpjpe: float
    """mm, mean over all frames of the successful clips; NaN without any."""
    mpjpe: float


def track_clip(policy: Policy, clip: MotionClip, sim: HumanoidSim, skeleton: Skeleton) -> ClipScore:
    """Start on the first frame of `clip` and follow it; `sim` must be the humanoid of `skeleton`.

    Raises `MotionFileError` unless the clip runs at the control rate.
    """
    if abs(clip.fps - CONTROL_HZ) > 1e-6:
        raise MotionFileError(f"clip '{clip.name}' runs at {clip.fps:g} fps; resample it to {CONTROL_HZ}")
    wanted, _ = forward_kinematics(clip.qpos, skeleton)
    followed = _roll_out(policy, clip, sim, wanted)
    count = len(followed)
    lost = not pose_metrics.success(followed, wanted[:count])
    complete = count == len(clip.qpos) and not lost
    fell = count_falls(followed, skeleton.shape.height) > count_falls(wanted[:count], skeleton.shape.height)
    return ClipScore(
        name=clip.name,
        seconds=clip.duration,
        survived=clip.duration if complete else (count - 1) / clip.fps,
        success=complete,
        falls=int(fell),
        g_mpjpe=pose_metrics.g_mpjpe(followed, wanted[:count]),
        mpjpe=pose_metrics.mpjpe(followed, wanted[:count], _PELVIS),
        accel=pose_metrics.accel(followed, wanted[:count], clip.fps) if count >= 3 else float("nan"),
    )


def track_clips(
    policy: Policy,
    clips: Sequence[MotionClip],
    skeleton: Skeleton,
    progress: Callable[[ClipScore], None] = lambda score: None,
) -> list[ClipScore]:
    """Track every clip on one humanoid; `progress` hears of each as it is done."""
    sim, found = HumanoidSim(skeleton.shape), []
    for clip in clips:
        found.append(track_clip(policy, clip, sim, skeleton))
        progress(found[-1])
    return found


def summarise(scores: Sequence[ClipScore]) -> TrackingSummary:
    """Return the summary of at least one clip; long clips weigh more in errors, not in the success rate."""
    if not scores:
        raise MotionFileError("there is no clip to summarise")
    kept = [score for score in scores if score.success]
    weight = np.array([score.seconds for score in kept])
    seconds = sum(score.seconds for score in scores)
    return TrackingSummary(
        clips=len(scores),
        seconds=seconds,
        success=len(kept) / len(scores),
        survived=sum(score.survived for score in scores) / seconds,
        g_mpjpe=_weighted([score.g_mpjpe for score in kept], weight),
        mpjpe=_weighted([score.mpjpe for score in kept], weight),
    )


def _roll_out(policy: Policy, clip: MotionClip, sim: HumanoidSim, wanted: Array) -> Array:
    """(t <= T, 24, 3) m: bodies until the end, failure (included) or divergence."""
    velocities = clip_velocities(clip.qpos, clip.fps)
    sim.reset(clip.qpos[0], velocities[0])
    state = sim.state(0)
    followed = [state.body_pos_w]
    for frame in range(1, len(clip.qpos)):
        stamp_ns = round(1e9 * frame / clip.fps)
        target = policy.target(state, Reference(stamp_ns, clip.qpos[frame], velocities[frame]))
        try:
            sim.step(target)
        except DivergedError:
            break
        state = sim.state(stamp_ns)
        followed.append(state.body_pos_w)
        if not pose_metrics.success(state.body_pos_w[None], wanted[frame][None]):
            break
    return np.array(followed)


def _weighted(values: Sequence[float], weight: Array) -> float:
    return float(np.average(values, weights=weight)) if len(values) else float("nan")
