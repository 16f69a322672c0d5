"""Torques that a motion needs, and which of them the robot does not have.

Equations of motion: M qdd + c = S^T tau + sum J_k^T f_k with forces at the corners that stand. The root has no
motor, so its six rows fix the forces: the smallest that fit, by least squares. Whether the floor could push so is not
asked; what no standing corner can give is told as `unsupported`.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from physhmr.retarget.robot import Robot
from physhmr.retarget.roles import SIDES
from physhmr.retarget.target import RobotTarget
from physhmr.types import Array

FASTEST = 0.2
"""s; over a longer gap between two targets no acceleration is read."""
SMOOTHING = 0.4
"""Share of the newest acceleration: velocities of frames are differenced once more, which is noise."""


@dataclass(frozen=True)
class Effort:
    """What one target costs."""

    torque: Array
    """(J,) N m."""
    exceeded: NDArray[np.bool_]
    """(J,) the torque is more than the joint has."""
    unsupported: float
    """N, the part of the root's force that no standing corner can give: 0 while standing, the weight in the air."""


class InverseDynamics:
    """Differentiates targets and asks MuJoCo for the torques; its state is the last velocity and acceleration."""

    def __init__(self, robot: Robot) -> None:
        self._robot, self._state = robot, mujoco.MjData(robot.model)
        self._last: RobotTarget | None = None
        self._acceleration = np.zeros(robot.model.nv)

    def reset(self) -> None:
        """Forget the past."""
        self._last, self._acceleration = None, np.zeros(self._robot.model.nv)

    def __call__(self, target: RobotTarget) -> Effort:
        """The effort of moving through this target, after the one before."""
        robot, state = self._robot, self._state
        self._update_acceleration(target)
        state.qpos[:], state.qvel[:], state.qacc[:] = target.q, target.qvel, self._acceleration
        mujoco.mj_fwdPosition(robot.model, state)
        mujoco.mj_fwdVelocity(robot.model, state)
        needed = np.zeros(robot.model.nv)
        mujoco.mj_rne(robot.model, state, 1, needed)
        needed += robot.model.dof_armature * self._acceleration
        needed -= state.qfrc_passive
        jacobian = self._corner_jacobian(target)
        force = np.linalg.lstsq(jacobian[:, :6].T, needed[:6], rcond=None)[0] if len(jacobian) else np.zeros(0)
        torque = needed[6:] - jacobian[:, 6:].T @ force
        missing = needed[:3] - jacobian[:, :3].T @ force
        return Effort(torque, np.abs(torque) > robot.torque, float(np.linalg.norm(missing)))

    def _update_acceleration(self, target: RobotTarget) -> None:
        dt = (target.stamp_ns - self._last.stamp_ns) * 1e-9 if self._last else 0.0
        if self._last is not None and 0.0 < dt <= FASTEST:
            newest = (target.qvel - self._last.qvel) / dt
            self._acceleration += SMOOTHING * (newest - self._acceleration)
        self._last = target

    def _corner_jacobian(self, target: RobotTarget) -> Array:
        """(3 N, nv) of the corners that stand."""
        robot, rows = self._robot, []
        for side, corners, pinned in zip(SIDES, robot.corners(self._state), target.pinned, strict=True):
            for point in corners[pinned]:
                row = np.zeros((3, robot.model.nv))
                mujoco.mj_jac(robot.model, self._state, row, None, point, robot.body[f"{side}_foot"])
                rows.append(row)
        return np.concatenate(rows) if rows else np.zeros((0, robot.model.nv))
