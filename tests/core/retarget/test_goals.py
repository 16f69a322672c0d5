"""Goals move with the human, keep the robot's lengths, and see proportions through scale."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physhmr.body.skeleton import Shape, Skeleton
from physhmr.errors import NonFiniteError, RobotError, ShapeError
from physhmr.geometry.rotation import quat_to_matrix, yaw_quat
from physhmr.retarget.goals import GoalMaker
from physhmr.retarget.human import HumanFrame, facing_forward
from physhmr.retarget.proportions import Proportions, measure_proportions, skeleton_proportions
from physhmr.retarget.robot import Robot

Motion = Callable[[str, float], list[HumanFrame]]


def moved(human: HumanFrame, yaw: float, shift: tuple[float, float]) -> HumanFrame:
    turn = quat_to_matrix(yaw_quat(np.array(yaw)))
    return HumanFrame(human.stamp_ns, human.pos_w @ turn.T + [*shift, 0.0], turn @ human.rot_w, human.contact)


@given(yaw=st.floats(-3, 3), x=st.floats(-5, 5), y=st.floats(-5, 5))
def test_goals_turn_and_walk_with_the_human(
    stick: Robot, person: Proportions, motion: Motion, yaw: float, x: float, y: float
) -> None:
    make, human = GoalMaker(stick, person), motion("walk", 1.0)[20]
    turn = quat_to_matrix(yaw_quat(np.array(yaw)))
    here, there = make(human), make(moved(human, yaw, (x, y)))
    for role, point in here.points.items():
        shift = make.scale * np.array([x, y, 0.0]) if role == "hips" or role.endswith("foot") else 0.0
        np.testing.assert_allclose(there.points[role], turn @ point + shift, atol=1e-9)
    for role, rotation in here.rotations.items():
        np.testing.assert_allclose(there.rotations[role], turn @ rotation, atol=1e-9)


def test_arms_have_the_robots_own_lengths(stick: Robot, person: Proportions, motion: Motion) -> None:
    make = GoalMaker(stick, person)
    for human in motion("gesture", 3.0)[::15]:
        points = make(human).points
        assert np.linalg.norm(points["left_elbow"]) == pytest.approx(stick.proportions.upper_arm)
        assert np.linalg.norm(points["left_hand"] - points["left_elbow"]) == pytest.approx(stick.proportions.forearm)


def test_who_stands_asks_the_robot_to_stand_as_it_does(stick: Robot, person: Proportions) -> None:
    skeleton = Skeleton()
    human = HumanFrame(0, skeleton.rest_points, np.repeat(np.eye(3)[None], 24, 0), np.ones((2, 2), bool))
    goals, placed = GoalMaker(stick, person)(human), stick.placed(stick.stand)
    feet = [goals.points[f"{side}_foot"] for side in ("left", "right")]
    assert feet[0][1] - feet[1][1] == pytest.approx(stick.proportions.stance_width)
    assert feet[0][2] == pytest.approx(stick.points(placed, "left_foot")[2], abs=1e-6)
    hips = 0.5 * (stick.points(placed, "left_hip") + stick.points(placed, "right_hip"))
    assert goals.points["hips"][2] == pytest.approx(hips[2], abs=0.01)
    np.testing.assert_allclose(goals.rotations["torso"], stick.rest_rot["torso"], atol=1e-12)


@given(st.floats(1.3, 2.1))
def test_taller_people_take_the_same_steps_of_the_robot(stick: Robot, height: float) -> None:
    """Twice the human, twice its motion: the robot sees no difference."""
    goals = []
    for skeleton in (Skeleton(), Skeleton(Shape(height=height))):
        human = HumanFrame(0, skeleton.rest_points, np.repeat(np.eye(3)[None], 24, 0), np.ones((2, 2), bool))
        goals.append(GoalMaker(stick, skeleton_proportions(skeleton))(human))
    for role, point in goals[0].points.items():
        np.testing.assert_allclose(goals[1].points[role], point, atol=1e-9)


def test_facing_forward_forgets_place_and_heading_only(motion: Motion) -> None:
    human = motion("walk", 1.0)[10]
    here, there = facing_forward(human), facing_forward(moved(human, 2.0, (3.0, -1.0)))
    np.testing.assert_allclose(here.pos_w, there.pos_w, atol=1e-9)
    np.testing.assert_allclose(here.rot_w, there.rot_w, atol=1e-9)
    np.testing.assert_allclose(here.pos_w[:, 2] - here.pos_w[0, 2], human.pos_w[:, 2] - human.pos_w[0, 2], atol=1e-12)


def test_a_calibration_survives_single_bad_frames() -> None:
    pos = np.repeat(Skeleton().rest_points[None], 60, 0)
    pos[::7] *= 3.0
    assert measure_proportions(pos) == skeleton_proportions(Skeleton())


def test_a_calibration_refuses_what_is_no_person() -> None:
    with pytest.raises(ShapeError):
        measure_proportions(np.zeros((10, 23, 3)))
    with pytest.raises(NonFiniteError):
        measure_proportions(np.full((10, 24, 3), np.nan))
    with pytest.raises(RobotError, match="thigh"):
        measure_proportions(np.zeros((10, 24, 3)))
