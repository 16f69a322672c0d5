"""Which way is up, on a sensor that turns, shakes, drifts and fails."""

from __future__ import annotations

import numpy as np
import pytest

from physhmr.geometry.gravity import LONGEST_GAP, STANDARD, Gravity
from physhmr.geometry.rotation import quat_to_matrix, rotvec_to_quat

STEP_NS = 5_000_000
TURN = np.array([0.3, -0.2, 0.9])
"""rad/s, in the sensor's axes."""


def up_after(seconds: float) -> np.ndarray:
    """(3,) up in the axes of a sensor that began upright and has turned evenly."""
    return quat_to_matrix(rotvec_to_quat(seconds * TURN)).T @ np.array([0.0, 0.0, 1.0])


def feed(gravity: Gravity, steps: int, noise: float = 0.0, drift: float = 0.0, start: int = 0) -> np.ndarray:
    rng = np.random.default_rng(0)
    for step in range(start, start + steps):
        force = STANDARD * up_after(step * STEP_NS * 1e-9) + rng.normal(0.0, noise, 3)
        gravity.read(step * STEP_NS, force, TURN + drift)
    assert gravity.up is not None
    return gravity.up


def degrees(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(a @ b, -1.0, 1.0))))


def test_nothing_is_said_before_the_first_reading() -> None:
    assert Gravity().up is None


def test_up_turns_with_the_sensor() -> None:
    up = feed(Gravity(), 401)
    assert degrees(up, up_after(2.0)) < 0.1
    assert degrees(up, up_after(0.0)) > 20.0


def test_noise_and_drift_stay_small() -> None:
    """Shaking is averaged out by the gyroscope, its drift is taken back by the accelerometer."""
    assert degrees(feed(Gravity(), 2001, noise=1.0), up_after(10.0)) < 2.0
    # A degree a second, corrected in a second: a degree.
    assert degrees(feed(Gravity(), 4001, drift=np.radians(1.0)), up_after(20.0)) < 2.0


def test_a_push_is_not_taken_for_gravity() -> None:
    gravity = Gravity()
    before = feed(gravity, 10)
    for step in range(10, 60):
        gravity.read(step * STEP_NS, np.array([20.0, 0.0, STANDARD]), np.zeros(3))
    np.testing.assert_allclose(gravity.up, before, atol=1e-12)


@pytest.mark.parametrize(
    ("force", "rate"),
    [([np.nan, 0, 9.8], [0, 0, 0]), ([0, 0, 9.8], [np.inf, 0, 0]), ([0, 0, 0], [0, 0, 0]), ([0, 0, 1e400], [0, 0, 0])],
)
def test_readings_that_say_nothing_are_left_out(force: list[float], rate: list[float]) -> None:
    gravity = Gravity()
    gravity.read(0, np.array(force), np.array(rate))
    assert gravity.up is None
    before, stamp_ns = feed(gravity, 10), gravity.stamp_ns
    gravity.read(10 * STEP_NS, np.array(force), np.array(rate))
    assert gravity.stamp_ns == stamp_ns
    np.testing.assert_array_equal(gravity.up, before)


def test_after_a_gap_or_another_clock_the_accelerometer_is_believed_at_once() -> None:
    for stamp_ns in (10 * STEP_NS + round(1.1e9 * LONGEST_GAP), 9 * STEP_NS - round(1.1e9 * LONGEST_GAP)):
        gravity = Gravity()
        feed(gravity, 10)
        gravity.read(stamp_ns, np.array([STANDARD, 0.0, 0.0]), np.zeros(3))
        np.testing.assert_allclose(gravity.up, [1.0, 0.0, 0.0])


def test_what_is_said_of_a_time_does_not_depend_on_what_came_after() -> None:
    slow, fast = Gravity(), Gravity()
    feed(slow, 100)
    feed(fast, 160)
    for stamp_ns in (0, 50 * STEP_NS, 50 * STEP_NS + 7, 99 * STEP_NS):
        (stamp, up), (same, other) = slow.at(stamp_ns), fast.at(stamp_ns)  # type: ignore[misc]
        assert stamp == same == stamp_ns // STEP_NS * STEP_NS
        np.testing.assert_array_equal(up, other)
    assert Gravity().at(0) is None
    assert slow.at(-5)[0] == 0, "else the oldest"  # type: ignore[index]
    assert slow.at(10**12)[0] == slow.stamp_ns  # type: ignore[index]


def test_late_readings_are_left_out() -> None:
    gravity = Gravity()
    before = feed(gravity, 10)
    gravity.read(5 * STEP_NS, np.array([STANDARD, 0.0, 0.0]), np.zeros(3))
    np.testing.assert_array_equal(gravity.up, before)
