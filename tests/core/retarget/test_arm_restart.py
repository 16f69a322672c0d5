"""An arm that cannot get out of where it is comes back through another pose, inside all limits."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from physhmr.retarget import arm_restart
from physhmr.retarget.follow_task import FollowTask
from physhmr.retarget.human import HumanFrame, facing_forward
from physhmr.retarget.proportions import Proportions
from physhmr.retarget.retargeter import Retargeter
from physhmr.retarget.robot import Robot
from physhmr.retarget.target import RobotTarget

Motion = Callable[[str, float], list[HumanFrame]]
STUCK = [(40, 11), (80, 11)]
"""Frames of a gesture, and seeds of poses of the left arm from which a QP a frame does not reach."""


def follow_from(
    stick: Robot, person: Proportions, human: HumanFrame, seed: int
) -> tuple[Retargeter, list[RobotTarget], float]:
    """Two seconds of one pose of the human, the left arm put anywhere; and how far its hand is off in the end."""
    retargeter, arm = Retargeter(stick, person, upper_body=True), stick.arm_joints["left"]
    targets = [retargeter.step(human)]
    q = retargeter.configuration.q.copy()
    q[7:][arm] = np.random.default_rng(seed).uniform(*stick.ranges[arm].T)
    retargeter.configuration.update(q)
    for frame in range(1, 60):
        stamp = human.stamp_ns + frame * 33_333_333
        targets.append(retargeter.step(HumanFrame(stamp, human.pos_w, human.rot_w, human.contact)))
    return retargeter, targets, retargeter.hand_errors(retargeter.goal_maker(facing_forward(human)))["left"]


@pytest.mark.parametrize(("frame", "seed"), STUCK)
def test_a_stuck_hand_comes_back(
    stick: Robot, person: Proportions, motion: Motion, monkeypatch: pytest.MonkeyPatch, frame: int, seed: int
) -> None:
    human = motion("gesture", 4.0)[frame]
    retargeter, targets, error = follow_from(stick, person, human, seed)
    assert error < 0.01
    assert min(retargeter.collision.smallest(stick.placed(target.q)) for target in targets[1:]) > 0
    for before, after in itertools.pairwise(targets[1:]):
        assert (np.abs(after.joints - before.joints) <= stick.velocity / 30 + 1e-9).all()
        assert (after.joints >= stick.ranges[:, 0]).all() and (after.joints <= stick.ranges[:, 1]).all()
    monkeypatch.setattr(arm_restart, "PATIENCE", 10**6)
    assert follow_from(stick, person, human, seed)[2] > arm_restart.FAR


def test_an_arm_that_cannot_reach_is_left_alone(stick: Robot, person: Proportions, motion: Motion) -> None:
    """Its hand is wanted three metres above the shoulder."""
    retargeter, human = Retargeter(stick, person, upper_body=True), motion("stand", 1.0)[0]
    goals = retargeter.goal_maker(facing_forward(human))
    retargeter.step(human)
    goals.points["left_hand"][:] = (0.0, 0.0, 3.0)
    retargeter.task.set_goals(goals, np.zeros((2, 4, 3)), np.zeros((2, 4), bool), None, 0.0)
    phases = set()
    for _ in range(60):
        retargeter._restart.step(goals)
        phases.add(retargeter._restart.phase)
    assert phases == {arm_restart.Phase.FOLLOWING, arm_restart.Phase.TRYING}


def test_a_led_arm_is_asked_for_nothing_else(stick: Robot, person: Proportions, motion: Motion) -> None:
    task, retargeter = FollowTask(stick), Retargeter(stick, person)
    goals = retargeter.goal_maker(motion("stand", 1.0)[0])
    task.set_goals(goals, np.zeros((2, 4, 3)), np.ones((2, 4), bool), None, 0.0)
    before = task.cost.copy()
    task.let_go("left")
    jacobian = task.compute_jacobian(retargeter.configuration)[:, [6 + joint for joint in stick.arm_joints["left"]]]
    moved = np.abs(jacobian[:-2]).max(1) > 1e-9
    assert moved.any() and not task.cost[:-2][moved].any()
    changed = task.cost != before
    assert changed.sum() == 9  # Elbow, hand and the elbow's axis.
    assert not task.cost[changed].any()
