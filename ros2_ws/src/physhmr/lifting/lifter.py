"""From rays to a reference pose, frame by frame, never looking ahead.

Each frame: Gauss-Newton on `LiftTask` (warm-started) with a pull to the previous frame and, weakly, to
the rest pose; then a One-Euro-like filter, whose derivative is the reference velocity.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import daqp  # type: ignore[import-not-found, unused-ignore]
import mink
import numpy as np

from physhmr.body.humanoid_mjcf import build_model, standing_qpos
from physhmr.body.skeleton import Skeleton
from physhmr.errors import PhyshmrError
from physhmr.geometry.rays import place_on_rays
from physhmr.geometry.rotation import yaw_quat
from physhmr.lifting.lift_task import BONES, LiftTask
from physhmr.lifting.pose_filter import PoseFilter
from physhmr.types import KEYPOINTS, NV, Array, RayBundle, Reference

STANDING_HEIGHT = 0.08
"""m between the lower points of the feet, above which only the lower foot stands."""
FOOT_MEMORY = 0.2
"""s over which the feet's speed is smoothed."""
MAX_STEP = 0.35
"""rad per Gauss-Newton step and hinge: near a singular hinge triple an unbounded one flips the arm."""
_NO_ROWS, _FREE = np.zeros((0, NV)), np.zeros(NV, np.int32)
"""The QP has bounds only."""
TRUNK_SCORE = 0.5
"""Hips and shoulders must be this sure before they may overrule the present heading."""
_INDEX = {name: index for index, name in enumerate(KEYPOINTS)}


@dataclass(frozen=True)
class LifterCfg:
    """Standard deviations of what is measured and assumed, and the solver's effort."""

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
    balance_sigma: float = 0.015
    """m, how firmly the centre of mass of a person whose feet stay in place is held over them."""
    balance_reach: float = 0.065
    """m around the line between the feet where it may be without any pull."""
    balance_speed: float = 0.3
    """m/s of the faster foot at which balance has lost half its say: walking is falling, well timed."""
    rate_sigma: float = 7.5
    """rad/s a hinge may move before it costs."""
    rest_sigma: float = 1.5
    """rad from the rest pose."""
    damping: float = 30.0
    """1/rad^2 on every step; without it head and trunk, seen by few points, swing from step to step."""
    converged: float = 0.01
    """rad: a smaller step ends the iterations."""
    iterations: int = 4
    search_iterations: int = 8
    """Per frame while the first pose is being found: all at once they would make a control step late."""
    search_frames: int = 5
    outlier: float = 0.15
    """m of ray residual beyond which a keypoint loses weight."""


@dataclass(frozen=True)
class Prior:
    """A pull of all hinges towards given angles."""

    hinges: Array
    """(69,) rad."""
    cost: float
    """1/rad."""


class CausalLifter:
    """Lifts one person; its state is the last pose."""

    def __init__(self, skeleton: Skeleton, cfg: LifterCfg | None = None) -> None:
        self._cfg = cfg or LifterCfg()
        self._skeleton = skeleton
        model = build_model(skeleton.shape)
        self._configuration = mink.Configuration(model)
        self._task = LiftTask(model, skeleton)
        self._rest = Prior(standing_qpos(skeleton)[7:], 1.0 / self._cfg.rest_sigma)
        self._filter = PoseFilter()
        self._started = False
        self._searching = 0
        """Frames that the search for a first pose may still take."""
        self._feet: tuple[int, Array] | None = None
        self._foot_speed = 0.0

    def reset(self) -> None:
        """Forget the person."""
        self._started, self._feet, self._foot_speed = False, None, 0.0
        self._filter.reset()

    def step(self, rays: RayBundle, scale: float = 1.0) -> Reference | None:
        """The reference for `rays.stamp_ns`; None for the few frames in which a first pose is being found.

        `scale` = humanoid height / person height: the world is scaled about its origin, so that a person
        of another size fits our body; positions of the result are in that scaled world.
        """
        rays = replace(rays, origin_w=scale * rays.origin_w)
        self._task.set_rays(rays)
        if not self._started or (self._searching == 0 and self._turned_around(rays)):
            self._configuration.update(self._initial_qpos(rays))
            self._filter.reset()
            self._started, self._searching = True, self._cfg.search_frames
        if self._searching:
            self._searching = (
                0 if self._settle(rays, (self._rest,), self._cfg.search_iterations) else self._searching - 1
            )
            if self._searching:
                return None
        else:
            here = Prior(self._configuration.q[7:], 1.0 / (self._cfg.rate_sigma * self._elapsed(rays.stamp_ns)))
            self._settle(rays, (self._rest, here), self._cfg.iterations)
        qpos, qvel = self._filter.step(rays.stamp_ns, self._configuration.q)
        self._watch_feet(rays.stamp_ns)
        return Reference(rays.stamp_ns, qpos, qvel)

    def _settle(self, rays: RayBundle, priors: tuple[Prior, ...], iterations: int) -> bool:
        """Iterate on this frame's rays; True when the last step was small."""
        for _ in range(iterations):
            self._weigh(rays)
            if self._gauss_newton(priors) < self._cfg.converged:
                return True
        return False

    def _gauss_newton(self, priors: tuple[Prior, ...]) -> float:
        """One step inside the hinge ranges and the trust region; returns its largest hinge change, rad.

        mink's own assembly and limits cost twice the time: a prior's Jacobian is the identity, and ranges are
        bounds of the QP's variables.
        """
        jacobian, error, _ = self._task.compute_qp_residual(self._configuration)
        H, c = jacobian.T @ jacobian, -(error @ jacobian)
        hinges = self._configuration.q[7:]
        diagonal = np.full(NV, self._cfg.damping)
        for prior in priors:
            diagonal[6:] += prior.cost**2
            c[6:] += prior.cost**2 * (hinges - prior.hinges)
        H.flat[:: NV + 1] += diagonal
        low, high = self._skeleton.ranges.T
        lower = np.concatenate([np.full(6, -1.0), np.clip(low - hinges, -MAX_STEP, 0.0)])
        upper = np.concatenate([np.full(6, 1.0), np.clip(high - hinges, 0.0, MAX_STEP)])
        step, _, found, _ = daqp.solve(H, c, _NO_ROWS, upper, lower, _FREE)
        if found <= 0:
            raise PhyshmrError("lifting found no pose inside the hinge ranges")
        self._configuration.integrate_inplace(step, 1.0)
        return float(np.abs(step[6:]).max())

    def _weigh(self, rays: RayBundle) -> None:
        """Costs from confidence, with a Cauchy weight against outliers among the rays."""
        cfg = self._cfg
        seen = self._trust(rays)
        residual = np.linalg.norm(self._task.ray_residuals(self._configuration), axis=1)
        robust = 1.0 / np.sqrt(1.0 + (residual / cfg.outlier) ** 2)
        tails, heads = np.array(BONES).T
        self._task.set_costs(
            ray=seen * robust / cfg.ray_sigma,
            bone=np.minimum(seen[tails], seen[heads]) / cfg.bone_sigma,
            floor=self._floor_costs(),
            balance=1.0 / (cfg.balance_sigma * (1.0 + (self._foot_speed / cfg.balance_speed) ** 2)),
        )
        self._task.support_w = self._support_point()

    def _trust(self, rays: RayBundle) -> Array:
        """(21,) share of the full cost: a confidence of 0.05, as hidden limbs get, still counts a little."""
        return np.where(rays.score >= self._cfg.min_score, np.sqrt(rays.score), 0.0)

    def _floor_costs(self) -> Array:
        """Sole corners below the floor are pressed up; those of the lower foot are held down."""
        z = self._task.soles(self._configuration)[..., 2]
        lowest = z.min(1, keepdims=True)
        standing = (lowest <= z.min() + 0.02) & (z <= z.min() + 0.05)
        cost = np.where(z < 0, 1 / self._cfg.floor_sigma, np.where(standing, 1 / self._cfg.standing_sigma, 0.0))
        return cost.ravel()

    def _elapsed(self, stamp_ns: int) -> float:
        """Seconds since the last frame, within reason."""
        before = stamp_ns if self._feet is None else self._feet[0]
        return float(np.clip(1e-9 * (stamp_ns - before), 0.01, 1.0))

    def _watch_feet(self, stamp_ns: int) -> None:
        """Smoothed horizontal speed of the faster foot, m/s."""
        feet = self._task.soles(self._configuration)[..., :2].mean(1)
        if self._feet is not None and stamp_ns > self._feet[0]:
            elapsed = 1e-9 * (stamp_ns - self._feet[0])
            speed = float(np.linalg.norm(feet - self._feet[1], axis=1).max()) / elapsed
            self._foot_speed += (1.0 - np.exp(-elapsed / FOOT_MEMORY)) * (speed - self._foot_speed)
        self._feet = (stamp_ns, feet)

    def _support_point(self) -> Array:
        """(2,) the centre of mass if it is over the feet, else the nearest point that is."""
        center = self._task.center_of_mass(self._configuration)[:2]
        soles = self._task.soles(self._configuration)
        height, middle = soles[..., 2].min(1), soles[..., :2].mean(1)
        if abs(height[0] - height[1]) > STANDING_HEIGHT:
            nearest = middle[int(np.argmin(height))]
        else:
            along = middle[1] - middle[0]
            share = (center - middle[0]) @ along / max(float(along @ along), 1e-6)
            nearest = middle[0] + np.clip(share, 0.0, 1.0) * along
        offset = center - nearest
        distance = float(np.linalg.norm(offset))
        return nearest + offset * min(1.0, self._cfg.balance_reach / max(distance, 1e-6))

    def _initial_qpos(self, rays: RayBundle) -> Array:
        """A stance that faces where hips and shoulders say, at the point nearest to all rays."""
        qpos = standing_qpos(self._skeleton)
        qpos[3:7] = yaw_quat(np.array(_heading(rays)))
        self._configuration.update(qpos)
        offset = self._task.positions(self._configuration) - qpos[:3]
        weight = self._trust(rays)
        # With few rays the depth is open; a person about 3 m away is the mild guess.
        share = weight[:, None] / max(float(weight.sum()), 1e-6)
        guess = (share * (rays.origin_w + 3.0 * rays.dir_w)).sum(0)
        qpos[:3] = place_on_rays(rays.origin_w, rays.dir_w, offset, weight, guess, 1e-3)
        return qpos

    def _turned_around(self, rays: RayBundle) -> bool:
        """True when the model faces away from where the landmarks face: a wrong minimum that never heals."""
        trunk = [_INDEX[name] for name in ("L_Hip", "R_Hip", "L_Shoulder", "R_Shoulder")]
        if rays.score[trunk].min() < TRUNK_SCORE:
            return False
        position = self._task.positions(self._configuration)
        model_left = _left_axis(position)
        seen_left = _left_axis(rays.landmarks_w)
        return float(model_left @ seen_left) < -0.5


def _left_axis(points: Array) -> Array:
    """(3,) unit vector from the right to the left side of hips and shoulders."""
    axis = (
        points[_INDEX["L_Hip"]] - points[_INDEX["R_Hip"]] + points[_INDEX["L_Shoulder"]] - points[_INDEX["R_Shoulder"]]
    )
    return axis / max(float(np.linalg.norm(axis)), 1e-6)


def _heading(rays: RayBundle) -> float:
    """Yaw of the direction that hips and shoulders face, rad."""
    left = _left_axis(rays.landmarks_w)
    return float(np.arctan2(-left[0], left[1]))
