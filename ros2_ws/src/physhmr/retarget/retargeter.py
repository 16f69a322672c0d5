"""One human frame in, one robot pose out: a single QP, warm from the last pose, inside all limits.

Joint ranges and speeds are bounds of the QP's variables, so they hold whatever is asked. Floor and self-collision
are soft rows; afterwards a step that still came too close is shortened, back to the last pose if need be.
"""

from __future__ import annotations

from dataclasses import dataclass

import daqp  # type: ignore[import-not-found, unused-ignore]
import mink
import mujoco
import numpy as np
from numpy.typing import NDArray

from physhmr.errors import RobotError
from physhmr.geometry.rotation import yaw_quat
from physhmr.retarget.collision import SelfCollision
from physhmr.retarget.feet import Footing
from physhmr.retarget.follow_task import FollowTask
from physhmr.retarget.goals import GoalMaker, Goals
from physhmr.retarget.human import HumanFrame, facing_forward
from physhmr.retarget.proportions import Proportions
from physhmr.retarget.robot import Robot
from physhmr.retarget.roles import SIDES
from physhmr.retarget.support import nearest_support
from physhmr.retarget.target import RobotTarget
from physhmr.types import Array

LONGEST_STEP = 0.1
"""s; after a longer gap the robot catches up at its own speed."""
SETTLE_STEPS = 80
"""QPs for the first frame, which has no past."""
FLOOR_COST = 100.0
"""1/m of corners below the floor, when steps are compared."""
SWING_CLEARANCE = 0.003
"""m that corners which do not stand keep above the floor."""
MAX_SLIP = 0.002
"""m; a standing corner that cannot be kept better than this from one frame to the next does not stand."""
SUNK = 0.005
"""m that a corner may come below the floor, or as far as it is already."""
HAND_OFF = 0.03
"""m; while a hand is farther away than this, a frame gets two QPs: around the own body the way is crooked."""
CLOSING_DAMPING = 1e-5
"""m^2/rad^2 of the correction that puts standing feet exactly where they stand."""
_SOFT = 8  # DAQP's sense of a row that may give way


@dataclass(frozen=True)
class RetargetCfg:
    """Costs besides those of what is followed, and tolerances."""

    damping: float = 0.7
    """1/rad on every step."""
    posture: float = 0.3
    """1/rad towards the standing pose: decides what nothing else does."""
    smooth: float = 0.2
    """1/rad on the change of the step."""
    balance: float = 12.0
    """1/m on the centre of mass over the support, while the human stands."""
    standing_speed: float = 0.25
    """m/s of the human's pelvis, below which it stands."""
    root_speed: float = 6.0
    """m/s and rad/s, limit of the root."""
    speed: float = 1.0
    """Share of the joints' speeds that may be used; a gate that allows less is outrun otherwise."""
    clearance: float = 0.002
    """m between own parts that a step must leave."""
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
        self._configuration = mink.Configuration(robot.model)
        self._diagonal = np.full(robot.model.nv, self._cfg.damping**2 + self._cfg.smooth**2)
        self._diagonal[6:] += self._cfg.posture**2
        self._speed = np.concatenate([np.full(6, self._cfg.root_speed), self._cfg.speed * robot.velocity])
        if upper_body and not robot.upper_joints:
            raise RobotError(f"'{robot.cfg.name}' has no upper body to move")
        if upper_body:
            self._speed[:6] = 0.0
            self._speed[[6 + joint for joint in robot.leg_joints]] = 0.0
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next frame is taken up without speed limits."""
        self._configuration.update(self.robot.stand)
        feet = [f"{side}_foot" for side in SIDES]
        self._footing = [
            Footing(corners, self.robot.rest_rot[role]) for corners, role in zip(self.robot.soles, feet, strict=True)
        ]
        self._step = np.zeros(self.robot.model.nv)
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
        before, corners, stood = self._configuration.q.copy(), self._corners(), self._pinned
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
        return self._configuration

    def hand_errors(self, goals: Goals) -> dict[str, float]:
        """m that each hand is away from what was wanted, seen from its shoulder."""
        at = self._points()
        return {
            side: float(np.linalg.norm(at[f"{side}_hand"] - at[f"{side}_shoulder"] - goals.points[f"{side}_hand"]))
            for side in SIDES
            if f"{side}_hand" in self.robot.body
        }

    def _settle(self, goals: Goals) -> None:
        """Stand where the human stands, then come to the pose."""
        start = self.robot.stand.copy()
        if not self._upper_body:
            forward = goals.rotations["pelvis"] @ self.robot.rest_rot["pelvis"].T
            yaw = np.arctan2(forward[1, 0], forward[0, 0])
            start[:2] = goals.points["hips"][:2]
            start[3:7] = yaw_quat(yaw)
        self._configuration.update(start)
        self.task.set_goals(goals, self._placed(), self._pinned, None, 0.0)
        for _ in range(SETTLE_STEPS):
            self._advance(LONGEST_STEP)
        self._step[:] = 0.0

    def _elapsed(self, human: HumanFrame) -> float:
        """s since the last frame, as far as one step may reach."""
        if self._last is None:
            return LONGEST_STEP
        return min((human.stamp_ns - self._last.stamp_ns) * 1e-9, LONGEST_STEP)

    def _pin(self, human: HumanFrame, goals: Goals) -> NDArray[np.bool_]:
        """(2, 4) corners that stand now."""
        if self._upper_body:
            return np.zeros((2, 4), bool)
        state = self._configuration.data
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
        return self.task.corners(self._configuration.data).copy()

    def _placed(self) -> Array:
        return np.array([np.zeros((4, 3)) if f.placed is None else f.placed for f in self._footing])

    def _support(self, human: HumanFrame, dt: float) -> Array | None:
        """Where the centre of mass should be; None while the human moves on or no foot stands."""
        if self._human is None or not self._pinned.any():
            return None
        speed = float(np.linalg.norm(human.pos_w[0, :2] - self._human.pos_w[0, :2])) / dt
        if speed > self._cfg.standing_speed:
            return None
        com = self._configuration.data.subtree_com[self.robot.root, :2]
        return nearest_support(com, self._placed()[self._pinned][:, :2])

    def _follow(self, goals: Goals, dt: float) -> str:
        """The QPs of one frame; why a step had to be shortened, or nothing."""
        count = 2 if max(self.hand_errors(goals).values(), default=0.0) > HAND_OFF else 1
        return " and ".join(dict.fromkeys(filter(None, (self._advance(dt / count) for _ in range(count)))))

    def _advance(self, dt: float) -> str:
        """One QP and what follows it; why the step had to be shortened, or nothing."""
        start, floor = self._configuration.q.copy(), min(self._lowest(), -SUNK)
        lower, upper = self._bounds(start, dt)
        step = self._damped(start, self._solve(lower, upper))
        closed = step + self._closing(lower - step, upper - step)
        missed = self._slack()
        self._move(start, closed)
        # Near a straight knee a correction can do harm.
        step = closed if self._slack() < missed else step
        why = ""
        for share in (1.0, 0.5, 0.2, 0.0):
            self._move(start, share * step)
            against = self._obstacle(floor)
            if share == 0.0 or not against:
                break
            why = why or against
        self._step = share * step
        return why

    def _obstacle(self, floor: float) -> str:
        """What speaks against the pose now: own parts that touch, a corner lower than `floor` m; or nothing."""
        if self.collision.smallest(self._configuration.data) <= self._cfg.clearance:
            return "own parts would touch"
        return "a foot would sink into the floor" if self._lowest() < floor else ""

    def _lowest(self) -> float:
        """m, height of the lowest corner now."""
        return float(self.task.corners(self._configuration.data)[..., 2].min())

    def _damped(self, start: Array, step: Array) -> Array:
        """The step, or the part of it that brings more: far from the goal the linear QP overshoots and swings."""
        before, share = self._misfit(), 1.0
        self._move(start, step)
        while self._misfit() > before and share > 0.25:
            share *= 0.5
            self._move(start, share * step)
        return share * step

    def _misfit(self) -> float:
        """The task's weighted squared error at the pose now, own floor included."""
        error = self.task.cost * self.task.compute_error(self._configuration)
        below = np.minimum(self.task.corners(self._configuration.data)[..., 2], 0.0)
        return float(error @ error + FLOOR_COST**2 * (below * below).sum())

    def _bounds(self, q: Array, dt: float) -> tuple[Array, Array]:
        """Least and largest step (nv,): speeds everywhere, ranges of the joints."""
        reach = self._speed * dt
        low, high = self.robot.ranges.T
        lower, upper = -reach, reach.copy()
        lower[6:] = np.clip(low - q[7:], lower[6:], 0.0)
        upper[6:] = np.clip(high - q[7:], 0.0, upper[6:])
        return lower, upper

    def _solve(self, lower: Array, upper: Array) -> Array:
        """The step (nv,) that brings the task nearest to its goals."""
        jacobian, error, _ = self.task.compute_qp_residual(self._configuration)
        H, c = jacobian.T @ jacobian, -(error @ jacobian)
        H.flat[:: len(H) + 1] += self._diagonal
        c -= self._cfg.smooth**2 * self._step
        c[6:] += self._cfg.posture**2 * (self._configuration.q[7:] - self.robot.stand[7:])
        G, room = self.collision.rows(self._configuration.data)
        floor = self.task.corner_jacobian()[:, 2]
        heights = self.task.corners(self._configuration.data)[..., 2].ravel()
        lift = np.where(self._pinned, 0.0, SWING_CLEARANCE).ravel()
        rows, least = np.concatenate([floor, G]), np.concatenate([lift - heights, room])
        most = np.concatenate([upper, np.full(len(rows), 1e30)])
        sense = np.zeros(len(most), np.int32)
        sense[len(upper) :] = _SOFT
        step, _, found, _ = daqp.solve(H, c, rows, most, np.concatenate([lower, least]), sense)
        if found <= 0 or not np.isfinite(step).all():
            return np.zeros_like(lower)
        return np.clip(step, lower, upper)

    def _closing(self, lower: Array, upper: Array) -> Array:
        """(nv,) what root and legs still move so that standing corners are where they stand, to second order."""
        step = np.zeros(len(lower))
        if not self._pinned.any():
            return step
        error = self._placed() - self.task.corners(self._configuration.data)
        self.task.compute_jacobian(self._configuration)
        free = [*range(6), *(6 + joint for joint in self.robot.leg_joints)]
        J = self.task.corner_jacobian().reshape(2, 4, 3, -1)[self._pinned].reshape(-1, len(step))[:, free]
        step[free] = np.linalg.solve(J.T @ J + CLOSING_DAMPING * np.eye(len(free)), J.T @ error[self._pinned].ravel())
        return np.clip(step, np.minimum(lower, 0.0), np.maximum(upper, 0.0))

    def _slack(self) -> float:
        """m, the largest distance of a standing corner from its place."""
        away = np.linalg.norm(self._placed() - self.task.corners(self._configuration.data), axis=-1)
        return float(away[self._pinned].max(initial=0.0))

    def _move(self, start: Array, step: Array) -> None:
        q = start.copy()
        mujoco.mj_integratePos(self.robot.model, q, step, 1.0)
        low, high = self.robot.ranges.T
        q[7:] = np.clip(q[7:], low, high)
        self._configuration.update(q)

    def _points(self) -> dict[str, Array]:
        return {role: self.robot.points(self._configuration.data, role) for role in self.robot.body}

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
            mujoco.mj_differentiatePos(self.robot.model, qvel, dt, before, self._configuration.q)
        return RobotTarget(human.stamp_ns, self._configuration.q.copy(), qvel, self._pinned | self._upper_body, reason)
