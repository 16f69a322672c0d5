"""A goal is reached in half a second, drawn near when it is far, and left alone otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from physhmr.approach import BLEND_STEPS, LEASH, LOST_LEASH, Approach
from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.skeleton import Skeleton
from physhmr.geometry.rotation import yaw_of, yaw_quat
from physhmr.types import NV, Reference

STANDING = standing_qpos(Skeleton())


def goal(x: float = 0.0, y: float = 0.0, yaw: float = 0.0) -> Reference:
    return Reference(5, np.r_[x, y, STANDING[2], yaw_quat(np.array(yaw)), 0.2 + STANDING[7:]], np.ones(NV))


def test_a_goal_that_is_near_stays_as_it_is() -> None:
    told, shift_w = Approach().fit(goal(0.1, -0.1), STANDING, seen=True)
    np.testing.assert_array_equal(told.qpos, goal(0.1, -0.1).qpos)
    assert not shift_w.any()


@pytest.mark.parametrize(("seen", "length"), [(True, LEASH), (False, LOST_LEASH)])
def test_a_goal_that_is_far_is_drawn_near_on_the_straight_line(seen: bool, length: float) -> None:
    told, shift_w = Approach().fit(goal(3.0, -4.0), STANDING, seen)
    np.testing.assert_allclose(told.qpos[:2], [0.6 * length, -0.8 * length])
    np.testing.assert_allclose(shift_w, [told.qpos[0] - 3.0, told.qpos[1] + 4.0, 0.0])
    np.testing.assert_array_equal(told.qpos[2:], goal().qpos[2:])


def test_a_new_goal_is_reached_in_half_a_second() -> None:
    approach, pose, yaws = Approach(), STANDING.copy(), []
    approach.begin()
    for _ in range(BLEND_STEPS):
        assert approach.leading
        told, _ = approach.fit(goal(0.2, 0.0, 1.0), pose, seen=True)
        pose = told.qpos
        yaws.append(float(yaw_of(pose[3:7])))
    assert not approach.leading
    np.testing.assert_allclose(pose, goal(0.2, 0.0, 1.0).qpos, atol=1e-9)
    np.testing.assert_allclose(np.diff([0.0, *yaws]), 1.0 / BLEND_STEPS)


def test_whoever_is_there_already_is_led_no_more() -> None:
    approach = Approach()
    approach.begin()
    approach.end()
    told, _ = approach.fit(goal(0.1), STANDING, seen=True)
    assert not approach.leading
    np.testing.assert_array_equal(told.qpos, goal(0.1).qpos)
