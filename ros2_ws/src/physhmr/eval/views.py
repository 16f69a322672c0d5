"""Against synthetic cameras: what kinematics, the two-stage chain and the vision policy make of the same rays."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import Skeleton
from physhmr.body.soles import corner_positions, on_floor
from physhmr.errors import DivergedError, MotionFileError
from physhmr.eval import pose_metrics
from physhmr.eval.physics_metrics import count_falls, penetration, skate, touching
from physhmr.lifting.grounded_lifter import GroundedLifter
from physhmr.motion.lifted import lift_rays
from physhmr.policy.runtime import Policy
from physhmr.sim.humanoid_sim import HumanoidSim
from physhmr.types import Array, MotionClip, RayBundle, Reference

_PELVIS = (0,)


@dataclass(frozen=True)
class ViewScore:
    """What one method made of one clip seen by one camera; errors over the frames survived."""

    method: str
    clip: str
    seconds: float
    """Of the clip, from the first pose that is found on."""
    survived: float
    """s until the mean body distance passed 0.5 m; the whole clip if it never did."""
    success: bool
    falls: int
    pa_mpjpe: float
    """mm."""
    mpjpe: float
    """mm, relative to the pelvis."""
    w_mpjpe_100: float
    """mm."""
    skate: float
    """mm/frame; NaN without any contact."""
    penetration: float
    """mm."""


def follow_view(
    clip: MotionClip,
    rays: Sequence[RayBundle | None],
    lifter: GroundedLifter,
    drivers: Mapping[str, Policy],
    sim: HumanoidSim,
    skeleton: Skeleton,
) -> list[ViewScore]:
    """Follow `clip` by what a camera shows of it, from the first pose that is found on, without a second try.

    As in the live chain the humanoid begins in that pose, on the floor, at the velocity that is told. Returns the score
    of the lifted poses alone, called `kinematic`, and that of the humanoid under each driver.
    """
    told, rays = lift_rays(rays, clip.fps, lifter)
    first = next((index for index, one in enumerate(told) if one is not None), None)
    if first is None or first > len(told) - 3:
        raise MotionFileError(f"{clip.name} is too short to find a first pose in it")
    goals: list[Reference] = []
    for one in told[first:]:
        # Who is met anew, by another camera, is taken to stand still meanwhile.
        goals += [one] if one is not None else [goals[-1]]
    truth, seen = clip.qpos[first:], [None if told[at] is None else rays[at] for at in range(first, len(told))]
    scores = [_score("kinematic", clip, np.stack([goal.qpos for goal in goals]), truth, skeleton)]
    for method, policy in drivers.items():
        scores.append(_score(method, clip, np.stack(_roll_out(goals, seen, policy, sim, skeleton)), truth, skeleton))
    return scores


def _roll_out(
    goals: Sequence[Reference], rays: Sequence[RayBundle | None], policy: Policy, sim: HumanoidSim, skeleton: Skeleton
) -> list[Array]:
    """The humanoid's poses (76,) frame by frame, until its physics explodes."""
    sim.reset(on_floor(goals[0].qpos, skeleton), goals[0].qvel)
    followed = [sim.qpos]
    for goal, seen in zip(goals[1:], rays[1:], strict=True):
        target = policy.target(sim.state(0), goal, seen)
        try:
            sim.step(target)
        except DivergedError:
            break
        followed.append(sim.qpos)
    return followed


def _score(method: str, clip: MotionClip, qpos: Array, truth: Array, skeleton: Skeleton) -> ViewScore:
    """Compare poses (t, 76) with the first t of `truth`; what comes after the loss does not count."""
    bodies, _ = forward_kinematics(qpos, skeleton)
    wanted, _ = forward_kinematics(truth[: len(qpos)], skeleton)
    far = np.linalg.norm(bodies - wanted, axis=-1).mean(1) > pose_metrics.SUCCESS_DISTANCE
    end = int(np.argmax(far)) + 1 if far.any() else len(qpos)
    success = not far.any() and len(qpos) == len(truth)
    bodies, wanted, corners = bodies[:end], wanted[:end], corner_positions(qpos[:end], skeleton)
    falls = count_falls(bodies, skeleton.shape.height) > count_falls(wanted, skeleton.shape.height)
    long_enough = end > 2
    return ViewScore(
        method=method,
        clip=clip.name,
        seconds=len(truth) / clip.fps,
        survived=(len(truth) if success else end - 1) / clip.fps,
        success=success,
        falls=int(falls),
        pa_mpjpe=pose_metrics.pa_mpjpe(bodies, wanted),
        mpjpe=pose_metrics.mpjpe(bodies, wanted, _PELVIS),
        w_mpjpe_100=pose_metrics.w_mpjpe_100(bodies, wanted) if long_enough else math.nan,
        skate=skate(corners, touching(corners)),
        penetration=penetration(corners),
    )


def summary_table(scores: Iterable[ViewScore]) -> list[list[str]]:
    """Rows of text: one a method, numbers over all its clips, errors weighed by the seconds survived."""
    groups: dict[str, list[ViewScore]] = defaultdict(list)
    for score in scores:
        groups[score.method].append(score)
    metrics = [field.name for field in fields(ViewScore) if field.name not in _COUNTED]
    rows = [["method", "views", "success %", "seconds survived %", "falls", *metrics]]
    for method, group in groups.items():
        seconds = sum(one.seconds for one in group)
        rows.append(
            [
                method,
                str(len(group)),
                f"{100 * sum(one.success for one in group) / len(group):.1f}",
                f"{100 * sum(one.survived for one in group) / seconds:.1f}",
                str(sum(one.falls for one in group)),
                *(f"{_mean(group, metric):.1f}" for metric in metrics),
            ]
        )
    return rows


_COUNTED = ("method", "clip", "seconds", "survived", "success", "falls")


def _mean(group: Sequence[ViewScore], metric: str) -> float:
    values = np.array([getattr(one, metric) for one in group])
    weight = np.array([one.survived for one in group]) * np.isfinite(values)
    return float((np.nan_to_num(values) * weight).sum() / max(weight.sum(), 1e-9))
