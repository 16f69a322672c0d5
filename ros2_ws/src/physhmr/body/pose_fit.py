"""Inverse kinematics of the humanoid on body points: one mink task that stacks them all.

Used twice: offline, to bring captured motion onto our body; live, as the base of causal lifting.
"""

from __future__ import annotations

from dataclasses import dataclass

import mink
import mujoco
import numpy as np

from physhmr.body.skeleton import BODY_INDEX, BODY_NAMES, Skeleton
from physhmr.errors import PhyshmrError, ShapeError
from physhmr.types import NV, Array

MAX_STEP = 0.35
"""rad per Gauss-Newton step and hinge."""


@dataclass(frozen=True)
class BodyPoint:
    """A point fixed in a body's frame."""

    body: str
    offset_b: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """m."""


def marker_points(skeleton: Skeleton) -> tuple[BodyPoint, ...]:
    """All 24 body origins, then tips that make twists observable (brow, chest, hands, toes)."""
    unit = skeleton.shape.height
    tips = [BodyPoint(body, (0.06 * unit, 0.0, 0.0)) for body in ("Pelvis", "Chest", "Head", "L_Toe", "R_Toe")]
    for side, sign in (("L", 1.0), ("R", -1.0)):
        tips.append(BodyPoint(f"{side}_Hand", (0.0, sign * 0.04 * unit, 0.0)))
        tips.append(BodyPoint(f"{side}_Wrist", (0.05 * unit, 0.0, 0.0)))
        tips.append(BodyPoint(f"{side}_Ankle", (-0.05 * unit, 0.0, 0.0)))
    return (*(BodyPoint(name) for name in BODY_NAMES), *tips)


def place_points(points: tuple[BodyPoint, ...], body_pos_w: Array, body_rot_w: Array) -> Array:
    """World positions (..., P, 3) of `points` for body poses (..., 24, 3), (..., 24, 3, 3)."""
    index = [BODY_INDEX[point.body] for point in points]
    offsets = np.array([point.offset_b for point in points])
    return body_pos_w[..., index, :] + (body_rot_w[..., index, :, :] @ offsets[:, :, None])[..., 0]


class PointTask(mink.Task):
    """Bring body points to world positions: e = p - p*, J = dp/dq. `target_w` may be set at every step."""

    def __init__(self, model: mujoco.MjModel, points: tuple[BodyPoint, ...], weights: Array) -> None:
        """`weights` (P,) are per-point costs, 1/m."""
        super().__init__(cost=np.repeat(np.asarray(weights, float), 3))
        self._body_ids = [model.body(point.body).id for point in points]
        self._offsets = np.array([point.offset_b for point in points])
        self.target_w: Array = np.zeros((len(points), 3))

    def positions(self, configuration: mink.Configuration) -> Array:
        """(P, 3) m, where the points are now."""
        rotation = configuration.data.xmat[self._body_ids].reshape(-1, 3, 3)
        return configuration.data.xpos[self._body_ids] + (rotation @ self._offsets[:, :, None])[..., 0]

    def compute_error(self, configuration: mink.Configuration) -> Array:
        """(3P,) m."""
        return (self.positions(configuration) - self.target_w).ravel()

    def compute_jacobian(self, configuration: mink.Configuration) -> Array:
        """(3P, 75)."""
        jacobian = np.empty((len(self._body_ids), 3, NV))
        for row, body, point in zip(jacobian, self._body_ids, self.positions(configuration), strict=True):
            mujoco.mj_jac(configuration.model, configuration.data, row, None, point, body)
        return jacobian.reshape(-1, NV)


class PoseFit:
    """Fits the humanoid to marker points frame by frame, warm-started, inside the hinge ranges."""

    def __init__(self, model: mujoco.MjModel, skeleton: Skeleton, rest_cost: float = 0.01) -> None:
        """`rest_cost` pulls unobserved hinges to zero, 1/rad."""
        self.points = marker_points(skeleton)
        self.configuration = mink.Configuration(model)
        self._task = PointTask(model, self.points, np.ones(len(self.points)))
        self._rest = mink.PostureTask(model, cost=np.r_[np.zeros(6), np.full(NV - 6, rest_cost)])
        self._rest.set_target(model.qpos0)
        self._limits = [mink.ConfigurationLimit(model, gain=1.0), step_limit(model)]

    def solve(self, target_w: Array, iterations: int = 3, damping: float = 1e-3) -> Array:
        """(76,) qpos whose markers come nearest to `target_w` (P, 3); starts at the previous solution."""
        if target_w.shape != (len(self.points), 3):
            raise ShapeError("target_w", (len(self.points), 3), target_w.shape)
        self._task.target_w = target_w
        for _ in range(iterations):
            solve_step(self.configuration, [self._task, self._rest], self._limits, damping)
        return self.configuration.q.copy()


def step_limit(model: mujoco.MjModel) -> mink.VelocityLimit:
    """A trust region for each Gauss-Newton step: near a singular hinge triple an unbounded one flips the arm."""
    return mink.VelocityLimit(model, {model.joint(j).name: MAX_STEP for j in range(1, model.njnt)})


def solve_step(
    configuration: mink.Configuration, tasks: list[mink.Task], limits: list[mink.Limit], damping: float
) -> None:
    """One Gauss-Newton step of `tasks` inside `limits`; the configuration is moved in place."""
    try:
        velocity = mink.solve_ik(configuration, tasks, 1.0, solver="daqp", damping=damping, limits=limits)
    except mink.NoSolutionFound as error:
        raise PhyshmrError(f"inverse kinematics found no solution inside the hinge ranges: {error}") from error
    configuration.integrate_inplace(velocity, 1.0)
