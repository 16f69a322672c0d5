"""Between what retargeting wants and what a robot gets: nothing moves unless somebody allows it, and all can stop it.

    DISARMED --enable--> SOFT_START --arrived--> ACTIVE
        ^                    |                     |
        +------ disarm ------+---- any reason -----+--> HOLDING --enable--> SOFT_START

Pure state machine: time comes in with each step, nothing is read or sent. A stop brakes as hard as the limits
allow, at most `JointLimiter.LONGEST_STOP`, then holds; only a new enable ends it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from physhmr.errors import RobotError
from physhmr.retarget.clear_way import Clearance, clear_velocity
from physhmr.retarget.joint_limiter import JointLimiter, JointLimits
from physhmr.retarget.target import RobotTarget
from physhmr.types import Array, Status


class Mode(enum.Enum):
    """What the gate does."""

    DISARMED = "disarmed"
    SOFT_START = "soft_start"
    ACTIVE = "active"
    HOLDING = "holding"


class Stop(enum.Enum):
    """Why the robot does not follow."""

    NONE = ""
    DISARMED = "disarmed: call enable"
    RELEASED = "the dead-man switch is released or not heard"
    STALE = "targets are too old"
    LOST = "the person is lost"
    FALLEN = "the humanoid has fallen or diverged"
    INFEASIBLE = "the robot cannot do what the human does"
    JUMP = "the target jumped"
    NOT_A_NUMBER = "the target holds numbers that are none"
    WORKSPACE = "the target leaves the workspace"


STOP_OF_STATUS: dict[Status, Stop] = {
    Status.SEARCHING: Stop.LOST, Status.LOST: Stop.LOST, Status.FALLEN: Stop.FALLEN, Status.DIVERGED: Stop.FALLEN,
    Status.RECOVERING: Stop.FALLEN, Status.STALE: Stop.STALE,
}  # fmt: skip
"""What the human's state means for the robot; the others let it move."""


@dataclass(frozen=True)
class GateCfg:
    """When to stop, and how to start."""

    stale_after: float = 0.2
    """s without a new target."""
    dead_man_after: float = 0.25
    """s without hearing the pressed switch."""
    infeasible_after: float = 0.5
    """s of targets that are not what was wanted."""
    largest_jump: float = 0.8
    """rad between two targets, more than any human moves in a frame."""
    workspace: float = 3.0
    """m that the root may go from where it was enabled."""
    soft_speed: float = 0.5
    """rad/s on the way from the robot's pose to the first target."""
    arrived: float = 0.05
    """rad from the target, when soft start ends."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value < 1e3:
                raise RobotError(f"{name} must lie in (0, 1000), got {value!r}")


@dataclass(frozen=True)
class Command:
    """What the robot is told at one instant."""

    position: Array
    """(J,) rad, inside all limits."""
    velocity: Array
    """(J,) rad/s."""
    mode: Mode
    stop: Stop
    braking: Array
    """(K, J) rad, what would follow every `dt` if the robot had to stop now, resting at the end; none at rest."""
    detour: bool = False
    """Own parts are in the way: joints go around them, or wait."""


class SafetyGate:
    """Guards J joints; call `step` every `dt`, whatever else happens."""

    def __init__(
        self, limits: JointLimits, dt: float, cfg: GateCfg | None = None, clearance: Clearance | None = None
    ) -> None:
        """`clearance` tells how far own parts are from each other; without it nobody looks."""
        self._limits, self._dt, self._cfg, self._clearance = limits, dt, cfg or GateCfg(), clearance
        self._limiter: JointLimiter | None = None
        self.mode, self.stop = Mode.DISARMED, Stop.DISARMED
        self._target: RobotTarget | None = None
        self._previous: Array | None = None
        self._home: Array | None = None
        self._heard = self._arrived = self._feasible = -np.inf

    def press(self, now: float, pressed: bool) -> None:
        """The dead-man switch, heard at `now` s."""
        self._heard = now if pressed else -np.inf

    def offer(self, now: float, target: RobotTarget | None, status: Status = Status.TRACKING) -> None:
        """A new target of retargeting, or None for one that could not be made; arrived at `now` s."""
        reason = self._refusal(target, status)
        if reason is not Stop.NONE:
            return self._halt(reason)
        assert target is not None
        self._target, self._previous, self._arrived = target, target.joints, now
        if target.feasible or self._feasible == -np.inf:
            self._feasible = now

    def enable(self, now: float, present: Array) -> None:
        """Follow, starting from the robot's present joints (J,) rad.

        Raises `RobotError` that says what is missing: a pressed switch, a fresh target, a pose inside the limits,
        a robot at rest.
        """
        if self._limiter is not None and not self._limiter.at_rest:
            raise RobotError("not enabled: the robot still moves")
        if now - self._heard > self._cfg.dead_man_after:
            raise RobotError("not enabled: hold the dead-man switch first")
        if self._target is None or now - self._arrived > self._cfg.stale_after:
            raise RobotError("not enabled: there is no fresh target")
        self._limiter = JointLimiter(self._limits, self._dt, present)
        self._home, self._feasible = self._target.q[:3].copy(), now
        self.mode, self.stop = Mode.SOFT_START, Stop.NONE

    def disarm(self) -> None:
        """Stop and stay so."""
        self._halt(Stop.DISARMED)
        self.mode = Mode.DISARMED

    def step(self, now: float) -> Command | None:
        """The command for `now` s; None before the first enable, when nothing may be sent."""
        if self._limiter is None:
            return None
        if self.mode in (Mode.SOFT_START, Mode.ACTIVE):
            self._watch(now)
        detour = False
        if self.mode is Mode.ACTIVE:
            detour = self._approach(self._limiter, self._limits.velocity)
        elif self.mode is Mode.SOFT_START:
            detour = self._approach(self._limiter, np.full(len(self._limits.low), self._cfg.soft_speed))
            if np.abs(self._wish() - self._limiter.position).max() < self._cfg.arrived:
                self.mode = Mode.ACTIVE
        else:
            self._limiter.brake()
        limiter = self._limiter
        position, velocity = limiter.position.copy(), limiter.velocity.copy()
        return Command(position, velocity, self.mode, self.stop, limiter.stop(), detour)

    def _approach(self, limiter: JointLimiter, speed: Array) -> bool:
        """One command nearer to the target, at most at `speed` (J,); True if own parts make it another one."""
        wanted = np.clip(limiter.aim(self._wish(), speed), *limiter.reach())
        clear = wanted if self._clearance is None else clear_velocity(self._clearance, limiter, wanted)
        if clear is None:
            limiter.brake()
            return True
        limiter.go(clear)
        return bool(np.any(clear != wanted))

    def _wish(self) -> Array:
        assert self._target is not None
        return np.clip(self._target.joints, self._limits.low, self._limits.high)

    def _watch(self, now: float) -> None:
        """Stop if something that must keep coming does not."""
        if now - self._heard > self._cfg.dead_man_after:
            self._halt(Stop.RELEASED)
        elif now - self._arrived > self._cfg.stale_after:
            self._halt(Stop.STALE)
        elif now - self._feasible > self._cfg.infeasible_after:
            self._halt(Stop.INFEASIBLE)

    def _refusal(self, target: RobotTarget | None, status: Status) -> Stop:
        """Why this target must not be followed."""
        if status in STOP_OF_STATUS:
            return STOP_OF_STATUS[status]
        if target is None or len(target.joints) != len(self._limits.low) or not np.isfinite(target.q).all():
            return Stop.NOT_A_NUMBER
        moving = self.mode in (Mode.SOFT_START, Mode.ACTIVE)
        if moving and self._previous is not None:
            if np.abs(target.joints - self._previous).max() > self._cfg.largest_jump:
                return Stop.JUMP
            if self._home is not None and np.linalg.norm(target.q[:3] - self._home) > self._cfg.workspace:
                return Stop.WORKSPACE
        return Stop.NONE

    def _halt(self, reason: Stop) -> None:
        """Hold, for the first reason that there was; a disarmed gate stays disarmed."""
        if self.mode in (Mode.SOFT_START, Mode.ACTIVE) or reason is Stop.DISARMED:
            self.mode, self.stop = Mode.HOLDING, reason
        self._target = None if reason is Stop.NOT_A_NUMBER else self._target
        self._previous = None
