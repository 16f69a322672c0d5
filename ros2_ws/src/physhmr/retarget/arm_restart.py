"""An arm that is stuck comes back: tried anew from the standing pose, it is led to where that ended.

    FOLLOWING --hand stays off--> TRYING --hand came near--> LED --arrived--> FOLLOWING
        ^                            |
        +-------- in vain -----------+

A QP a frame only goes downhill: a hand before the own hip, or an arm that came down on the wrong side of its range,
stays there although the arm would reach in another pose. A trial is a second solver, one QP a frame. What moves the
robot remains the one solver inside its limits.
"""

from __future__ import annotations

import enum

import numpy as np

from physhmr.retarget.follow_solver import LONGEST_STEP, FollowSolver
from physhmr.retarget.follow_task import FollowTask
from physhmr.retarget.goals import Goals, hand_errors
from physhmr.retarget.robot import Robot
from physhmr.types import Array

FAR, NEAR = 0.06, 0.03
"""m from what is wanted: a hand farther away is off, a trial that brings it so near ends at once."""
PATIENCE = 5
"""Frames that a hand is off before its arm is tried anew."""
TRIES = 12
"""QPs of a trial."""
BETTER = 0.7
"""Share of the stuck hand's error that a trial must get below."""
PULL = 4.0
"""1/rad towards where the trial ended."""
ARRIVED = 0.1
"""rad from there, when the arm follows again."""
LONGEST_LEAD = 15
"""Frames, after which it follows again in any case."""
REST = 30
"""Frames off until the next trial."""


class Phase(enum.Enum):
    """What happens to the arms."""

    FOLLOWING = "following"
    TRYING = "trying"
    LED = "led"


class ArmRestart:
    """Watches the hands of one robot and restarts one arm at a time."""

    def __init__(self, robot: Robot, task: FollowTask, solver: FollowSolver, trial: FollowSolver) -> None:
        """`solver` moves the robot, `trial` tries; `task` is that of both."""
        self._robot, self._task, self._solver, self._trial = robot, task, solver, trial
        self.reset()

    def reset(self) -> None:
        """All arms follow."""
        self._off = dict.fromkeys(self._robot.arm_joints, 0)
        self._side, self._frames = "", 0
        self._follow()

    def step(self, goals: Goals) -> bool:
        """Before the QP of a frame, whose goals the task has: watch, try, or lead; True if a trial took a QP."""
        errors = hand_errors(self._robot, self._solver.configuration.data, goals)
        for side, error in errors.items():
            self._off[side] = self._off[side] + 1 if error > FAR else 0
        self._frames += 1
        trying = self.phase is Phase.TRYING
        if self.phase is Phase.LED:
            self._keep_leading()
        elif trying:
            self._try(goals, errors[self._side])
        elif max(self._off.values(), default=0) > PATIENCE:
            self._begin(max(self._off, key=self._off.__getitem__))
        return trying

    def _begin(self, side: str) -> None:
        arm = [7 + joint for joint in self._robot.arm_joints[side]]
        q = self._solver.configuration.q.copy()
        q[arm] = self._robot.stand[arm]
        self._trial.put(q)
        self._side, self._frames, self.phase = side, 0, Phase.TRYING

    def _try(self, goals: Goals, present: float) -> None:
        self._trial.advance(LONGEST_STEP)
        left = hand_errors(self._robot, self._trial.configuration.data, goals)[self._side]
        if present < FAR:
            self._follow()
        elif left < min(NEAR, BETTER * present) or self._frames >= TRIES:
            self._off[self._side] = -REST
            if left < min(FAR, BETTER * present):
                self._lead()
            else:
                self._follow()

    def _lead(self) -> None:
        arm = self._robot.arm_joints[self._side]
        self._solver.lean(arm, self._arm(self._trial), PULL)
        self._frames, self.phase = 0, Phase.LED
        self._task.let_go(self._side)

    def _keep_leading(self) -> None:
        gap = np.abs(self._arm(self._solver) - self._arm(self._trial)).max()
        if gap < ARRIVED or self._frames > LONGEST_LEAD:
            self._follow()
        else:
            self._task.let_go(self._side)

    def _follow(self) -> None:
        self._solver.lean()
        self.phase = Phase.FOLLOWING

    def _arm(self, solver: FollowSolver) -> Array:
        """Joints of the arm in question, rad."""
        return solver.configuration.q[7:][self._robot.arm_joints[self._side]]
