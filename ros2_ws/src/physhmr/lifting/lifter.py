"""From rays to a reference pose without any learned part, frame by frame, never looking ahead.

Each frame: Gauss-Newton (warm-started) with a pull to the previous frame and, weakly, to the rest pose; then
a One-Euro-like filter, whose derivative is the reference velocity.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.keypoints import keypoints_of
from physhmr.body.skeleton import Skeleton
from physhmr.body.tangent import pose_add
from physhmr.geometry.facing import left_axis
from physhmr.geometry.rays import place_on_rays
from physhmr.geometry.rotation import yaw_quat
from physhmr.lifting.pose_filter import PoseFilter
from physhmr.lifting.pose_solver import PoseSolver, Prior, SolverCfg
from physhmr.types import KEYPOINTS, NV, Array, RayBundle, Reference

STANDING_HEIGHT = 0.08
"""m between the lower points of the feet, above which only the lower foot stands."""
COASTING = 0.8
"""Of the velocity is left after each control step without rays."""
FOOT_MEMORY = 0.2
"""s over which the feet's speed is smoothed."""
TRUNK_SCORE = 0.5
"""Hips and shoulders must be this sure before they may overrule the present heading."""
_INDEX = {name: index for index, name in enumerate(KEYPOINTS)}
_HINGES = np.r_[np.zeros(6), np.ones(NV - 6)]


@dataclass(frozen=True)
class LifterCfg:
    """What is assumed about people's motion, and the solver's effort."""

    solver: SolverCfg = field(default_factory=SolverCfg)
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
    converged: float = 0.01
    """rad: a smaller step ends the iterations."""
    iterations: int = 4
    search_iterations: int = 8
    """Per frame while the first pose is being found: all at once they would make a control step late."""
    search_frames: int = 5


class CausalLifter:
    """Lifts one person; its state is the last pose."""

    def __init__(self, skeleton: Skeleton, cfg: LifterCfg | None = None) -> None:
        self._cfg = cfg or LifterCfg()
        self._skeleton = skeleton
        self._solver = PoseSolver(skeleton, self._cfg.solver)
        self._rest = Prior(standing_qpos(skeleton), _HINGES / self._cfg.rest_sigma)
        self._filter = PoseFilter()
        self._started = False
        self._searching = 0
        """Frames that the search for a first pose may still take."""
        self._feet: tuple[int, Array] | None = None
        self._foot_speed = 0.0
        self._last: Reference | None = None

    def reset(self) -> None:
        """Forget the person."""
        self._started, self._feet, self._foot_speed, self._last = False, None, 0.0, None
        self._filter.reset()

    def step(self, rays: RayBundle) -> Reference | None:
        """The reference for `rays.stamp_ns`; None for the few frames in which a first pose is being found."""
        self._solver.task.set_rays(rays)
        if not self._started or (self._searching == 0 and self._turned_around(rays)):
            self._solver.start(self._initial_qpos(rays))
            self._filter.reset()
            self._started, self._searching = True, self._cfg.search_frames
        if self._searching:
            found = self._settle(rays, (self._rest,), self._cfg.search_iterations)
            self._searching = 0 if found else self._searching - 1
            if self._searching:
                return None
        else:
            reach = self._cfg.rate_sigma * self._elapsed(rays.stamp_ns)
            self._settle(rays, (self._rest, Prior(self._solver.qpos, _HINGES / reach)), self._cfg.iterations)
        qpos, qvel = self._filter.step(rays.stamp_ns, self._solver.qpos)
        self._watch_feet(rays.stamp_ns)
        self._last = Reference(rays.stamp_ns, qpos, qvel)
        return self._last

    def coast(self, stamp_ns: int) -> Reference | None:
        """The last reference, carried on at a velocity that dies away."""
        if self._last is None:
            return None
        qpos = pose_add(self._last.qpos, 1e-9 * (stamp_ns - self._last.stamp_ns) * self._last.qvel)
        qpos[7:] = np.clip(qpos[7:], *self._skeleton.ranges.T)
        self._last = Reference(stamp_ns, qpos, COASTING * self._last.qvel)
        return self._last

    @property
    def points_w(self) -> Array:
        """As `Lifter.points_w`."""
        return self._solver.points

    def moved(self, offset_w: Array) -> None:
        """Nothing pulls the root to where it was: the next frame moves it along."""

    def _settle(self, rays: RayBundle, priors: tuple[Prior, ...], iterations: int) -> bool:
        """Iterate on this frame's rays; True when the last step was small."""
        cfg = self._cfg
        balance = 1.0 / (cfg.balance_sigma * (1.0 + (self._foot_speed / cfg.balance_speed) ** 2))
        for _ in range(iterations):
            self._solver.weigh(rays, balance, self._support_point())
            if self._solver.step(priors) < cfg.converged:
                return True
        return False

    def _elapsed(self, stamp_ns: int) -> float:
        """Seconds since the last frame, within reason."""
        before = stamp_ns if self._feet is None else self._feet[0]
        return float(np.clip(1e-9 * (stamp_ns - before), 0.01, 1.0))

    def _watch_feet(self, stamp_ns: int) -> None:
        """Smoothed horizontal speed of the faster foot, m/s."""
        feet = self._solver.soles[..., :2].mean(1)
        if self._feet is not None and stamp_ns > self._feet[0]:
            elapsed = 1e-9 * (stamp_ns - self._feet[0])
            speed = float(np.linalg.norm(feet - self._feet[1], axis=1).max()) / elapsed
            self._foot_speed += (1.0 - np.exp(-elapsed / FOOT_MEMORY)) * (speed - self._foot_speed)
        self._feet = (stamp_ns, feet)

    def _support_point(self) -> Array:
        """(2,) the centre of mass if it is over the feet, else the nearest point that is."""
        center, soles = self._solver.center_of_mass[:2], self._solver.soles
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
        offset = keypoints_of(qpos, self._skeleton) - qpos[:3]
        weight = self._solver.trust(rays)
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
        model_left, seen_left = left_axis(self._solver.keypoints), left_axis(rays.landmarks_w)
        return float(model_left @ seen_left) < -0.5


def _heading(rays: RayBundle) -> float:
    """Yaw of the direction that hips and shoulders face, rad."""
    left = left_axis(rays.landmarks_w)
    return float(np.arctan2(-left[0], left[1]))
