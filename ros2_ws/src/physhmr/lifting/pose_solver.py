"""Damped Gauss-Newton on one frame's rays, landmarks and floor, inside the hinge ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import daqp  # type: ignore[import-not-found, unused-ignore]
import mink
import numpy as np

from physhmr.body.humanoid_mjcf import build_model
from physhmr.body.skeleton import Skeleton
from physhmr.body.tangent import pose_difference
from physhmr.errors import PhyshmrError
from physhmr.lifting.lift_task import BONES, LiftTask
from physhmr.types import NV, Array, RayBundle

MAX_STEP = 0.35
"""rad per step and hinge: near a singular hinge triple an unbounded one flips the arm."""
_NO_ROWS, _FREE = np.zeros((0, NV)), np.zeros(NV, np.int32)
"""The QP has bounds only."""


@dataclass(frozen=True)
class SolverCfg:
    """Standard deviations of what is measured and assumed."""

    min_score: float = 0.02
    """Keypoints below this confidence are not used: the network guesses hidden limbs better than no one does."""
    ray_sigma: float = 0.02
    """m at the person."""
    bone_sigma: float = 0.08
    """m at the end of a bone: landmarks' depth is rough."""
    floor_sigma: float = 0.02
    """m."""
    standing_sigma: float = 0.04
    """m, how firmly the lower foot is held to the floor."""
    damping: float = 30.0
    """1/rad^2 on every step; without it head and trunk, seen by few points, swing from step to step."""
    outlier: float = 0.15
    """m of ray residual beyond which a keypoint loses weight."""


@dataclass(frozen=True)
class Prior:
    """A pull of the pose towards another."""

    qpos: Array
    """(76,)."""
    cost: Array
    """(75,) for each direction of the tangent, 1/m or 1/rad."""


class PoseSolver:
    """Brings the humanoid's pose nearer to what one frame shows; it remembers the pose and nothing else."""

    def __init__(self, skeleton: Skeleton, cfg: SolverCfg) -> None:
        self._cfg, self._ranges = cfg, skeleton.ranges.T
        model = build_model(skeleton.shape)
        self._configuration = mink.Configuration(model)
        self.task = LiftTask(model, skeleton)

    @property
    def qpos(self) -> Array:
        """(76,) the pose now."""
        return self._configuration.q.copy()

    @property
    def keypoints(self) -> Array:
        """(21, 3) m, where the pose has its keypoints."""
        return self.task.positions(self._configuration)

    @property
    def points(self) -> Array:
        """(37, 3) m, keypoints, then the corners of both soles."""
        return self.task.points(self._configuration)

    @property
    def soles(self) -> Array:
        """(2, C, 3) m, corners of the left and the right sole."""
        return self.task.soles(self._configuration)

    @property
    def center_of_mass(self) -> Array:
        """(3,) m."""
        return self.task.center_of_mass(self._configuration)

    def start(self, qpos: Array) -> None:
        """Take the pose (76,)."""
        self._configuration.update(qpos)

    def weigh(self, rays: RayBundle, balance: float = 0.0, support_w: Array | None = None) -> None:
        """Costs from confidence, with a Cauchy weight against outliers among the rays.

        `balance` is the cost, 1/m, of a centre of mass that is not over `support_w` (2,).
        """
        cfg, seen = self._cfg, np.stack([self.trust(view) for view in (rays, *rays.others)])
        residual = np.linalg.norm(self.task.ray_residuals(self._configuration), axis=-1)
        robust = 1.0 / np.sqrt(1.0 + (residual / cfg.outlier) ** 2)
        tails, heads = np.array(BONES).T
        self.task.set_costs(
            ray=seen * robust / cfg.ray_sigma,
            bone=np.minimum(seen[0, tails], seen[0, heads]) / cfg.bone_sigma,
            floor=self._floor_costs(),
            balance=balance,
        )
        self.task.support_w = np.zeros(2) if support_w is None else support_w

    def step(self, priors: Sequence[Prior]) -> float:
        """One step inside the hinge ranges and the trust region; returns its largest hinge change, rad.

        mink's own assembly and limits cost twice the time: a prior's Jacobian is the identity, and ranges are
        bounds of the QP's variables. Raises `PhyshmrError` when there is no pose inside the ranges.
        """
        jacobian, error, _ = self.task.compute_qp_residual(self._configuration)
        H, c, qpos = jacobian.T @ jacobian, -(error @ jacobian), self._configuration.q
        diagonal = np.full(NV, float(self._cfg.damping))
        for prior in priors:
            diagonal += prior.cost**2
            c += prior.cost**2 * pose_difference(prior.qpos, qpos)
        H.flat[:: NV + 1] += diagonal
        low, high = self._ranges
        lower = np.concatenate([np.full(6, -1.0), np.clip(low - qpos[7:], -MAX_STEP, 0.0)])
        upper = np.concatenate([np.full(6, 1.0), np.clip(high - qpos[7:], 0.0, MAX_STEP)])
        step, _, found, _ = daqp.solve(H, c, _NO_ROWS, upper, lower, _FREE)
        if found <= 0:
            raise PhyshmrError("lifting found no pose inside the hinge ranges")
        self._configuration.integrate_inplace(step, 1.0)
        return float(np.abs(step[6:]).max())

    def trust(self, rays: RayBundle) -> Array:
        """(21,) share of the full cost: a confidence of 0.05, as hidden limbs get, still counts a little."""
        return np.where(rays.score >= self._cfg.min_score, np.sqrt(rays.score), 0.0)

    def _floor_costs(self) -> Array:
        """Sole corners below the floor are pressed up; those of the lower foot are held down."""
        z = self.soles[..., 2]
        lowest = z.min(1, keepdims=True)
        standing = (lowest <= z.min() + 0.02) & (z <= z.min() + 0.05)
        cost = np.where(z < 0, 1 / self._cfg.floor_sigma, np.where(standing, 1 / self._cfg.standing_sigma, 0.0))
        return cost.ravel()
