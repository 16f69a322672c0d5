"""The Jacobians of what a robot follows, against finite differences."""

from __future__ import annotations

from collections.abc import Callable

import mink
import mujoco
import numpy as np
import pytest

from physhmr.retarget.collision import CLOSING, CUTOFF, MARGIN, SelfCollision
from physhmr.retarget.follow_task import FollowTask
from physhmr.retarget.geom_points import lowest_points
from physhmr.retarget.goals import GoalMaker, Goals
from physhmr.retarget.human import HumanFrame
from physhmr.retarget.proportions import Proportions
from physhmr.retarget.robot import Robot
from physhmr.retarget.support import nearest_support
from physhmr.types import Array

EPS = 1e-6


def bent(robot: Robot, seed: int = 0) -> Array:
    q = robot.stand.copy()
    low, high = robot.ranges.T
    q[7:] = low + (high - low) * np.random.default_rng(seed).uniform(0.3, 0.7, robot.num_joints)
    return q


def difference(model: mujoco.MjModel, q: Array, function: Callable[[Array], Array]) -> Array:
    columns = []
    for axis in np.eye(model.nv):
        ends = []
        for sign in (1, -1):
            end = q.copy()
            mujoco.mj_integratePos(model, end, axis, sign * EPS)
            ends.append(function(end))
        columns.append((ends[0] - ends[1]) / (2 * EPS))
    return np.stack(columns, -1)


def test_residuals_change_as_the_jacobian_says(
    stick: Robot, person: Proportions, motion: Callable[[str, float], list[HumanFrame]]
) -> None:
    task, configuration, q = FollowTask(stick), mink.Configuration(stick.model), bent(stick)
    goals = GoalMaker(stick, person)(motion("gesture", 1.0)[15])
    configuration.update(q)
    # At the goal log's Jacobian is the identity, as the task assumes.
    placed = stick.placed(q)
    rotations = {role: placed.xmat[stick.body[role]].reshape(3, 3).copy() for role in goals.rotations}
    goals = Goals(goals.points, rotations, goals.axes)
    task.set_goals(goals, np.zeros((2, 4, 3)), np.ones((2, 4), bool), np.zeros(2), 1.0)

    def residual(q: Array) -> Array:
        configuration.update(q)
        return task.compute_error(configuration)

    numeric = difference(stick.model, q, residual)
    configuration.update(q)
    np.testing.assert_allclose(task.compute_jacobian(configuration), numeric, atol=2e-5)


@pytest.mark.parametrize("seed", range(6))
def test_distances_change_as_their_rows_say(stick: Robot, seed: int) -> None:
    collision, q = SelfCollision(stick), stick.stand.copy()
    q[7:] += np.random.default_rng(seed).uniform(-0.08, 0.08, stick.num_joints)
    for name, inward in (("left_hip_roll", -0.15), ("right_hip_roll", 0.15)):
        q[7 + stick.joint_names.index(name)] += inward
    placed = stick.placed(q)
    near = [pair for pair in collision.pairs.tolist() if distance(stick, pair, q) < CUTOFF]
    G, lower = collision.rows(placed)
    assert len(G) == len(near) > 0
    for row, least, pair in zip(G, lower, near, strict=True):
        numeric = difference(stick.model, q, lambda q, pair=pair: np.array(distance(stick, pair, q)))
        np.testing.assert_allclose(row, numeric, atol=2e-3)
        assert least == pytest.approx(-CLOSING * (distance(stick, pair, q) - MARGIN))


def distance(robot: Robot, pair: list[int], q: Array) -> float:
    return mujoco.mj_geomDistance(robot.model, robot.placed(q), *pair, 1.0, None)


def test_neighbours_and_own_limbs_are_no_pairs(stick: Robot) -> None:
    names = {
        tuple(sorted(stick.model.body(stick.model.geom_bodyid[geom]).name for geom in pair))
        for pair in SelfCollision(stick).pairs
    }
    assert ("left_thigh", "right_thigh") in names
    assert ("left_forearm", "left_thigh") in names
    assert not names & {("left_shank", "left_thigh"), ("base", "left_thigh"), ("left_sole", "left_thigh")}


SHAPES = {
    "sphere": ("0.1", 0.1), "capsule": ("0.1 0.3", 0.4), "cylinder": ("0.1 0.3", 0.3), "box": ("0.1 0.2 0.3", 0.3),
}  # fmt: skip


@pytest.mark.parametrize("kind", SHAPES)
def test_lowest_points_touch_the_floor(kind: str) -> None:
    size, half = SHAPES[kind]
    xml = f'<mujoco><worldbody><geom type="{kind}" size="{size}" pos="1 2 3"/></worldbody></mujoco>'
    model = mujoco.MjModel.from_xml_string(xml)
    placed = mujoco.MjData(model)
    mujoco.mj_kinematics(model, placed)
    assert lowest_points(model, placed, 0)[:, 2].min() == pytest.approx(3 - half)


def test_the_support_holds_what_is_over_it_and_draws_in_what_is_not() -> None:
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    inside = np.array([0.4, 0.6])
    np.testing.assert_array_equal(nearest_support(inside, corners), inside)
    outside = nearest_support(np.array([3.0, 0.5]), corners)
    np.testing.assert_allclose(outside, [0.875, 0.5], atol=1e-6)
    np.testing.assert_allclose(nearest_support(outside, corners), outside, atol=1e-6)


def test_two_standing_corners_are_a_support_too() -> None:
    edge = np.array([[0.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(nearest_support(np.array([0.3, 0.5]), edge), [0.0, 0.5], atol=1e-6)
