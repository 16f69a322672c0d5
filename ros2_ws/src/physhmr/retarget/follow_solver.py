"""One QP from a robot's pose towards what is wanted of it, inside all limits, and the checks that follow it.

Joint ranges and speeds are bounds of the QP's variables, so they hold whatever is asked. Floor and self-collision
are soft rows; afterwards a step that still came too close is shortened, back to the last pose if need be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import daqp  # type: ignore[import-not-found, unused-ignore]
import mink
import mujoco
import numpy as np

from physhmr.retarget.collision import SelfCollision
from physhmr.retarget.follow_task import FollowTask
from physhmr.retarget.robot import Robot
from physhmr.types import Array

LONGEST_STEP = 0.1
"""s; after a longer gap the robot catches up at its own speed."""
FLOOR_COST = 100.0
"""1/m of corners below the floor, when steps are compared."""
SWING_CLEARANCE = 0.003
"""m that corners which do not stand keep above the floor."""
SUNK = 0.005
"""m that a corner may come below the floor, or as far as it is already."""
CLOSING_DAMPING = 1e-5
"""m^2/rad^2 of the correction that puts standing feet exactly where they stand."""
_SOFT = 8  # DAQP's sense of a row that may give way


@dataclass(frozen=True)
class SolverCfg:
    """Costs besides those of what is followed, and speeds."""

    damping: float = 0.7
    """1/rad on every step."""
    posture: float = 0.3
    """1/rad towards the standing pose: decides what nothing else does."""
    smooth: float = 0.2
    """1/rad on the change of the step."""
    root_speed: float = 6.0
    """m/s and rad/s, limit of the root."""
    speed: float = 1.0
    """Share of the joints' speeds that may be used; a gate that allows less is outrun otherwise."""
    clearance: float = 0.002
    """m between own parts that a step must leave."""


class FollowSolver:
    """Moves one pose of a robot step by step; its state is that pose and the last step."""

    def __init__(
        self, robot: Robot, task: FollowTask, collision: SelfCollision, cfg: SolverCfg, upper_body: bool = False
    ) -> None:
        """`task` says what is wanted, and which corners stand; `upper_body`: legs and root stay where they are."""
        self._robot, self._task, self._collision, self._cfg = robot, task, collision, cfg
        self.configuration = mink.Configuration(robot.model)
        """The robot now."""
        self.lean()
        self._speed = np.concatenate([np.full(6, cfg.root_speed), cfg.speed * robot.velocity])
        if upper_body:
            self._speed[:6] = 0.0
            self._speed[[6 + joint for joint in robot.leg_joints]] = 0.0
        self.put(robot.stand)

    def put(self, q: Array) -> None:
        """Be at rest in `q` (nq,)."""
        self.configuration.update(q)
        self._step = np.zeros(self._robot.model.nv)

    def lean(self, joints: Sequence[int] = (), angles: Array | None = None, cost: float = 0.0) -> None:
        """Draw these joints towards `angles` rad at `cost` 1/rad, and all others towards the standing pose as ever."""
        self._posture, costs = self._robot.stand[7:].copy(), np.full(self._robot.num_joints, self._cfg.posture)
        if angles is not None:
            self._posture[list(joints)], costs[list(joints)] = angles, cost
        self._posture_cost = costs**2
        self._diagonal = np.full(self._robot.model.nv, self._cfg.damping**2 + self._cfg.smooth**2)
        self._diagonal[6:] += self._posture_cost

    def advance(self, dt: float) -> str:
        """One QP and what follows it; why the step had to be shortened, or nothing."""
        start, floor = self.configuration.q.copy(), min(self._lowest(), -SUNK)
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

    def settle(self, steps: int, dt: float) -> None:
        """Take so many steps of `dt` s, and be at rest."""
        for _ in range(steps):
            self.advance(dt)
        self._step[:] = 0.0

    def _obstacle(self, floor: float) -> str:
        """What speaks against the pose now: own parts that touch, a corner lower than `floor` m; or nothing."""
        if self._collision.smallest(self.configuration.data, 2 * self._cfg.clearance) <= self._cfg.clearance:
            return "own parts would touch"
        return "a foot would sink into the floor" if self._lowest() < floor else ""

    def _lowest(self) -> float:
        """m, height of the lowest corner now."""
        return float(self._task.corners(self.configuration.data)[..., 2].min())

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
        error = self._task.cost * self._task.compute_error(self.configuration)
        below = np.minimum(self._task.corners(self.configuration.data)[..., 2], 0.0)
        return float(error @ error + FLOOR_COST**2 * (below * below).sum())

    def _bounds(self, q: Array, dt: float) -> tuple[Array, Array]:
        """Least and largest step (nv,): speeds everywhere, ranges of the joints."""
        reach = self._speed * dt
        low, high = self._robot.ranges.T
        lower, upper = -reach, reach.copy()
        lower[6:] = np.clip(low - q[7:], lower[6:], 0.0)
        upper[6:] = np.clip(high - q[7:], 0.0, upper[6:])
        return lower, upper

    def _solve(self, lower: Array, upper: Array) -> Array:
        """The step (nv,) that brings the task nearest to its goals."""
        jacobian, error, _ = self._task.compute_qp_residual(self.configuration)
        H, c = jacobian.T @ jacobian, -(error @ jacobian)
        H.flat[:: len(H) + 1] += self._diagonal
        c -= self._cfg.smooth**2 * self._step
        c[6:] += self._posture_cost * (self.configuration.q[7:] - self._posture)
        G, room = self._collision.rows(self.configuration.data)
        floor = self._task.corner_jacobian()[:, 2]
        heights = self._task.corners(self.configuration.data)[..., 2].ravel()
        lift = np.where(self._task.pinned, 0.0, SWING_CLEARANCE).ravel()
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
        if not self._task.pinned.any():
            return step
        error = self._task.placed - self._task.corners(self.configuration.data)
        self._task.compute_jacobian(self.configuration)
        free = [*range(6), *(6 + joint for joint in self._robot.leg_joints)]
        J = self._task.corner_jacobian().reshape(2, 4, 3, -1)[self._task.pinned].reshape(-1, len(step))[:, free]
        wanted = J.T @ error[self._task.pinned].ravel()
        step[free] = np.linalg.solve(J.T @ J + CLOSING_DAMPING * np.eye(len(free)), wanted)
        return np.clip(step, np.minimum(lower, 0.0), np.maximum(upper, 0.0))

    def _slack(self) -> float:
        """m, the largest distance of a standing corner from its place."""
        away = np.linalg.norm(self._task.placed - self._task.corners(self.configuration.data), axis=-1)
        return float(away[self._task.pinned].max(initial=0.0))

    def _move(self, start: Array, step: Array) -> None:
        q = start.copy()
        mujoco.mj_integratePos(self._robot.model, q, step, 1.0)
        low, high = self._robot.ranges.T
        q[7:] = np.clip(q[7:], low, high)
        self.configuration.update(q)
