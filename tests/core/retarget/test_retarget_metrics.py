"""The measures of retargeting see what they should, and nothing where there is nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from physhmr.errors import ShapeError
from physhmr.eval.retarget_metrics import RetargetMetrics, retarget_metrics
from physhmr.retarget.goals import GoalMaker
from physhmr.retarget.human import HumanFrame
from physhmr.retarget.proportions import Proportions
from physhmr.retarget.robot import Robot
from physhmr.types import Array

Motion = Callable[[str, float], list[HumanFrame]]


def measured(robot: Robot, person: Proportions, motion: Motion, change: Callable[[Array], None]) -> RetargetMetrics:
    human = [HumanFrame(f.stamp_ns, f.pos_w, f.rot_w, np.ones((2, 2), bool)) for f in motion("stand", 1.0)]
    q = np.repeat(robot.stand[None], len(human), 0)
    change(q)
    return retarget_metrics(robot, GoalMaker(robot, person), [human], [q])


def test_a_statue_is_perfect_but_for_its_hands(stick: Robot, person: Proportions, motion: Motion) -> None:
    metrics = measured(stick, person, motion, lambda q: None)
    assert (metrics.slip_max, metrics.limit_violations, metrics.colliding, metrics.speed_max) == (0, 0, 0, 0)
    assert metrics.float_mean == pytest.approx(0, abs=1e-9) and metrics.penetration_max == pytest.approx(0, abs=1e-9)
    assert metrics.hand_median > 0


def test_sliding_floating_and_sinking_are_seen_in_millimetres(
    stick: Robot, person: Proportions, motion: Motion
) -> None:
    def slide(q: Array) -> None:
        q[:, 0] += 0.003 * np.arange(len(q))

    def lift(q: Array) -> None:
        q[:, 2] += 0.02

    def sink(q: Array) -> None:
        q[:, 2] -= 0.01

    assert measured(stick, person, motion, slide).slip_mean == pytest.approx(3.0)
    assert measured(stick, person, motion, lift).float_mean == pytest.approx(20.0)
    assert measured(stick, person, motion, sink).penetration_max == pytest.approx(10.0)


def test_limits_speeds_and_collisions_are_counted(stick: Robot, person: Proportions, motion: Motion) -> None:
    knee, roll = stick.joint_names.index("left_knee"), stick.joint_names.index("left_hip_roll")

    def bend_back(q: Array) -> None:
        q[4, 7 + knee] = -0.2

    def cross(q: Array) -> None:
        q[5:, 7 + roll] = -0.5

    assert measured(stick, person, motion, bend_back).limit_violations == 1
    assert measured(stick, person, motion, bend_back).speed_max == pytest.approx(6.0)
    crossed = measured(stick, person, motion, cross)
    assert crossed.colliding > 10 and crossed.distance_min < 0


def test_a_turned_trunk_is_seen_in_degrees(stick: Robot, person: Proportions, motion: Motion) -> None:
    waist = stick.joint_names.index("waist_yaw")

    def turn(q: Array) -> None:
        q[: len(q) // 10, 7 + waist] += np.radians(20)

    straight, turned = (measured(stick, person, motion, change) for change in (lambda q: None, turn))
    assert straight.turn_p95 < 10 and turned.turn_median == pytest.approx(straight.turn_median, abs=0.5)
    assert turned.turn_p95 == pytest.approx(20, abs=4)


def test_poses_must_fit_the_frames(stick: Robot, person: Proportions, motion: Motion) -> None:
    human = motion("stand", 1.0)
    with pytest.raises(ShapeError):
        retarget_metrics(stick, GoalMaker(stick, person), [human], [np.zeros((3, stick.model.nq))])
