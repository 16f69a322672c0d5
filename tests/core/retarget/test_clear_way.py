"""No command brings own parts together, wherever targets lead and whenever somebody stops the robot."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from physhmr.retarget.clear_way import FREE, JointClearance, clear_velocity
from physhmr.retarget.collision import SelfCollision
from physhmr.retarget.joint_limiter import JointLimiter, JointLimits, limits_of
from physhmr.retarget.robot import Robot
from physhmr.retarget.safety_gate import GateCfg, Mode, SafetyGate
from physhmr.retarget.target import RobotTarget
from physhmr.types import Array

DT = 0.01
TWO = JointLimits(np.full(2, -2.0), np.full(2, 2.0), np.array([6.0, 5.0]), np.array([75.0, 62.5]))
wishes_of_two = st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=1, max_size=12)


class Disc:
    """Parts meet where two joints come nearer to the middle of their ranges than a radius."""

    radius = 0.5

    def smallest(self, joints: Array) -> float:
        return float(np.linalg.norm(joints) - self.radius)

    def gradients(self, joints: Array) -> tuple[Array, Array]:
        length = max(float(np.linalg.norm(joints)), 1e-9)
        return (joints / length)[None], np.array([length - self.radius])


def go(limiter: JointLimiter, wish: Array) -> None:
    velocity = clear_velocity(Disc(), limiter, np.clip(limiter.aim(wish), *limiter.reach()))
    limiter.go(np.zeros(2) if velocity is None else velocity)


@given(wishes_of_two)
def test_braking_goes_the_way_that_was_told(wishes: list[tuple[float, float]]) -> None:
    limiter = JointLimiter(TWO, DT, np.full(2, 1.0))
    for wish in wishes:
        for _ in range(5):
            velocity = np.clip(limiter.aim(np.array(wish)), *limiter.reach())
            told = limiter.braking(velocity)
            limiter.go(velocity)
            np.testing.assert_allclose(limiter.position, told[0], atol=1e-12)
    stop = limiter.stop()
    np.testing.assert_allclose(stop[:-1], told[1:], atol=1e-12)
    for place in stop:
        assert not limiter.at_rest
        np.testing.assert_allclose(limiter.brake(), place, atol=1e-7)
    assert limiter.at_rest and not len(limiter.stop())


@pytest.mark.parametrize("speed", [1e-12, 0.3, 0.75, 6.0])
def test_whoever_moves_has_a_stop_and_who_rests_has_none(speed: float) -> None:
    limiter = JointLimiter(TWO, DT, np.zeros(2))
    assert not len(limiter.stop())
    while limiter.velocity[0] < speed:
        limiter.go(np.array([speed, 0.0]))
    stop = limiter.stop()
    assert len(stop) == np.ceil(speed / 0.75)
    np.testing.assert_array_equal(stop[-1], [limiter.position, *stop][-2])


@given(st.tuples(st.floats(-6, 6), st.floats(-5, 5)))
def test_stretch_is_the_derivative_of_where_braking_ends(velocity: tuple[float, float]) -> None:
    limiter, at, small = JointLimiter(TWO, DT, np.zeros(2)), np.array(velocity), 1e-7
    steps = np.abs(at) / (TWO.acceleration * DT)
    if (np.abs(steps - np.round(steps)) < 1e-3).any():
        return  # There it has a kink.
    change = limiter.braking(at + small)[-1] - limiter.braking(at - small)[-1]
    np.testing.assert_allclose(change / (2 * small), limiter.stretch(at), rtol=1e-4)


@given(wishes_of_two, st.integers(1, 30))
def test_no_wish_and_no_stop_leads_into_the_disc(wishes: list[tuple[float, float]], held: int) -> None:
    limiter = JointLimiter(TWO, DT, np.array([1.0, 0.2]))
    for wish in wishes:
        for _ in range(held):
            go(limiter, np.array(wish))
            assert Disc().smallest(limiter.position) >= FREE - 1e-9
    while not limiter.at_rest:
        limiter.brake()
        assert Disc().smallest(limiter.position) >= FREE - 1e-9


def test_joints_go_around_what_is_in_the_way() -> None:
    """The straight way leads past the middle of the disc, which it would enter."""
    limiter, wish, through = JointLimiter(TWO, DT, np.array([1.2, 0.1])), np.array([-1.2, 0.3]), False
    for _ in range(300):
        go(limiter, wish)
    np.testing.assert_allclose(limiter.position, wish, atol=1e-3)
    straight = JointLimiter(TWO, DT, np.array([1.2, 0.1]))
    for _ in range(300):
        through |= Disc().smallest(straight.towards(wish)) < 0
    assert through


def test_who_starts_with_parts_together_may_bring_them_apart() -> None:
    limiter = JointLimiter(TWO, DT, np.array([0.3, 0.0]))
    for _ in range(200):
        before = Disc().smallest(limiter.position)
        go(limiter, np.array([1.0, 0.0]))
        assert Disc().smallest(limiter.position) >= min(before, FREE) - 1e-9
    np.testing.assert_allclose(limiter.position, (1.0, 0.0), atol=1e-6)


def test_gradients_are_those_of_the_distances(stick: Robot) -> None:
    joints = stick.upper_joints
    clearance = JointClearance(stick, SelfCollision(stick), joints)
    rng, at, compared = np.random.default_rng(1), stick.stand[7:][joints], 0
    for _ in range(20):
        pose = at + rng.normal(0, 0.3, len(joints))
        gradients, distances = clearance.gradients(pose)
        step = rng.normal(0, 1e-6, len(joints))
        later = clearance.gradients(pose + step)[1]
        if len(distances) == len(later):
            np.testing.assert_allclose(later - distances, gradients @ step, atol=2e-9)
            compared += len(distances)
    assert compared > 20


@pytest.mark.parametrize("upper", [True, False])
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(seed=st.integers(0, 10**6), stop=st.integers(20, 60))
def test_a_robot_never_touches_itself(stick: Robot, upper: bool, seed: int, stop: int) -> None:
    """Targets jump anywhere in the ranges of the joints, into each other too; then the switch is released."""
    joints = stick.upper_joints if upper else list(range(stick.num_joints))
    rng, collision, now = np.random.default_rng(seed), SelfCollision(stick), 0.0
    cfg = GateCfg(largest_jump=100.0, soft_speed=100.0)
    gate = SafetyGate(limits_of(stick, joints, 0.5), DT, cfg, JointClearance(stick, collision, joints))
    wish, q = stick.stand[7:][joints], stick.stand.copy()
    gate.press(now, True)
    gate.offer(now, target(wish))
    gate.enable(now, wish)
    for step in range(stop + 12):
        now += DT
        gate.press(now, step < stop)
        wish = rng.uniform(*stick.ranges[joints].T) if step % 8 == 0 else wish
        gate.offer(now, target(wish))
        command = gate.step(now)
        assert command is not None
        q[7:][joints] = command.position
        assert collision.smallest(stick.placed(q)) > 0
    assert command.mode is Mode.HOLDING and not command.velocity.any()


def target(joints: Array) -> RobotTarget:
    q = np.concatenate([[0, 0, 0.7, 1, 0, 0, 0], joints])
    return RobotTarget(0, q, np.zeros(len(q) - 1), np.zeros((2, 4), bool))
