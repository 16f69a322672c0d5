"""Robots as files: what is wrong is said, with what would be right; what is derived from the model holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
import yaml

from physhmr.body.skeleton import BODY_INDEX
from physhmr.errors import RobotError, UnknownNameError
from physhmr.retarget.human import HumanFrame
from physhmr.retarget.proportions import Proportions
from physhmr.retarget.retargeter import Retargeter
from physhmr.retarget.robot import Robot, compile_model, load_robot
from physhmr.retarget.robot_cfg import load_robot_cfg, parse_robot, robot_names
from physhmr.retarget.roles import HUMAN_BODY, ROLES

STICK = Path(__file__).parents[2] / "data" / "robots" / "stick.yaml"


def content(**changes: Any) -> dict[str, Any]:
    return {**yaml.safe_load(STICK.read_text()), **changes}


def made(**changes: Any) -> Robot:
    return Robot(parse_robot(content(**changes), STICK.parent))


def links(**changes: Any) -> dict[str, Any]:
    return {**content()["links"], **changes}


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"links": links(tail="base")}, UnknownNameError, "left_hand"),
        ({"links": links(pelvis="hip_of_nobody")}, UnknownNameError, "base, chest"),
        ({"links": links(pelvis={"link": "base", "weight": 2})}, UnknownNameError, "position"),
        ({"links": links(pelvis={"link": "base", "position": -1})}, RobotError, "negative"),
        ({"links": links(pelvis={"link": "base", "point": [0, 1]})}, RobotError, "3"),
        ({"links": links(left_hand={"link": "left_forearm", "thumb": [1, 0, 0]})}, RobotError, "fingers"),
        ({"links": {k: v for k, v in links().items() if k != "left_knee"}}, RobotError, "left_knee"),
        ({"links": {k: v for k, v in links().items() if k != "left_elbow"}}, RobotError, "arm needs all"),
        ({"velocity": {"left_tail": 1.0}}, UnknownNameError, "waist_yaw"),
        ({"velocity": {"*": "fast"}}, RobotError, "number"),
        ({"velocity": {"*": -1.0}}, RobotError, "positive"),
        ({"limits": {"waist_yaw": [1.0, -1.0]}}, RobotError, "waist_yaw"),
        ({"stand": "handstand"}, UnknownNameError, "keyframe"),
        ({"scale": {"legs": 9.0}}, RobotError, "0.2"),
        ({"model": "absent.xml"}, RobotError, "absent.xml"),
        ({"package": "package_of_nobody"}, RobotError, "pip install package-of-nobody"),
        ({"ignore": [["base", "tail"]]}, UnknownNameError, "chest"),
        ({"colour": "red"}, UnknownNameError, "links"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_what_would(changes: Any, error: type[Exception], says: str) -> None:
    from physhmr.retarget.collision import SelfCollision

    with pytest.raises(error, match=says):
        SelfCollision(made(**changes))


def test_an_unknown_robot_lists_the_known_ones() -> None:
    assert "unitree_g1" in robot_names()
    with pytest.raises(UnknownNameError, match="unitree_g1"):
        load_robot_cfg("unitree_g2")


def test_a_file_that_is_no_robot_is_refused(tmp_path: Path) -> None:
    for text in ("[1, 2]", "links: 3", "{", "name: x\nmodel: y\nlinks: {pelvis: 3}"):
        (tmp_path / "bad.yaml").write_text(text)
        with pytest.raises((RobotError, UnknownNameError)):
            load_robot_cfg(tmp_path / "bad.yaml")


def test_every_role_has_a_body_of_the_humanoid() -> None:
    assert set(HUMAN_BODY) == set(ROLES)
    assert set(HUMAN_BODY.values()) <= set(BODY_INDEX)


def test_the_robot_stands_with_flat_soles_on_the_floor(stick: Robot) -> None:
    placed = stick.placed(stick.stand)
    for corners, role in zip(stick.soles, ("left_foot", "right_foot"), strict=True):
        body = stick.body[role]
        world = placed.xpos[body] + corners @ placed.xmat[body].reshape(3, 3).T
        np.testing.assert_allclose(world[:, 2], 0.0, atol=1e-9)
        assert world[:2, 0].max() < world[2:, 0].min(), "heel before toe"
        assert world[[0, 2], 1].min() > world[[1, 3], 1].max(), "left before right"


def test_proportions_are_those_of_the_model(stick: Robot) -> None:
    own = stick.proportions
    assert (own.thigh, own.shank, own.upper_arm, own.forearm) == pytest.approx((0.3, 0.3, 0.2, 0.2))
    assert own.hip_width == pytest.approx(0.18)
    assert own.ankle_height == pytest.approx(0.05)


def test_later_patterns_win_and_files_override_the_model() -> None:
    robot = made(velocity={"*": 5.0, "*_knee": 7.0}, limits={"waist_yaw": [-0.2, 0.3]}, torque={"*ankle*": 33.0})
    knees = [i for i, name in enumerate(robot.joint_names) if name.endswith("knee")]
    assert set(robot.velocity[knees]) == {7.0}
    assert set(np.delete(robot.velocity, knees)) == {5.0}
    np.testing.assert_allclose(robot.ranges[robot.joint_names.index("waist_yaw")], (-0.2, 0.3))
    assert sorted(set(robot.torque)) == [33.0, 120.0]


def test_legs_and_upper_body_share_the_joints_out(stick: Robot) -> None:
    names = [stick.joint_names[i] for i in stick.upper_joints]
    assert all("hip" not in name and "knee" not in name and "ankle" not in name for name in names)
    assert sorted(stick.leg_joints + stick.upper_joints) == list(range(stick.num_joints))


def test_elbows_flex_towards_their_wider_side(stick: Robot) -> None:
    for joint, sign in stick.elbow.values():
        assert stick.model.joint(joint).name.endswith("elbow")
        assert sign == -1.0


URDF = """<robot name="two"><link name="base"><inertial><mass value="1"/><origin xyz="0 0 0"/>
<inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial></link>
<link name="arm"><inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial></link>
<joint name="hinge" type="revolute"><parent link="base"/><child link="arm"/><axis xyz="0 0 1"/>
<limit lower="-1" upper="1" effort="3" velocity="2"/></joint></robot>"""


def test_a_urdf_gets_a_free_root(tmp_path: Path) -> None:
    path = tmp_path / "two.urdf"
    path.write_text(
        URDF.replace('<robot name="two">', '<robot name="two"><mujoco><compiler fusestatic="false"/></mujoco>')
    )
    model = compile_model(path)
    assert model.jnt_type[0] == mujoco.mjtJoint.mjJNT_FREE
    assert model.nq == 8


def test_the_g1_has_its_29_joints_and_limits(g1: Robot) -> None:
    assert g1.num_joints == 29
    assert g1.torque[g1.joint_names.index("left_knee_joint")] == 139.0
    assert g1.proportions.leg == pytest.approx(0.62, abs=0.01)
    assert load_robot("unitree_g1").joint_names == g1.joint_names


@pytest.mark.slow
@pytest.mark.parametrize("name", robot_names())
def test_every_shipped_robot_follows_a_walk(
    g1: Robot, person: Proportions, motion: Callable[[str, float], list[HumanFrame]], name: str
) -> None:
    """`g1` skips where the models are not installed."""
    robot = load_robot(name)
    retargeter = Retargeter(robot, person)
    heights = []
    for human in motion("walk", 3.0):
        target = retargeter.step(human)
        assert (target.joints >= robot.ranges[:, 0]).all() and (target.joints <= robot.ranges[:, 1]).all()
        assert retargeter.collision.smallest(robot.placed(target.q)) > 0
        heights.append(target.q[2])
    assert min(heights) > 0.75 * robot.stand[2]
