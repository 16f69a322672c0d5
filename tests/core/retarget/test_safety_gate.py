"""Nothing that arrives makes the robot's commands break a limit, and every stop stops within 100 ms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physhmr.errors import NonFiniteError, RobotError, ShapeError
from physhmr.retarget.clear_way import FREE, Clearance
from physhmr.retarget.joint_limiter import LONGEST_STOP, JointLimiter, JointLimits
from physhmr.retarget.safety_gate import STOP_OF_STATUS, Command, GateCfg, Mode, SafetyGate, Stop
from physhmr.retarget.target import RobotTarget
from physhmr.types import Array, Status

DT = 0.005
JOINTS = 3
LIMITS = JointLimits(
    np.array([-1.0, -0.2, 0.0]), np.array([1.0, 2.5, 0.4]), np.array([5.0, 2.0, 8.0]), np.array([60.0, 25.0, 100.0])
)
MIDDLE = 0.5 * (LIMITS.low + LIMITS.high)


def target(joints: Array, stamp: int = 0, reason: str = "", root: float = 0.0) -> RobotTarget:
    q = np.concatenate([[root, 0, 0.7, 1, 0, 0, 0], joints])
    return RobotTarget(stamp, q, np.zeros(len(q) - 1), np.zeros((2, 4), bool), reason)


def within(before: Array, speed_before: Array, after: Array, speed: Array) -> None:
    assert np.isfinite(after).all()
    assert (after >= LIMITS.low).all() and (after <= LIMITS.high).all()
    assert (np.abs(after - before) <= LIMITS.velocity * DT + 1e-12).all()
    assert (np.abs(speed - speed_before) <= LIMITS.acceleration * DT + 1e-6).all()


class Wall:
    """Own parts meet where the first two joints add up to more than in the middle of their ranges, and a little."""

    def smallest(self, joints: Array) -> float:
        return float(MIDDLE[:2].sum() + 0.2 - joints[:2].sum())

    def gradients(self, joints: Array) -> tuple[Array, Array]:
        return np.array([[-1.0, -1.0, 0.0]]), np.array([self.smallest(joints)])


def armed(now: float = 0.0, cfg: GateCfg | None = None, clearance: Clearance | None = None) -> SafetyGate:
    gate = SafetyGate(LIMITS, DT, cfg, clearance)
    gate.press(now, True)
    gate.offer(now, target(MIDDLE))
    gate.enable(now, MIDDLE)
    return gate


numbers = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(st.lists(numbers, min_size=JOINTS, max_size=JOINTS), min_size=1, max_size=60))
def test_no_wish_breaks_a_limit(wishes: list[list[float]]) -> None:
    limiter = JointLimiter(LIMITS, DT, MIDDLE)
    for wish in wishes:
        before, speed = limiter.position.copy(), limiter.velocity.copy()
        within(before, speed, limiter.towards(np.array(wish)), limiter.velocity)


@given(st.lists(st.lists(st.floats(-3, 3), min_size=JOINTS, max_size=JOINTS), min_size=1, max_size=40))
def test_braking_ends_in_time_and_inside(wishes: list[list[float]]) -> None:
    limiter = JointLimiter(LIMITS, DT, MIDDLE)
    for wish in wishes:
        limiter.towards(np.array(wish))
    steps = 0
    while not limiter.at_rest:
        before, speed = limiter.position.copy(), limiter.velocity.copy()
        within(before, speed, limiter.brake(), limiter.velocity)
        steps += 1
        assert steps * DT <= LONGEST_STOP + 1e-9
    held = limiter.position.copy()
    np.testing.assert_array_equal(limiter.brake(), held)


@given(st.lists(st.floats(0, 1), min_size=JOINTS, max_size=JOINTS))
def test_a_wish_that_stays_is_reached_without_overshoot(share: list[float]) -> None:
    wish, limiter = LIMITS.low + np.array(share) * (LIMITS.high - LIMITS.low), JointLimiter(LIMITS, DT, MIDDLE)
    direction = np.sign(wish - MIDDLE)
    for _ in range(600):
        assert ((wish - limiter.towards(wish)) * direction >= -1e-7).all()
    np.testing.assert_allclose(limiter.position, wish, atol=1e-6)


def test_limits_that_cannot_stop_in_time_are_refused() -> None:
    one = np.ones(1)
    with pytest.raises(RobotError, match="200 ms"):
        JointLimits(-one, one, one, 5 * one)
    with pytest.raises(RobotError, match="low < high"):
        JointLimits(one, -one, one, 100 * one)
    with pytest.raises(RobotError, match="finite"):
        JointLimits(-np.inf * one, one, one, 100 * one)
    with pytest.raises(ShapeError):
        JointLimits(-one, one, np.ones(2), 100 * one)


@pytest.mark.parametrize("present", [[np.nan, 0, 0], [1.5, 0, 0.2]])
def test_a_robot_outside_its_limits_is_not_started(present: list[float]) -> None:
    gate = armed()
    with pytest.raises(RobotError, match="outside"):
        gate.enable(0.0, np.array(present))


def test_nothing_is_sent_before_the_first_enable() -> None:
    gate = SafetyGate(LIMITS, DT)
    gate.press(0.0, True)
    gate.offer(0.0, target(MIDDLE))
    assert gate.mode is Mode.DISARMED and gate.stop is Stop.DISARMED
    assert gate.step(0.0) is None


def test_enable_needs_the_switch_and_a_fresh_target() -> None:
    gate = SafetyGate(LIMITS, DT)
    with pytest.raises(RobotError, match="dead-man"):
        gate.enable(0.0, MIDDLE)
    gate.press(0.0, True)
    with pytest.raises(RobotError, match="fresh target"):
        gate.enable(0.0, MIDDLE)
    gate.offer(0.0, target(MIDDLE))
    gate.press(1.0, True)
    with pytest.raises(RobotError, match="fresh target"):
        gate.enable(1.0, MIDDLE)


def test_soft_start_is_slow_and_ends_at_the_target() -> None:
    gate, cfg, now = armed(), GateCfg(), 0.0
    goal, modes = MIDDLE + np.array([0.4, 0.4, 0.1]), []
    for _ in range(400):
        now += DT
        gate.press(now, True)
        gate.offer(now, target(goal))
        command = gate.step(now)
        assert command is not None
        if command.mode is Mode.SOFT_START:
            assert np.abs(command.velocity).max() <= cfg.soft_speed + 1e-12
        modes.append(command.mode)
    assert modes[0] is Mode.SOFT_START and modes[-1] is Mode.ACTIVE
    np.testing.assert_allclose(command.position, goal, atol=1e-6)


def moving() -> tuple[SafetyGate, float]:
    """Active, on the way."""
    gate, now = armed(), 0.0
    gate.step(now)
    for k in range(20):
        now += DT
        gate.press(now, True)
        gate.offer(now, target(MIDDLE + 0.03 * k * np.array([1.0, 1.0, 0.1])))
        gate.step(now)
    assert gate.mode is Mode.ACTIVE
    return gate, now


CAUSES = {
    Stop.RELEASED: lambda gate, now: gate.press(now, False),
    Stop.JUMP: lambda gate, now: gate.offer(now, target(MIDDLE + np.array([0.0, 1.5, 0.0]) + 0.5)),
    Stop.NOT_A_NUMBER: lambda gate, now: gate.offer(now, None),
    Stop.WORKSPACE: lambda gate, now: gate.offer(now, target(MIDDLE + 0.4, root=50.0)),
    Stop.DISARMED: lambda gate, now: gate.disarm(),
    Stop.LOST: lambda gate, now: gate.offer(now, target(MIDDLE), Status.LOST),
    Stop.FALLEN: lambda gate, now: gate.offer(now, target(MIDDLE), Status.FALLEN),
    Stop.STALE: lambda gate, now: gate.offer(now, target(MIDDLE), Status.STALE),
}


@pytest.mark.parametrize("reason", CAUSES)
def test_every_reason_stops_within_100_ms_and_is_told(reason: Stop) -> None:
    gate, now = moving()
    CAUSES[reason](gate, now)
    for step in range(30):
        now += DT
        if reason is not Stop.RELEASED:
            gate.press(now, True)
        gate.offer(now, target(MIDDLE + 0.3))
        command = gate.step(now)
        assert command is not None and command.stop is reason
        assert command.mode in (Mode.HOLDING, Mode.DISARMED)
        if (step + 1) * DT >= LONGEST_STOP:
            assert not command.velocity.any()


def test_silence_stops() -> None:
    for heard, told in ((True, Stop.STALE), (False, Stop.RELEASED)):
        gate, now = moving()
        commands: list[Command | None] = []
        for _ in range(80):
            now += DT
            if heard:
                gate.press(now, True)
            else:
                gate.offer(now, target(MIDDLE + 0.5))
            commands.append(gate.step(now))
        assert commands[-1] is not None and commands[-1].stop is told and not commands[-1].velocity.any()


def test_poses_that_stay_infeasible_stop_a_glitch_does_not() -> None:
    for seconds, told in ((0.3, Stop.NONE), (0.7, Stop.INFEASIBLE)):
        gate, now = moving()
        end = now + seconds
        while now < end:
            now += DT
            gate.press(now, True)
            gate.offer(now, target(MIDDLE + 0.5 * np.array([1.0, 1.0, 0.1]), reason="left hand is 30 cm off"))
            command = gate.step(now)
        assert command is not None and command.stop is told


def test_a_stop_lasts_until_somebody_enables_again() -> None:
    gate, now = moving()
    gate.press(now, False)
    gate.step(now)
    gate.press(now, True)
    with pytest.raises(RobotError, match="still moves"):
        gate.enable(now, MIDDLE)
    for _ in range(30):
        command = gate.step(now)
    assert gate.mode is Mode.HOLDING
    assert command is not None
    gate.offer(now, target(command.position))
    gate.enable(now, command.position)
    assert gate.mode is Mode.SOFT_START and gate.stop is Stop.NONE


def test_a_target_behind_own_parts_is_told_and_waited_for() -> None:
    gate, now, wall = armed(clearance=Wall()), 0.0, Wall()
    for share, detour in ((0.9, True), (-0.2, False)):
        goal = MIDDLE + share * np.array([0.5, 0.5, 0.1])
        for _ in range(400):
            now += DT
            gate.press(now, True)
            gate.offer(now, target(goal))
            command = gate.step(now)
            assert command is not None and wall.smallest(command.position) >= FREE
        assert command.detour is detour
        np.testing.assert_allclose(command.velocity, 0.0, atol=1e-3)
        assert np.allclose(command.position, goal, atol=1e-6) is not detour


def test_every_state_of_the_human_but_tracking_stops() -> None:
    assert set(STOP_OF_STATUS) == set(Status) - {Status.TRACKING}


event = st.one_of(
    st.tuples(st.just("wait"), st.floats(0.001, 0.5)),
    st.tuples(st.just("press"), st.booleans()),
    st.tuples(st.just("offer"), st.lists(numbers, min_size=JOINTS, max_size=JOINTS)),
    st.tuples(st.just("status"), st.sampled_from(list(Status))),
    st.tuples(st.just("enable"), st.none()),
    st.tuples(st.just("disarm"), st.none()),
)  # fmt: skip


@pytest.mark.parametrize("clearance", [None, Wall()], ids=["nobody looks", "own parts"])
@settings(max_examples=200)
@given(events=st.lists(event, max_size=60))
def test_hostile_inputs_never_break_a_limit(clearance: Clearance | None, events: list[tuple[str, object]]) -> None:
    """Jumps, NaN, silence, wrong order, out of reach: commands stay inside, and a held robot comes to rest."""
    gate, now = armed(clearance=clearance), 0.0
    position, speed, resting = MIDDLE.copy(), np.zeros(JOINTS), 0.0
    for name, value in events:
        if name == "wait":
            steps = round(float(value) / DT)  # type: ignore[arg-type]
        else:
            steps = 1
            feed(gate, now, name, value, position)
        for _ in range(steps):
            now += DT
            command = gate.step(now)
            assert command is not None
            within(position, speed, command.position, command.velocity)
            assert clearance is None or clearance.smallest(command.position) >= FREE - 1e-9
            position, speed = command.position, command.velocity
            resting = resting + DT if command.mode in (Mode.HOLDING, Mode.DISARMED) else 0.0
            if resting > LONGEST_STOP + 1e-9:
                assert not speed.any()


def feed(gate: SafetyGate, now: float, name: str, value: object, position: Array) -> None:
    if name == "press":
        gate.press(now, bool(value))
    elif name == "offer":
        try:
            made = target(np.array(value))
        except NonFiniteError:
            made = None
        gate.offer(now, made)
    elif name == "status":
        gate.offer(now, target(MIDDLE), value)  # type: ignore[arg-type]
    elif name == "disarm":
        gate.disarm()
    else:
        try:
            gate.enable(now, position)
        except RobotError:
            return
