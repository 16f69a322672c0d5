"""A robot that stands for a human asks a robot of its own kind for exactly what it does itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from physhmr.cli import main
from physhmr.errors import RobotError
from physhmr.retarget.goals import GoalMaker
from physhmr.retarget.human import HumanFrame
from physhmr.retarget.proportions import Proportions
from physhmr.retarget.retargeter import Retargeter
from physhmr.retarget.robot import Robot
from physhmr.retarget.robot_as_human import robot_as_human
from physhmr.retarget.target import RobotTarget

STICK = Path(__file__).parents[2] / "data" / "robots" / "stick.yaml"
Motion = Callable[[str, float], list[HumanFrame]]


@pytest.fixture(scope="module")
def walked(stick: Robot, person: Proportions, motion: Motion) -> list[RobotTarget]:
    retargeter = Retargeter(stick, person)
    return [retargeter.step(human) for human in motion("walk", 2.0)]


def test_its_goals_are_where_the_robot_is(stick: Robot, walked: list[RobotTarget]) -> None:
    make = GoalMaker(stick, stick.proportions)
    for target in walked[::10]:
        goals, placed = make(robot_as_human(stick, target, stick)), stick.placed(target.q)
        at = {role: stick.points(placed, role) for role in stick.body}
        for side in ("left", "right"):
            np.testing.assert_allclose(goals.points[f"{side}_foot"], at[f"{side}_foot"], atol=2e-3)
            hand = at[f"{side}_hand"] - at[f"{side}_shoulder"]
            np.testing.assert_allclose(goals.points[f"{side}_hand"], hand, atol=1e-6)
        for role, wanted in goals.rotations.items():
            np.testing.assert_allclose(wanted, placed.xmat[stick.body[role]].reshape(3, 3), atol=1e-9)
        for role, (joint, sign) in stick.elbow.items():
            assert goals.axes[role] @ (sign * placed.xaxis[joint]) > 0.99


def test_a_robot_that_follows_itself_does_the_same(stick: Robot, walked: list[RobotTarget]) -> None:
    retargeter = Retargeter(stick, stick.proportions)
    again = [retargeter.step(robot_as_human(stick, target, stick)) for target in walked]
    apart = np.array([a.q[:3] - b.q[:3] for a, b in zip(again, walked, strict=True)])
    assert np.linalg.norm(apart, axis=1)[10:].max() < 0.05
    joints = np.abs([a.joints - b.joints for a, b in zip(again, walked, strict=True)])
    assert np.median(joints[10:]) < 0.05


def test_contacts_are_the_pinned_corners(stick: Robot, walked: list[RobotTarget]) -> None:
    pinned = np.array([[True, True, False, False], [False, False, True, True]])
    human = robot_as_human(stick, replace(walked[0], pinned=pinned), stick)
    assert human.contact.tolist() == [[True, False], [False, True]]


def test_arms_cannot_follow_a_robot_without(stick: Robot, walked: list[RobotTarget]) -> None:
    arms = ("shoulder", "elbow", "hand")
    legs = {role: link for role, link in stick.cfg.links.items() if not role.endswith(arms)}
    bare = Robot(replace(stick.cfg, links=legs))
    with pytest.raises(RobotError, match="no arms"):
        robot_as_human(bare, walked[0], stick)
    assert np.isfinite(robot_as_human(bare, walked[0], bare).pos_w).all()


def test_the_command_replays_a_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    robot = ["--robot", str(STICK), "--out", str(tmp_path)]
    assert main(["retarget", "squat", *robot]) == 0
    (recorded,) = tmp_path.glob("*.npz")
    assert main(["retarget", str(recorded), "--recorded-on", str(STICK), *robot, "--picture"]) == 0
    assert len(list(tmp_path.glob("*_onto_stick.npz"))) == len(list(tmp_path.glob("*_onto_stick.jpg"))) == 1
    assert main(["retarget", "squat", "--recorded-on", str(STICK), *robot]) == 2
    assert ".npz" in capsys.readouterr().err
