"""What is written can be read again, by the same robot; a guessed robot is the one that was described by hand."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from physhmr.cli import main
from physhmr.errors import MotionFileError, RobotError, ShapeError
from physhmr.retarget.human import HumanFrame
from physhmr.retarget.proportions import Proportions
from physhmr.retarget.retargeter import Retargeter
from physhmr.retarget.robot import Robot, load_robot
from physhmr.retarget.robot_guess import guess_robot
from physhmr.retarget.robot_motion import RobotMotion, load_robot_motion, robot_motion, save_robot_motion

ROBOTS = Path(__file__).parents[2] / "data" / "robots"


@pytest.fixture
def recorded(stick: Robot, person: Proportions, motion: Callable[[str, float], list[HumanFrame]]) -> RobotMotion:
    retargeter = Retargeter(stick, person)
    return robot_motion(stick, [retargeter.step(human) for human in motion("walk", 0.5)])


def test_a_recording_comes_back_as_it_was(stick: Robot, recorded: RobotMotion, tmp_path: Path) -> None:
    save_robot_motion(tmp_path / "a" / "walk.npz", recorded)
    again = load_robot_motion(tmp_path / "a" / "walk.npz", stick)
    assert (again.robot, again.joint_names) == (recorded.robot, recorded.joint_names)
    for name in ("stamp_ns", "q", "qvel", "pinned", "feasible"):
        np.testing.assert_array_equal(getattr(again, name), getattr(recorded, name))
    np.testing.assert_array_equal([t.q for t in again.targets()], recorded.q)


def test_a_table_names_its_columns(recorded: RobotMotion, tmp_path: Path) -> None:
    save_robot_motion(tmp_path / "walk.csv", recorded)
    head, *rows = csv.reader((tmp_path / "walk.csv").open())
    assert head[0] == "seconds" and tuple(head[8:]) == recorded.joint_names
    np.testing.assert_allclose(np.array(rows, float)[:, 1:], recorded.q, atol=1e-7)


def test_what_is_not_a_recording_of_this_robot_is_refused(stick: Robot, recorded: RobotMotion, tmp_path: Path) -> None:
    path = tmp_path / "walk.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(MotionFileError, match="not a recorded"):
        load_robot_motion(path, stick)
    save_robot_motion(path, replace(recorded, joint_names=tuple(reversed(recorded.joint_names))))
    with pytest.raises(MotionFileError, match="Stick"):
        load_robot_motion(path, stick)
    with pytest.raises(MotionFileError, match=r"\.csv"):
        save_robot_motion(tmp_path / "walk.txt", recorded)
    with pytest.raises(MotionFileError):
        robot_motion(stick, [])
    with pytest.raises(ShapeError):
        replace(recorded, q=recorded.q[:-1])
    with pytest.raises(MotionFileError, match="increase"):
        replace(recorded, stamp_ns=recorded.stamp_ns[::-1])


def test_the_guess_is_what_was_described_by_hand() -> None:
    by_hand = yaml.safe_load((ROBOTS / "stick.yaml").read_text())["links"]
    guessed = yaml.safe_load(guess_robot(ROBOTS / "stick.xml"))["links"]
    assert guessed.keys() == by_hand.keys()
    for role, link in by_hand.items():
        if role.endswith("hand"):
            assert guessed[role]["link"] == link["link"]
            np.testing.assert_allclose(guessed[role]["point"], link["point"], atol=0.05)
        else:
            assert guessed[role] == link


def test_geometry_decides_where_names_say_nothing(tmp_path: Path) -> None:
    text = (ROBOTS / "stick.xml").read_text()
    for number, name in enumerate(
        ("thigh", "shank", "sole", "upper_arm", "forearm", "hip", "knee", "shoulder", "elbow")
    ):
        text = text.replace(name, f"part{number}")
    path = tmp_path / "nameless.xml"
    path.write_text(text)
    links = yaml.safe_load(guess_robot(path))["links"]
    assert [links[f"left_{part}"] for part in ("hip", "knee", "foot")] == ["left_part0", "left_part1", "left_part2"]
    assert [links[f"right_{part}"] for part in ("shoulder", "elbow")] == ["right_part3", "right_part4"]


def test_a_model_without_legs_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ball.xml"
    path.write_text('<mujoco><worldbody><body><freejoint/><geom size="1"/></body></worldbody></mujoco>')
    with pytest.raises(RobotError, match="no leg"):
        guess_robot(path)


def test_a_new_robot_can_be_driven_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = tmp_path / "new.yaml"
    assert main(["robot", "new", str(ROBOTS / "stick.xml"), "--out", str(made), "--name", "Newcomer"]) == 0
    assert load_robot(made).cfg.name == "Newcomer"
    assert made.with_suffix(".png").stat().st_size > 1000
    assert main(["robot", "new", str(ROBOTS / "stick.xml"), "--out", str(made)]) == 2
    assert "exists" in capsys.readouterr().err
    assert main(["robot", "list"]) == 0
    assert "unitree_g1" in capsys.readouterr().out


def test_the_command_retargets_records_and_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--robot", str(ROBOTS / "stick.yaml"), "--out", str(tmp_path), "--csv", "--simulate", "--upper-body"]
    assert main(["retarget", "gesture", *options]) == 0
    told = capsys.readouterr().out
    assert "never fell" in told
    assert len(list(tmp_path.glob("*.npz"))) == len(list(tmp_path.glob("*.csv"))) == 1
    assert main(["retarget", "gesturing", *options]) == 2
    assert "gesture" in capsys.readouterr().err
