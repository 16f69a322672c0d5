"""How well a robot's motion follows a human's: the same numbers for ours and for anybody's retargeting.

A corner of a sole counts as standing while the human's heel or toe of that side does. Slip and float need no
agreement on where the foot should be; hands are seen from their shoulder, scaled to the robot's arm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from physhmr.errors import ShapeError
from physhmr.geometry.rotation import matrix_to_quat, quat_to_rotvec
from physhmr.retarget.collision import SelfCollision
from physhmr.retarget.goals import GoalMaker
from physhmr.retarget.goals import hand_errors as errors_of_hands
from physhmr.retarget.human import HumanFrame
from physhmr.retarget.robot import Robot
from physhmr.types import Array

HAND_TOLERANCE = 0.06
"""m."""
_MM = 1000.0


@dataclass(frozen=True)
class RetargetMetrics:
    """Of one clip or of several together."""

    frames: int
    slip_mean: float
    """mm a frame, horizontal, of corners that stand in both of two frames."""
    slip_p99: float
    slip_max: float
    float_mean: float
    """mm, height of the lowest standing corner of a foot above the floor."""
    penetration_max: float
    """mm, the deepest corner below the floor."""
    penetration_mean: float
    """mm, of the lowest corner over all frames."""
    limit_violations: int
    """Frames with a joint outside its range."""
    colliding: int
    """Frames with own parts inside each other."""
    distance_min: float
    """mm, smallest distance between own parts; deeper is more negative."""
    speed_max: float
    """rad/s, fastest joint between two frames."""
    hand_median: float
    """mm from where the human's scaled hand is."""
    hand_p95: float
    hand_far: float
    """Share of hands more than 60 mm away."""
    turn_median: float
    """Degrees that the trunk is turned from the human's."""
    turn_p95: float

    def as_dict(self) -> dict[str, float]:
        """Plain numbers for JSON."""
        return asdict(self)


def retarget_metrics(
    robot: Robot, make_goals: GoalMaker, humans: Sequence[Sequence[HumanFrame]], poses: Sequence[Array]
) -> RetargetMetrics:
    """Metrics of clips: for each, the human's frames and the robot's poses (T, nq) at the same instants."""
    for human, q in zip(humans, poses, strict=True):
        if q.shape != (len(human), robot.model.nq):
            raise ShapeError("poses", (len(human), robot.model.nq), q.shape)
    slips, floats, lows, hands, speeds, turns = [], [], [], [], [], []
    collision, distances, outside = SelfCollision(robot), [], 0
    for human, q in zip(humans, poses, strict=True):
        corners = np.empty((len(q), 2, 4, 3))
        for row, pose in zip(corners, q, strict=True):
            placed = robot.placed(pose)
            row[:] = robot.corners(placed)
            distances.append(collision.smallest(placed))
        standing = np.repeat(np.array([frame.contact for frame in human]), 2, axis=-1)
        moved = np.linalg.norm(np.diff(corners[..., :2], axis=0), axis=-1)
        slips.append(moved[standing[1:] & standing[:-1]])
        lowest = np.where(standing, corners[..., 2], np.inf).min(-1)
        floats.append(np.maximum(lowest[np.isfinite(lowest)], 0.0))
        lows.append(np.maximum(-corners[..., 2].min((1, 2)), 0.0))
        joints = q[:, 7:]
        outside += int(((joints < robot.ranges[:, 0] - 1e-6) | (joints > robot.ranges[:, 1] + 1e-6)).any(1).sum())
        dt = np.diff([frame.stamp_ns for frame in human])[:, None] * 1e-9
        speeds.append(np.abs(np.diff(joints, axis=0)) / dt)
        hands.append(hand_errors(robot, make_goals, human, q).ravel())
        turns.append(np.degrees(turn_errors(robot, make_goals, human, q)))
    parts = (slips, floats, lows, speeds, hands, turns)
    slip, floating, low, speed, hand, turn = (np.concatenate(part) for part in parts)
    return RetargetMetrics(
        frames=sum(map(len, poses)),
        slip_mean=_MM * _mean(slip), slip_p99=_MM * _percentile(slip, 99), slip_max=_MM * _percentile(slip, 100),
        float_mean=_MM * _mean(floating), penetration_max=_MM * float(low.max()), penetration_mean=_MM * _mean(low),
        limit_violations=outside, colliding=int((np.array(distances) < 0).sum()), distance_min=_MM * min(distances),
        speed_max=float(speed.max()), hand_median=_MM * _percentile(hand, 50), hand_p95=_MM * _percentile(hand, 95),
        hand_far=_mean((hand > HAND_TOLERANCE).astype(float)),
        turn_median=_percentile(turn, 50), turn_p95=_percentile(turn, 95),
    )  # fmt: skip


def hand_errors(robot: Robot, make_goals: GoalMaker, human: Sequence[HumanFrame], q: Array) -> Array:
    """(T, H) m of poses (T, nq): how far each hand is from the scaled human's, seen from its shoulder."""
    goals = [make_goals(frame) for frame in human]
    errors = [
        list(errors_of_hands(robot, robot.placed(pose), goal).values()) for pose, goal in zip(q, goals, strict=True)
    ]
    return np.array(errors, float).reshape(len(q), -1)


def turn_errors(robot: Robot, make_goals: GoalMaker, human: Sequence[HumanFrame], q: Array) -> Array:
    """(T,) rad of poses (T, nq): how far the trunk is turned from the human's; the pelvis where there is no torso."""
    role = "torso" if "torso" in robot.body else "pelvis"
    wanted = np.array([make_goals(frame).rotations[role] for frame in human])
    turned = np.array([robot.placed(pose).xmat[robot.body[role]].reshape(3, 3).copy() for pose in q])
    return np.linalg.norm(quat_to_rotvec(matrix_to_quat(turned @ np.swapaxes(wanted, 1, 2))), axis=-1)


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else float("nan")


def _percentile(values: Array, share: float) -> float:
    return float(np.percentile(values, share)) if values.size else float("nan")
