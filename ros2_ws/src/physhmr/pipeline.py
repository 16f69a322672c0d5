"""The second half of the chain without ROS: `ControlPipeline` moves the humanoid by the rays of a person.

A plain object with explicit state; it owns no thread and no clock. Only the caller knows what time it is.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np

from physhmr.approach import Approach
from physhmr.body.humanoid_mjcf import CONTROL_HZ, standing_qpos
from physhmr.body.skeleton import Skeleton
from physhmr.body.soles import on_floor
from physhmr.config import ControlConfig
from physhmr.errors import DivergedError, PhyshmrError
from physhmr.follower import make_follower
from physhmr.geometry.rays import scaled_rays, shifted_rays
from physhmr.halt import can_wait, halting, moderated, stance
from physhmr.lifting.body_height import BodyHeight
from physhmr.lifting.prediction import carried_along, predicted
from physhmr.sim.falls import has_fallen
from physhmr.sim.humanoid_sim import HumanoidSim
from physhmr.state_machine import StateMachine
from physhmr.types import (
    NV,
    Array,
    Estimate,
    HumanoidState,
    Physics,
    RayBundle,
    Reference,
    Status,
)

_log = logging.getLogger(__name__)
TICK_NS = 1_000_000_000 // CONTROL_HZ
MAX_CATCH_UP = CONTROL_HZ
"""Control steps: after a gap of more than a second the clock jumps instead of simulating it."""
MISFIT = 0.4
"""m, weighted mean distance of the keypoints from their rays: beyond it this is nobody on this floor.

On walks, squats and gymnastics it stays below 0.13 m; in a somersault off a wall, and for a passer-by
2 m below the floor that the camera was calibrated on, it is 1 to 2 m."""
MISHAPS = (Status.FALLEN, Status.DIVERGED)
AWAY = 1.0
"""m: whoever stays farther away than this for `AWAY_STEPS` is not caught up with on foot."""
AWAY_STEPS = CONTROL_HZ // 3
GLIDE = 0.1 / CONTROL_HZ
"""m a control step, by which the person is moved at most while it is found out how tall they are."""
SAME_PLACE = 0.6
"""m: a person who comes back nearer than this is walked to, not jumped to."""


class ControlPipeline:
    """Lift, decide, move: one humanoid that follows one person."""

    def __init__(self, config: ControlConfig, policy: Path | None = None) -> None:
        """Load the policy (default: the shipped one); raises `ModelFileError` if it does not fit."""
        self._skeleton = Skeleton()
        self._sim = HumanoidSim(self._skeleton.shape)
        self._lifter, self._policy = make_follower(config, self._skeleton, policy)
        self._states = StateMachine(config.stale_after, config.lost_after)
        self._height = BodyHeight(config.person_height)
        self.scale = self._skeleton.shape.height / self._height.height
        """Humanoid height over person height; it glides where that is found out while somebody is followed."""
        self._sim.reset(on_floor(standing_qpos(self._skeleton), self._skeleton))
        self._goal = self._stance()
        self._rays: RayBundle | None = None
        """Of a new image that the goal was made of, in the humanoid's scale."""
        self._person: int | None = None
        self._unmet = False
        """Somebody else is followed, and was not lifted yet."""
        self._fitted = True
        """Whether what was lifted last lay on its rays."""
        self._approach, self._away = Approach(), 0
        self._ahead_ns = 0
        """By which the control step is carried forward."""
        self._clock_ns: int | None = None
        self._waiting: RayBundle | None = None
        """With the frame clock: rays that came before their control step."""
        self._stage_ms: dict[str, float] = {}

    def step(self, stamp_ns: int, rays: RayBundle | None, ahead_ns: int = 0) -> Estimate:
        """One control step; `rays` are new ones or None, `stamp_ns` is what the state is for.

        With `ahead_ns` it is for so much later: where the person will be is predicted.
        """
        self._ahead_ns = ahead_ns
        self._see(stamp_ns, rays)
        return self._move(stamp_ns + ahead_ns)

    def advance(self, stamp_ns: int, rays: RayBundle | None) -> Estimate | None:
        """Simulate up to `stamp_ns` (frame clock); None while less than one control step has passed.

        The last of the steps gets the rays, the newest of those that came since the step before.
        """
        if self._clock_ns is None or not 0 <= stamp_ns - self._clock_ns <= MAX_CATCH_UP * TICK_NS:
            self._clock_ns = stamp_ns - TICK_NS
        self._waiting = rays or self._waiting
        # Half a tick of slack: stamps of a 30 Hz camera jitter around the control period.
        count = (stamp_ns - self._clock_ns + TICK_NS // 2) // TICK_NS
        estimate = None
        for left in reversed(range(count)):
            self._clock_ns += TICK_NS
            newest, self._waiting = (None, self._waiting) if left else (self._waiting, None)
            before, estimate = estimate, self.step(stamp_ns - left * TICK_NS, newest)
            if before is not None and before.status in MISHAPS:
                # What happened in between must not be hidden by what came after.
                estimate = replace(estimate, status=before.status, reason=before.reason, transition=before.transition)
        return estimate

    def set_up(self) -> None:
        """Put the humanoid on its goal at once: beside the person, or into the stance."""
        self._reinitialise(self._goal)

    @property
    def goal(self) -> Reference:
        """Where the person was lifted to, or the stance, before it is fitted to where the humanoid is."""
        return self._goal

    def state(self, stamp_ns: int) -> HumanoidState:
        """Where the humanoid is now."""
        return self._sim.state(stamp_ns)

    def physics(self) -> Physics:
        """How the humanoid stands now; once for each state that is told, after that was handed on: it may wait."""
        return self._sim.physics()

    def _see(self, stamp_ns: int, rays: RayBundle | None) -> None:
        """Update the goal from new rays; without any it goes on as motion does, until that is too old."""
        before, self._rays = self._states.presence, None
        lifted = None if rays is None else self._lifted(rays)
        if rays is not None and lifted is not None:
            self._states.seen(rays.stamp_ns)
            self._follow(before, moderated(lifted, self._skeleton))
        presence = self._states.look(stamp_ns)
        if rays is None and presence in (Status.SEARCHING, Status.LOST):
            # Whoever is being met goes on between the images of a slow camera, though nobody is followed yet.
            self._lifter.coast(stamp_ns)
        if rays is None and presence is Status.TRACKING:
            with self._timed("lift"):
                lifted = self._lifter.coast(stamp_ns)
                self._goal = moderated(self._later(lifted) if lifted else self._goal, self._skeleton)
        elif presence is Status.STALE and can_wait(self._goal):
            self._goal = replace(self._goal, qvel=0.8 * self._goal.qvel)
        elif lifted is None and presence is not Status.SEARCHING:
            self._goal = halting(self._goal, self._skeleton)
            if presence is Status.LOST and before is not Status.LOST:
                self._lifter.reset()

    def _later(self, lifted: Reference) -> Reference:
        """Where the person will be when the state is told."""
        return predicted(lifted, 1e-9 * self._ahead_ns, self._skeleton)

    def _lifted(self, rays: RayBundle) -> Reference | None:
        """The pose that the rays stand for, carried forward with them; what cannot be made a pose leaves no trace."""
        self._meet(rays.person)
        try:
            with self._timed("lift"):
                lifted = self._lifter.step(self._scaled(rays))
                later = lifted and self._later(lifted)
        except PhyshmrError as error:
            _log.warning("rays are left out, and lifting begins anew: %s", error)
            self._states.unliftable(str(error))
            self._forget()
            return None
        if lifted is None or later is None or not self._fits(self._lifter.misfit):
            return None
        if rays.camera_known and not rays.others:
            size = self._skeleton.shape.height / self.scale
            self._height.look(self.scale * rays.origin_w[0], lifted.qpos[:3], self._lifter.level, size)
        self._rays = self._lifter.rays and carried_along(self._lifter.rays, lifted, later, self._skeleton)
        return later

    def _scaled(self, rays: RayBundle) -> RayBundle:
        """The rays in the humanoid's world, which may still have to grow or shrink a little about its origin."""
        missing = self._skeleton.shape.height / self._height.height - self.scale
        step = GLIDE / max(float(np.linalg.norm(self._goal.qpos[:3])), 1.0)
        self.scale += float(np.clip(missing, -step, step))
        return scaled_rays(rays, self.scale)

    def _fits(self, misfit: float) -> bool:
        """Whether the pose explains the rays; who jumps off a wall or walks below the floor is not followed."""
        if misfit <= MISFIT:
            self._fitted = True
            return True
        why = f"somebody is seen {misfit:.1f} m from where anyone on the floor could be: is the camera's pose right?"
        if self._fitted:
            _log.warning(why)
        self._fitted = False
        self._states.unliftable(why)
        return False

    def _meet(self, person: int) -> None:
        """Forget how the one before moved, and how tall they were, if this is somebody else."""
        if self._person not in (None, person):
            self._forget()
            self._height.reset()
        self._person = person

    def _forget(self) -> None:
        """Meet the person as if for the first time."""
        self._lifter.reset()
        self._unmet = True

    def _follow(self, before: Status, lifted: Reference) -> None:
        """Take the lifted pose as the goal; jump there when the person is new or elsewhere."""
        self._goal = lifted
        distance = float(np.linalg.norm(lifted.qpos[:2] - self._sim.qpos[:2]))
        self._away = self._away + 1 if distance > AWAY else 0
        unmet, self._unmet = self._unmet, False
        if before in (Status.TRACKING, Status.STALE) and not unmet:
            if self._away > AWAY_STEPS:
                self._reinitialise(lifted)
            return
        if before is Status.SEARCHING or distance > SAME_PLACE:
            self._reinitialise(lifted, first=before is Status.SEARCHING)
        else:
            self._approach.begin()

    def _move(self, stamp_ns: int) -> Estimate:
        """Decide, then step the physics."""
        state = self._sim.state(stamp_ns)
        # While the humanoid is led to the person, the rays would pull it there at once.
        rays = None if self._approach.leading else self._rays
        goal, shift_w = self._approach.fit(self._goal, state.qpos, self._states.presence is Status.TRACKING)
        rays = rays and shifted_rays(rays, shift_w)
        with self._timed("policy"):
            target = self._policy.target(state, goal, rays)
        self._push(target, goal)
        return self._estimate(stamp_ns, goal)

    def _push(self, target: Array, goal: Reference) -> None:
        """Step the physics; a fall ends in a fresh start beside the person, a divergence that repeats in a stance."""
        try:
            with self._timed("physics"):
                self._sim.step(target)
        except DivergedError as error:
            again = self._states.status is Status.DIVERGED
            self._states.diverged(str(error))
            if again:
                # Neither the last good state nor the goal leads to anything good: whoever is lifted next may.
                self._forget()
                self._goal = self._stance()
                self._reinitialise(self._goal)
        else:
            if has_fallen(self._sim.qpos, goal.qpos):
                self._states.fell()
                if self._states.presence is not Status.TRACKING:
                    goal = self._goal = self._stance()
                self._reinitialise(goal)

    def _reinitialise(self, goal: Reference, first: bool = False) -> None:
        self._states.set_up(first)
        self._away = 0
        self._approach.end()
        self._sim.reset(on_floor(goal.qpos, self._skeleton), goal.qvel)

    def _stance(self) -> Reference:
        """Standing where the humanoid is, facing where it faces."""
        return Reference(0, stance(self._sim.qpos, self._skeleton), np.zeros(NV))

    def _estimate(self, stamp_ns: int, goal: Reference) -> Estimate:
        status, states, state = self._states.settle(stamp_ns), self._states, self._sim.state(stamp_ns)
        return Estimate(
            state, goal, status, states.reason, dict(self._stage_ms), states.counters, self.scale,
            states.transition,
        )  # fmt: skip

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = perf_counter()
        yield
        self._stage_ms[stage] = 1e3 * (perf_counter() - start)
