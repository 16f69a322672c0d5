"""All that a robot follows as one mink task: points, orientations, balance.

With the robot's points P (N, 3), rows of coefficients A, links' orientations R_i, and wanted P*, R*_i, s:
  points    e = A P - P*            absolute points, differences of two, means of several, m
  links     e = log(R_i R*_i^T)     in the world, rad
  elbows    e = a_j - a*_j          flexion axes, unit vectors
  balance   e = (com - s)_xy        m
"""

from __future__ import annotations

import mink
import mujoco
import numpy as np
from numpy.typing import NDArray

from physhmr.geometry.rotation import matrix_to_quat, quat_to_rotvec
from physhmr.retarget.goals import Goals
from physhmr.retarget.robot import Robot
from physhmr.retarget.roles import SIDES
from physhmr.types import Array

# Costs, 1/m and 1/rad; a robot's file multiplies those of its links.
# The trunk gives way a little to hands: a stiffer one leaves them before the own hip that they have to pass.
POINT_COST = {"hips": 12.0, "foot": 25.0, "knee": 1.5, "elbow": 4.0, "hand": 14.0}
ROTATION_COST = {"pelvis": 2.0, "torso": 4.0, "head": 3.0, "foot": 4.0, "hand": 0.8}
AXIS_COST = 0.7
PIN_COST = np.array([400.0, 400.0, 120.0])
"""1/m; an ankle without roll can keep its place, but not lie flat on a spread leg."""
CORNERS = 4


class FollowTask(mink.Task):
    """Residuals and Jacobian of everything that one robot follows."""

    def __init__(self, robot: Robot) -> None:
        self._robot = robot
        self._bodies, self._offsets, self._coefficients, self.point_rows = _points(robot)
        self.rotation_rows = [role for role in robot.body if _rotates(robot, role)]
        self._links = [robot.body[role] for role in self.rotation_rows]
        self._elbows = list(robot.elbow)
        self._hinges = [joint for joint, _ in robot.elbow.values()]
        self._signs = np.array([sign for _, sign in robot.elbow.values()]).reshape(-1, 1)
        rows = 3 * len(self._coefficients) + 3 * len(self._links) + 3 * len(self._elbows) + 2
        super().__init__(cost=np.zeros(rows))
        self._wanted = np.zeros((len(self._coefficients), 3))
        self._wanted_rot = np.repeat(np.eye(3)[None], len(self._links), 0)
        self._wanted_axes = np.zeros((len(self._elbows), 3))
        self._support = np.zeros(2)
        self.placed, self.pinned = np.zeros((2, CORNERS, 3)), np.zeros((2, CORNERS), bool)
        """Where corners stand, m, and which do."""
        self._jac = np.zeros((len(self._bodies), 3, robot.model.nv))

    def set_goals(
        self, goals: Goals, placed: Array, pinned: NDArray[np.bool_], support: Array | None, balance: float
    ) -> None:
        """What is wanted now.

        `placed` (2, 4, 3) m where pinned corners stand, `pinned` (2, 4) which do; `support` (2,) m where the centre
        of mass should be, at the cost `balance`, or None where it may be anywhere.
        """
        robot, cost = self._robot, np.zeros(len(self.point_rows))
        self.placed, self.pinned = placed, pinned
        for row, role in enumerate(self.point_rows):
            self._wanted[row] = goals.points[role]
            weight = 1.0 if role == "hips" else robot.cfg.links[role].position
            standing = role.endswith("foot") and pinned[SIDES.index(role.split("_")[0])].any()
            cost[row] = 0.0 if standing else weight * POINT_COST[role.split("_")[-1]]
        self._wanted[len(self.point_rows) :] = placed.reshape(-1, 3)
        turn = []
        for row, role in enumerate(self.rotation_rows):
            self._wanted_rot[row] = goals.rotations[role]
            turn.append(robot.cfg.links[role].rotation * ROTATION_COST[role.split("_")[-1]])
        for row, role in enumerate(self._elbows):
            self._wanted_axes[row] = goals.axes[role]
        bend = np.repeat([AXIS_COST * robot.cfg.links[role].rotation for role in self._elbows], 3)
        self._support = np.zeros(2) if support is None else support
        level = 0.0 if support is None else balance
        pins = (PIN_COST * pinned[..., None]).ravel()
        self.cost = np.concatenate([np.repeat(cost, 3), pins, np.repeat(turn, 3), bend, [level, level]])

    def let_go(self, side: str) -> None:
        """Ask nothing of that arm until goals are set again."""
        arm = (f"{side}_elbow", f"{side}_hand")
        named = [*self.point_rows, *([""] * 2 * CORNERS), *self.rotation_rows, *self._elbows]
        asked = np.repeat([role not in arm for role in named], 3)
        self.cost = self.cost * np.concatenate([asked, [True, True]])

    def points(self, placed: mujoco.MjData) -> Array:
        """(N, 3) m, the robot's points."""
        rotation = placed.xmat[self._bodies].reshape(-1, 3, 3)
        return placed.xpos[self._bodies] + (rotation @ self._offsets[:, :, None])[..., 0]

    def corners(self, placed: mujoco.MjData) -> Array:
        """(2, 4, 3) m, the corners of the soles."""
        return self.points(placed)[-2 * CORNERS :].reshape(2, CORNERS, 3)

    def corner_jacobian(self) -> Array:
        """(8, 3, nv) of the corners, as of the last `compute_jacobian`."""
        return self._jac[-2 * CORNERS :]

    def compute_error(self, configuration: mink.Configuration) -> Array:
        """Points, links, elbows, balance, one after the other."""
        placed = configuration.data
        points = self._coefficients @ self.points(placed) - self._wanted
        turned = placed.xmat[self._links].reshape(-1, 3, 3) @ np.swapaxes(self._wanted_rot, 1, 2)
        links = quat_to_rotvec(matrix_to_quat(turned))
        axes = self._signs * placed.xaxis[self._hinges] - self._wanted_axes
        balance = placed.subtree_com[self._robot.root, :2] - self._support
        return np.concatenate([points.ravel(), links.ravel(), axes.ravel(), balance])

    def compute_jacobian(self, configuration: mink.Configuration) -> Array:
        """Rows as of `compute_error`; log's own Jacobian is taken as the identity, which holds near the goal."""
        model, placed = configuration.model, configuration.data
        for row, body, point in zip(self._jac, self._bodies, self.points(placed), strict=True):
            mujoco.mj_jac(model, placed, row, None, point, body)
        links = np.empty((len(self._links), 3, model.nv))
        for row, body in zip(links, self._links, strict=True):
            mujoco.mj_jacBody(model, placed, None, row, body)
        axes = np.empty((len(self._hinges), 3, model.nv))
        for row, joint, sign in zip(axes, self._hinges, self._signs, strict=True):
            mujoco.mj_jacBody(model, placed, None, row, model.jnt_bodyid[joint])
            row[:] = sign * np.cross(row.T, placed.xaxis[joint]).T
        com = np.empty((3, model.nv))
        mujoco.mj_jacSubtreeCom(model, placed, com, self._robot.root)
        points = (self._coefficients @ self._jac.reshape(len(self._bodies), -1)).reshape(-1, model.nv)
        return np.concatenate([points, links.reshape(-1, model.nv), axes.reshape(-1, model.nv), com[:2]])


def _rotates(robot: Robot, role: str) -> bool:
    if role.endswith("hand"):
        return robot.cfg.links[role].fingers is not None
    return role.split("_")[-1] in ROTATION_COST


def _points(robot: Robot) -> tuple[list[int], Array, Array, list[str]]:
    """Bodies and offsets of the points, the coefficients of the rows, and the roles of the first of them."""
    roles = [role for role in robot.body if role not in ("pelvis", "torso", "head")]
    bodies = [robot.body[role] for role in roles]
    offsets = [robot.offset[role] for role in roles]
    for side, corners in zip(SIDES, robot.soles, strict=True):
        bodies += [robot.body[f"{side}_foot"]] * CORNERS
        offsets += list(corners)
    terms: dict[str, dict[str, float]] = {"hips": {"left_hip": 0.5, "right_hip": 0.5}}
    for side in SIDES:
        terms[f"{side}_knee"] = {f"{side}_knee": 1.0, f"{side}_hip": -1.0}
        terms[f"{side}_foot"] = {f"{side}_foot": 1.0}
        for part in ("elbow", "hand"):
            if f"{side}_{part}" in robot.body:
                terms[f"{side}_{part}"] = {f"{side}_{part}": 1.0, f"{side}_shoulder": -1.0}
    coefficients = np.zeros((len(terms) + 2 * CORNERS, len(bodies)))
    for row, parts in enumerate(terms.values()):
        for role, factor in parts.items():
            coefficients[row, roles.index(role)] = factor
    coefficients[len(terms) :, len(roles) :] = np.eye(2 * CORNERS)
    return bodies, np.array(offsets), coefficients, list(terms)
