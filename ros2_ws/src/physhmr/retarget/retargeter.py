"""One human frame in, one robot pose out: a single QP, warm from the last pose, inside all limits."""

from __future__ import annotations

from dataclasses import dataclass

import mink
import mujoco
import numpy as np
from numpy.typing import NDArray

from physhmr.errors import RobotError
from physhmr.geometry.rotation import yaw_quat
from physhmr.retarget.arm_restart import ArmRestart
from physhmr.retarget.collision import SelfCollision
from physhmr.retarget.feet import Footing
from physhmr.retarget.follow_solver import LONGEST_STEP, FollowSolver, SolverCfg
from physhmr.retarget.follow_task import FollowTask
from physhmr.retarget.goals import GoalMaker, Goals, hand_errors
from physhmr.retarget.human import HumanFrame, facing_forward
from physhmr.retarget.proportions import Proportions
from physhmr.retarget.robot import Robot
from physhmr.retarget.roles import SIDES
from physhmr.retarget.support import nearest_support
from physhmr.retarget.target import RobotTarget
from physhmr.types import Array

SETTLE_STEPS = 80
"""QPs for the first frame, which has no past."""
MAX_SLIP = 0.002
"""m; a standing corner that cannot be kept better than this from one frame to the next does not stand."""
HAND_OFF = 0.03
"""m; while a hand is farther away than this, a frame gets two QPs: around the own body the way is crooked. A trial of
the arm in another pose takes the second one."""


@dataclass(frozen=True)
class RetargetCfg(SolverCfg):
    """Costs besides those of what is followed, and tolerances."""

    balance: float = 12.0
    """1/m on the centre of mass over the support, while the human stands."""
    standing_speed: float = 0.25
    """m/s of the human's pelvis, below which it stands."""
    tolerance: float = 0.12
    """m that a hand or a foot may miss what was wanted before the pose is called infeasible."""


class Retargeter:
    """Follows one human with one robot; its state is the last pose and where the feet stand."""

    def __init__(
        self, robot: Robot, human: Proportions, cfg: RetargetCfg | None = None, upper_body: bool = False
    ) -> None:
        """`upper_body`: legs and root keep the standing pose, left to the robot's own balance controller.

        Raises `RobotError` for a robot that has no other joints.
        """
        self.robot, self._cfg, self._upper_body = robot, cfg or RetargetCfg(), upper_body
        self.goal_maker = GoalMaker(robot, human)
        self.collision = SelfCollision(robot)
        self.task = FollowTask(robot)
        if upper_body and not robot.upper_joints:
            raise RobotError(f"'{robot.cfg.name}' has no upper body to move")
        own = robot, self.task, self.collision, self._cfg, upper_body
        self._solver = FollowSolver(*own)
        self._restart = ArmRestart(robot, self.task, self._solver, FollowSolver(*own))
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next frame is taken up without speed limits."""
        self._solver.put(self.robot.stand)
        self._restart.reset()
        feet = [f"{side}_foot" for side in SIDES]
        self._footing = [
            Footing(corners, self.robot.rest_rot[role]) for corners, role in zip(self.robot.soles, feet, strict=True)
        ]
        self._pinned = np.zeros((2, 4), bool)
        self._human: HumanFrame | None = None
        self._last: RobotTarget | None = None

    def step(self, human: HumanFrame) -> RobotTarget:
        """The robot's pose for this frame; a frame that is not newer than the last one changes nothing."""
        if self._last is not None and human.stamp_ns <= self._last.stamp_ns:
            return self._last
        seen, human = human, facing_forward(human) if self._upper_body else human
        goals = self.goal_maker(human)
        if self._human is None:
            self._settle(goals)
        dt = self._elapsed(human)
        before, corners, stood = self.configuration.q.copy(), self._corners(), self._pinned
        self._pinned = self._pin(human, goals)
        self.task.set_goals(goals, self._placed(), self._pinned, self._support(human, dt), self._cfg.balance)
        shortened = self._follow(goals, dt)
        self._release_sliding(stood, np.linalg.norm(self._corners() - corners, axis=-1))
        self._last = self._target(seen, before, dt, self._reason(goals, shortened))
        self._human = human
        return self._last

    @property
    def configuration(self) -> mink.Configuration:
        """The robot as of the last frame."""
        return self._solver.configuration

    def hand_errors(self, goals: Goals) -> dict[str, float]:
        """m that each hand is away from what was wanted, seen from its shoulder."""
        return hand_errors(self.robot, self.configuration.data, goals)

    def _settle(self, goals: Goals) -> None:
        """Stand where the human stands, then come to the pose."""
        start = self.robot.stand.copy()
        if not self._upper_body:
            forward = goals.rotations["pelvis"] @ self.robot.rest_rot["pelvis"].T
            yaw = np.arctan2(forward[1, 0], forward[0, 0])
            start[:2] = goals.points["hips"][:2]
            start[3:7] = yaw_quat(yaw)
        self._solver.put(start)
        self.task.set_goals(goals, self._placed(), self._pinned, None, 0.0)
        self._solver.settle(SETTLE_STEPS, LONGEST_STEP)

    def _elapsed(self, human: HumanFrame) -> float:
        """s since the last frame, as far as one step may reach."""
        if self._last is None:
            return LONGEST_STEP
        return min((human.stamp_ns - self._last.stamp_ns) * 1e-9, LONGEST_STEP)

    def _pin(self, human: HumanFrame, goals: Goals) -> NDArray[np.bool_]:
        """(2, 4) corners that stand now."""
        if self._upper_body:
            return np.zeros((2, 4), bool)
        state = self.configuration.data
        pinned = []
        for side, footing, touching in zip(SIDES, self._footing, human.contact, strict=True):
            body, role = self.robot.body[f"{side}_foot"], f"{side}_foot"
            rot = state.xmat[body].reshape(3, 3)
            pinned.append(footing.update(touching, state.xpos[body], rot, goals.points[role]))
        return np.array(pinned)

    def _release_sliding(self, stood: NDArray[np.bool_], moved: Array) -> None:
        """Call no foot standing whose corners, which (2, 4) `stood`, have `moved` by so many m."""
        sliding = np.any(self._pinned & stood & (moved > MAX_SLIP), axis=1)
        for footing in (self._footing[foot] for foot in np.nonzero(sliding)[0]):
            footing.release()
        self._pinned = self._pinned & ~sliding[:, None]

    def _corners(self) -> Array:
        """(2, 4, 3) m, the corners of the soles now."""
        return self.task.corners(self.configuration.data).copy()

    def _placed(self) -> Array:
        return np.array([np.zeros((4, 3)) if f.placed is None else f.placed for f in self._footing])

    def _support(self, human: HumanFrame, dt: float) -> Array | None:
        """Where the centre of mass should be; None while the human moves on or no foot stands."""
        if self._human is None or not self._pinned.any():
            return None
        speed = float(np.linalg.norm(human.pos_w[0, :2] - self._human.pos_w[0, :2])) / dt
        if speed > self._cfg.standing_speed:
            return None
        com = self.configuration.data.subtree_com[self.robot.root, :2]
        return nearest_support(com, self._placed()[self._pinned][:, :2])

    def _follow(self, goals: Goals, dt: float) -> str:
        """The QPs of one frame; why a step had to be shortened, or nothing."""
        tried, off = self._restart.step(goals), max(self.hand_errors(goals).values(), default=0.0) > HAND_OFF
        count = 2 if off and not tried else 1
        return " and ".join(dict.fromkeys(filter(None, (self._solver.advance(dt / count) for _ in range(count)))))

    def _points(self) -> dict[str, Array]:
        return {role: self.robot.points(self.configuration.data, role) for role in self.robot.body}

    def _reason(self, goals: Goals, shortened: str) -> str:
        """What is not as wanted, for a person."""
        at, told = self._points(), []
        missed = {f"{side} hand": error for side, error in self.hand_errors(goals).items()}
        for side, stands in zip(SIDES, self._pinned, strict=True):
            if not (self._upper_body or stands.any()):
                missed[f"{side} foot"] = float(np.linalg.norm(at[f"{side}_foot"] - goals.points[f"{side}_foot"]))
        told = [f"{what} is {100 * miss:.0f} cm off" for what, miss in missed.items() if miss > self._cfg.tolerance]
        return ", ".join([*told, shortened] if shortened else told)

    def _target(self, human: HumanFrame, before: Array, dt: float, reason: str) -> RobotTarget:
        qvel = np.zeros(self.robot.model.nv)
        if self._last is not None:
            mujoco.mj_differentiatePos(self.robot.model, qvel, dt, before, self.configuration.q)
        return RobotTarget(human.stamp_ns, self.configuration.q.copy(), qvel, self._pinned | self._upper_body, reason)
