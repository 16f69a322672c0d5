"""Velocities of joints after which a robot can stop before its own parts meet.

Looked at is where braking would end. If parts are too near there, the nearest velocities for which they are not,

    min |v - wanted|^2   with   d + G S (v - v0) >= KEEP,   low <= v <= high,

d (R,) the distances there and G (R, J) their gradients, S = diag(dr/dv) how far the end of braking moves with v: joints
go around their own parts instead of waiting before them. That is linear; what comes out is looked at again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import daqp  # type: ignore[import-not-found, unused-ignore]
import mujoco
import numpy as np

from physhmr.retarget.collision import SelfCollision
from physhmr.retarget.joint_limiter import JointLimiter
from physhmr.retarget.robot import Robot
from physhmr.types import Array

FREE = 0.0005
"""m that every command leaves between own parts, or as much as there is."""
KEEP = 0.0015
"""m that velocities are chosen for; what is between both is for what the QP, which is linear, does not see."""
ROUNDS = 3
"""QPs of one command."""
LOOK = 0.01
"""s between two places on the way to rest that are looked at."""
_SOFT = 8  # DAQP's sense of a row that may give way


class Clearance(Protocol):
    """How far own parts are from each other."""

    def smallest(self, joints: Array) -> float:
        """m at joints (J,) rad, negative where parts overlap; exact below `KEEP`."""
        ...

    def gradients(self, joints: Array) -> tuple[Array, Array]:
        """(R, J) m/rad, how the distances (R,) m of near parts change."""
        ...


class JointClearance:
    """The clearance of some joints of a robot, while its other joints stand."""

    def __init__(self, robot: Robot, collision: SelfCollision, joints: Sequence[int]) -> None:
        self._model, self._collision, self._joints = robot.model, collision, np.array(joints, int)
        self._state = mujoco.MjData(robot.model)
        self._state.qpos[:] = robot.stand

    def smallest(self, joints: Array) -> float:
        """m, at most twice `KEEP`."""
        return self._collision.smallest(self._placed(joints), 2 * KEEP)

    def gradients(self, joints: Array) -> tuple[Array, Array]:
        """Of the parts within `collision.CUTOFF`."""
        state = self._placed(joints)
        mujoco.mj_comPos(self._model, state)
        gradients, distances = self._collision.gradients(state)
        return gradients[:, 6 + self._joints], distances

    def _placed(self, joints: Array) -> mujoco.MjData:
        self._state.qpos[7 + self._joints] = joints
        mujoco.mj_kinematics(self._model, self._state)
        return self._state


def clear_velocity(clearance: Clearance, limiter: JointLimiter, wanted: Array) -> Array | None:
    """(J,) rad/s near `wanted` (J,) that `limiter` can take and stop from without a collision; None if none is found.

    To brake instead, after a command of this kind, needs no look: it leads where was looked then.
    """
    if _is_clear(clearance, limiter, wanted, KEEP):
        return wanted
    # Who starts with parts together may only bring them apart.
    velocity, least = wanted, min(FREE, clearance.smallest(limiter.position))
    for _ in range(ROUNDS):
        gradients, distances = clearance.gradients(limiter.braking(velocity)[-1])
        velocity = _bend(limiter, wanted, velocity, gradients, distances)
        if _is_clear(clearance, limiter, velocity, least):
            return velocity
    low, high = limiter.reach()
    waiting = np.where(gradients[distances < KEEP].any(0), np.clip(0.0, low, high), wanted)
    return waiting if _is_clear(clearance, limiter, waiting, least) else None


def _is_clear(clearance: Clearance, limiter: JointLimiter, velocity: Array, least: float) -> bool:
    """The next command, and all that braking passes afterwards, leave `least` m."""
    way = limiter.braking(velocity)
    looked = range(len(way) - 1, 0, -max(1, round(LOOK / limiter.dt)))
    return all(clearance.smallest(way[index]) >= least for index in (*looked, 0))


def _bend(limiter: JointLimiter, wanted: Array, velocity: Array, gradients: Array, distances: Array) -> Array:
    """The QP of this module, linear about `velocity` (J,) rad/s."""
    low, high = limiter.reach()
    rows = gradients * limiter.stretch(velocity)
    least = np.concatenate([low, KEEP - distances + rows @ velocity])
    most = np.concatenate([high, np.full(len(rows), 1e30)])
    sense = np.concatenate([np.zeros(len(low), np.int32), np.full(len(rows), _SOFT, np.int32)])
    found, _, status, _ = daqp.solve(np.eye(len(low)), -wanted, rows, most, least, sense)
    return np.clip(found, low, high) if status > 0 and np.isfinite(found).all() else np.clip(0.0, low, high)
