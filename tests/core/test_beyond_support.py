"""Where weight and inertia would have to be borne: under the feet of who stands, outside of who would fall."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physhmr.body.humanoid_mjcf import CONTROL_HZ, center_of_mass, standing_qpos
from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import Skeleton
from physhmr.body.soles import corner_positions, on_floor
from physhmr.geometry.gravity import STANDARD
from physhmr.geometry.rotation import quat_multiply, rotvec_to_quat, yaw_quat
from physhmr.motion.ground import beyond_support, pendulum
from physhmr.types import Array

SKELETON = Skeleton()
FRAMES = 60


def standing() -> Array:
    return on_floor(np.tile(standing_qpos(SKELETON), (FRAMES, 1)), SKELETON)


def toes() -> float:
    """m before the centre of mass."""
    pose = standing()[:1]
    center = center_of_mass(*forward_kinematics(pose, SKELETON), SKELETON)[0]
    return float(corner_positions(pose, SKELETON)[0, :, 0].max() - center[0])


def test_who_stands_or_flies_is_borne() -> None:
    np.testing.assert_array_equal(beyond_support(standing(), SKELETON), 0.0)
    np.testing.assert_array_equal(beyond_support(standing() + np.eye(76)[2], SKELETON), 0.0)


@pytest.mark.parametrize("speed_up", [0.5, 3.0, 6.0])
def test_who_speeds_up_on_the_spot_leans_on_what_is_not_there(speed_up: float) -> None:
    """Bodies that are pushed by the floor have it push behind the mass, by height times acceleration over gravity."""
    qpos, time = standing(), np.arange(FRAMES) / CONTROL_HZ
    qpos[:, 0] -= 0.5 * speed_up * time**2
    height = center_of_mass(*forward_kinematics(qpos[:1], SKELETON), SKELETON)[0, 2]
    expected = max(height * speed_up / STANDARD - toes(), 0.0)
    np.testing.assert_allclose(beyond_support(qpos, SKELETON)[8:-8], expected, atol=0.01)


def test_which_way_somebody_faces_does_not_matter() -> None:
    qpos = standing()
    qpos[:, 3:7] = rotvec_to_quat(np.array([0.0, 0.3, 0.0]))
    leaning = on_floor(qpos, SKELETON)
    beyond = beyond_support(leaning, SKELETON)
    assert beyond.min() > 0.05
    turned = leaning.copy()
    turned[:, 3:7] = quat_multiply(np.tile(yaw_quat(np.array([0.7])), (FRAMES, 1)), leaning[:, 3:7])
    turned[:, :2] = [3.0, -2.0]
    # Edges are looked for in 32 directions; an edge of 0.3 m in between counts for so much less.
    np.testing.assert_allclose(beyond_support(turned, SKELETON), beyond, atol=0.015)


@given(place=st.floats(-3, 3), height=st.floats(0.2, 2.0))
def test_who_is_pushed_at_one_place_rests_over_it(place: float, height: float) -> None:
    np.testing.assert_allclose(pendulum(np.full((40, 2), place), height), place, atol=1e-9)


def test_a_pendulum_s_zero_moment_point_is_where_it_is_pushed() -> None:
    pushed_at = np.cumsum(np.random.default_rng(0).normal(size=(80, 2)), 0)
    mass = pendulum(pushed_at, 0.9)
    acceleration = (mass[2:] - 2.0 * mass[1:-1] + mass[:-2]) * CONTROL_HZ**2
    np.testing.assert_allclose(mass[1:-1] - 0.9 / STANDARD * acceleration, pushed_at[1:-1], atol=1e-9)


def test_a_walker_sets_out_before_the_push_and_arrives_after_it() -> None:
    """Weight that goes over at once is met half-way, with the pendulum's own time constant to both sides."""
    pushed_at = np.repeat([[0.0, 0.0], [1.0, 0.0]], 60, 0)
    mass = pendulum(pushed_at, 0.9)[:, 0]
    time = (np.arange(120) - 59.5) / CONTROL_HZ
    early = 0.5 * np.exp(-np.abs(time) * np.sqrt(STANDARD / 0.9))
    np.testing.assert_allclose(mass, np.where(time < 0, early, 1.0 - early), atol=2e-3)
