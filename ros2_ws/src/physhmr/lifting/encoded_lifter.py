"""Lifting by a motion encoder, fused with the rays of every frame.

The encoder knows how people move and stand; the rays know where the limbs are. Each control step predicts the pose
from the one before and the encoder's velocity, which is less noisy than any difference of poses, and corrects it by
one Gauss-Newton step on the rays, the encoder's pose and the prediction, each by how much it is believed.

Rays of other cameras join the same step; those that are some milliseconds older or newer are carried along with the
person. The encoder hears one camera only: it was trained so.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from physhmr.body.humanoid_mjcf import CONTROL_HZ
from physhmr.body.keypoints import keypoints_of
from physhmr.body.skeleton import BALANCE_HINGES, BODY_NAMES, Skeleton, segment
from physhmr.body.tangent import pose_add, pose_shifted
from physhmr.geometry.rays import place_on_rays, shifted_rays
from physhmr.lifting.pose_solver import PoseSolver, Prior, SolverCfg
from physhmr.types import NUM_HINGES, NUM_KEYPOINTS, NV, Array, MotionToken, RayBundle, Reference

_LIMBS = ("Hip", "Knee", "Ankle", "Shoulder", "Elbow")
_IN_LIMBS = np.repeat([float(segment(body) in _LIMBS) for body in BODY_NAMES[1:]], 3)


class Encoder(Protocol):
    """What is needed of `policy.TokenEncoder`."""

    def step(self, rays: RayBundle) -> MotionToken:
        """The token after one more frame."""

    def coast(self, stamp_ns: int) -> MotionToken:
        """The token after a control step without a new frame."""

    def reset(self) -> None:
        """Forget the person."""


@dataclass(frozen=True)
class EncodedLifterCfg:
    """How far the encoder and the prediction are believed: standard deviations in m and rad."""

    solver: SolverCfg = field(
        default_factory=lambda: SolverCfg(ray_sigma=0.04, bone_sigma=0.2, standing_sigma=0.07, damping=0.0)
    )
    told: tuple[float, float, float, float] = (0.3, 0.06, 0.05, 0.13)
    """Of the encoder's pose: position, root rotation, hinges that balance, the others."""
    predicted: tuple[float, float, float, float] = (0.03, 0.04, 0.1, 0.1)
    """Of the prediction by its velocity over one control step; small ones smooth, but lag behind its mistakes."""
    velocity_gain: float = 0.15
    """Of how fast the rays pull the prediction along the floor, added to the encoder's velocity in every control step.

    Of people who walk, 30 clips never seen, the velocity is off by 0.23 instead of 0.37 m/s (root mean square)."""
    velocity_memory: float = 0.95
    """Share of what was added that is kept, a control step."""
    settling_gain: float = 0.05
    """The gain before a new person's first pose is told; nothing is forgotten until then.

    Of people of another collection who are in motion when they are met, the first velocity is off by 0.45 instead of
    0.49 m/s, of ours by 0.24 instead of 0.26; of those who stand by 0.10 instead of 0.11 and 0.08."""
    fastest_pull: float = 1.0
    """m/s; what pulls more is a mistake of the detector, not of the encoder."""
    rate_gain: float = 0.3
    """The same of limbs: of how fast the rays pull their predicted hinges. It is told, but not predicted with.

    The encoder tells arms that wave to be all but still: 1.0 rad/s off, as much as they move; 0.69 with this."""
    rate_memory: float = 0.6
    """Of the limbs'; also where no image comes, for they do not go on as a walker does."""
    fastest_limb: float = 5.0
    """rad/s."""
    depth_weight: float = 0.3
    """Of the encoder's position, in rays of full confidence, where a new person is placed."""
    farthest: float = 1.0
    """m that the rays of one camera may move the encoder's position; those of two know better."""
    settling: tuple[int, int] = (4, 10)
    """The encoder needs so many images and control steps of a new person before its word counts.

    Four images at 10 Hz are 183 mm off, 53 relative to the pelvis (`benchmarks/first_pose.py`). Six at 30 Hz tell the
    pose, but not how fast it moves: met after them, 5 of 180 humanoids fell in the next 1.9 s, after ten 1."""
    forgets: int = CONTROL_HZ
    """Control steps without an image, after which a person who has not settled is met as a new one."""


class EncodedLifter:
    """Lifts one person; its state is the encoder's token and the last pose."""

    def __init__(self, encoder: Encoder, skeleton: Skeleton, cfg: EncodedLifterCfg | None = None) -> None:
        self._encoder, self._skeleton, self._cfg = encoder, skeleton, cfg or EncodedLifterCfg()
        self._solver = PoseSolver(skeleton, self._cfg.solver)
        self._told_cost, self._predicted_cost = _cost(*self._cfg.told), _cost(*self._cfg.predicted)
        self._seen = self._steps = self._blind = 0
        """Images of this person, control steps since the first, and since the newest of them."""
        self._shared = 0
        """Images in which the position is still known from when another camera saw it too."""
        self._last: Reference | None = None
        self._pull_w = np.zeros(2)
        """m/s, what the rays added to the encoder's horizontal velocity."""
        self._limb_pull = np.zeros(NUM_HINGES)
        """rad/s, what they added to its hinge rates."""
        self._points_w = self._solver.points

    def reset(self) -> None:
        """Forget the person."""
        self._seen, self._steps, self._blind, self._shared, self._last = 0, 0, 0, 0, None
        self._pull_w, self._limb_pull = np.zeros(2), np.zeros(NUM_HINGES)
        self._encoder.reset()

    def step(self, rays: RayBundle) -> Reference | None:
        """The reference one control step after `rays`; None for the first frames of a new person."""
        told = self._encoder.step(rays).ahead
        elapsed = self._blind + 1
        self._seen, self._steps, self._blind = self._seen + 1, self._steps + 1, 0
        rays = self._together(rays)
        self._shared = CONTROL_HZ if rays.others else max(self._shared - 1, 0)
        self._solver.task.set_rays(rays)
        priors = [Prior(told.qpos, self._told_cost)]
        if self._last is None:
            self._solver.start(self._placed(told.qpos, rays))
        else:
            predicted = _moved(self._last)
            self._solver.start(predicted)
            if self._settled:
                priors.append(Prior(predicted, self._predicted_cost))
        self._solver.weigh(rays)
        self._solver.step(priors)
        qpos = self._solver.qpos
        place = self._near(told.qpos, qpos[:3])
        self._points_w = self._solver.points + (place - qpos[:3])
        qpos[:3] = place
        if self._last is not None:
            self._learn_velocity(qpos[:2] - predicted[:2], elapsed)
            if self._settled:
                self._learn_rates(qpos[7:] - predicted[7:], elapsed)
        return self._remember(told, qpos)

    def coast(self, stamp_ns: int) -> Reference | None:
        """The reference one control step after `stamp_ns`, when no rays came: the prediction."""
        if not self._seen:
            return None
        self._steps, self._blind = self._steps + 1, self._blind + 1
        if not self._settled and self._blind > self._cfg.forgets:
            self.reset()
            return None
        told = self._encoder.coast(stamp_ns).ahead
        if self._last is None:
            return None
        qpos = _moved(self._last)
        qpos[7:] = np.clip(qpos[7:], *self._skeleton.ranges.T)
        return self._remember(told, qpos)

    def _learn_velocity(self, moved_w: Array, elapsed: int) -> None:
        """Take notice of how the rays moved the prediction, (2,) m, `elapsed` control steps after the image before."""
        cfg = self._cfg
        gain, memory = (cfg.velocity_gain, cfg.velocity_memory) if self._settled else (cfg.settling_gain, 1.0)
        gain, memory = 1.0 - (1.0 - gain) ** elapsed, memory**elapsed
        pull_w = CONTROL_HZ / elapsed * moved_w
        pull_w *= min(1.0, cfg.fastest_pull / max(float(np.linalg.norm(pull_w)), 1e-6))
        self._pull_w = memory * self._pull_w + gain * pull_w

    def _learn_rates(self, moved: Array, elapsed: int) -> None:
        """Take notice of how the rays moved the predicted hinges, (69,) rad, as `_learn_velocity` does."""
        pull = np.clip(CONTROL_HZ / elapsed * moved, -self._cfg.fastest_limb, self._cfg.fastest_limb)
        self._limb_pull += self._cfg.rate_gain * _IN_LIMBS * pull

    def _remember(self, told: Reference, qpos: Array) -> Reference | None:
        """The pose with the encoder's velocity and what the rays added to it; told once it is believed."""
        qvel = told.qvel.copy()
        qvel[:2] += self._pull_w
        self._last = replace(told, qpos=qpos, qvel=qvel)
        if not self._settled:
            return None
        # A limb predicted by what the rays just did would follow their mistakes: sides exchanged, a hand behind a hip.
        with_limbs = np.r_[qvel[:6], qvel[6:] + self._limb_pull]
        self._limb_pull *= self._cfg.rate_memory
        return replace(self._last, qvel=with_limbs)

    @property
    def points_w(self) -> Array:
        """As `Lifter.points_w`."""
        return self._points_w

    def moved(self, offset_w: Array) -> None:
        """As `Lifter.moved`."""
        if self._last is not None:
            self._last = replace(self._last, qpos=pose_shifted(self._last.qpos, offset_w))

    def _together(self, rays: RayBundle) -> RayBundle:
        """The rays of all cameras as if all had been seen at the stamp of the first."""
        if not rays.others:
            return rays
        velocity_w = self._velocity()
        moved = (shifted_rays(other, 1e-9 * (rays.stamp_ns - other.stamp_ns) * velocity_w) for other in rays.others)
        return replace(rays, others=tuple(moved))

    def _velocity(self) -> Array:
        """(21, 3) m/s, how the keypoints move by the last reference."""
        if self._last is None:
            return np.zeros((NUM_KEYPOINTS, 3))
        now, next_w = (keypoints_of(qpos, self._skeleton) for qpos in (self._last.qpos, _moved(self._last)))
        return np.asarray((next_w - now) * CONTROL_HZ)

    @property
    def _settled(self) -> bool:
        images, steps = self._cfg.settling
        return self._seen >= images and self._steps >= steps

    def _placed(self, told: Array, rays: RayBundle) -> Array:
        """The encoder's pose where the rays say."""
        offset_w = keypoints_of(told, self._skeleton) - told[:3]
        views = (rays, *rays.others)
        origin_w, dir_w = np.concatenate([one.origin_w for one in views]), np.concatenate([one.dir_w for one in views])
        weight = np.concatenate([self._solver.trust(one) for one in views])
        offset_w = np.tile(offset_w, (len(views), 1))
        place = place_on_rays(origin_w, dir_w, offset_w, weight, told[:3], self._cfg.depth_weight)
        return np.r_[self._near(told, place), told[3:]]

    def _near(self, told: Array, place_w: Array) -> Array:
        """`place_w`, or what is nearest to it within reach of the encoder's position.

        Sides that are exchanged shrink the person in the image, and would send it to the horizon.
        """
        if self._shared:
            return place_w
        move = place_w - told[:3]
        return np.asarray(told[:3] + move * min(1.0, self._cfg.farthest / max(float(np.linalg.norm(move)), 1e-6)))


def _cost(position: float, turn: float, balance: float, other: float) -> Array:
    hinge = np.full(NV - 6, 1 / other)
    hinge[list(BALANCE_HINGES)] = 1 / balance
    return np.r_[np.full(3, 1 / position), np.full(3, 1 / turn), hinge]


def _moved(reference: Reference) -> Array:
    """The pose (76,) one control step later, if it keeps its velocity."""
    return np.asarray(pose_add(reference.qpos, reference.qvel / CONTROL_HZ))
