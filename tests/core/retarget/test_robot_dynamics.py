"""Inverse dynamics against statics and MuJoCo's own, and the simulated robot as a sink of commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np
import pytest

from physhmr.errors import RobotError, ShapeError
from physhmr.retarget.human import HumanFrame
from physhmr.retarget.inverse_dynamics import SMOOTHING, InverseDynamics
from physhmr.retarget.proportions import Proportions
from physhmr.retarget.retargeter import Retargeter
from physhmr.retarget.robot import Robot
from physhmr.retarget.robot_sim import RobotSim
from physhmr.retarget.target import RobotTarget

Motion = Callable[[str, float], list[HumanFrame]]
STANDS = np.ones((2, 4), bool)


def standing(robot: Robot, stamp: int = 0) -> RobotTarget:
    return RobotTarget(stamp, robot.stand, np.zeros(robot.model.nv), STANDS)


def test_who_stands_needs_no_force_from_nowhere(stick: Robot) -> None:
    effort = InverseDynamics(stick)(standing(stick))
    assert effort.unsupported == pytest.approx(0.0, abs=1e-6)
    assert not effort.exceeded.any()


def test_in_the_air_the_weight_is_unsupported(stick: Robot) -> None:
    air = replace(standing(stick), pinned=np.zeros((2, 4), bool))
    weight = 9.81 * stick.model.body_mass.sum()
    assert InverseDynamics(stick)(air).unsupported == pytest.approx(weight, rel=1e-3)


def test_a_stretched_arm_carries_its_weight(stick: Robot) -> None:
    q = stick.stand.copy()
    shoulder = stick.joint_names.index("left_shoulder_pitch")
    q[7 + shoulder] = -np.pi / 2
    effort = InverseDynamics(stick)(replace(standing(stick), q=q))
    # Upper arm 1 kg at 0.105 m, forearm 0.7 kg at 0.2 + 0.105 m; raising is negative.
    assert effort.torque[shoulder] == pytest.approx(-9.81 * (0.105 + 0.7 * 0.305), rel=0.02)


def test_torques_are_those_that_make_the_motion(stick: Robot) -> None:
    """MuJoCo's inverse dynamics of the free robot says the same."""
    inverse, dt, rng = InverseDynamics(stick), 1e-3, np.random.default_rng(0)
    air = np.zeros((2, 4), bool)
    velocity = 0.1 * rng.normal(size=stick.model.nv)
    inverse(RobotTarget(0, stick.stand, np.zeros(stick.model.nv), air))
    effort = inverse(RobotTarget(round(dt * 1e9), stick.stand, velocity, air))
    state = mujoco.MjData(stick.model)
    state.qpos[:], state.qvel[:] = stick.stand, velocity
    state.qacc[:] = SMOOTHING * velocity / dt
    mujoco.mj_inverse(stick.model, state)
    np.testing.assert_allclose(state.qfrc_inverse[6:], effort.torque, atol=1e-6)


def test_more_than_a_joint_has_is_told(stick: Robot) -> None:
    inverse = InverseDynamics(stick)
    rush = np.zeros(stick.model.nv)
    elbow = stick.joint_names.index("left_elbow")
    rush[6 + elbow] = 500.0
    inverse(standing(stick))
    assert inverse(replace(standing(stick, 10**7), qvel=rush)).exceeded[elbow]
    inverse.reset()
    assert not inverse(standing(stick)).exceeded.any()


def test_the_stance_is_held(stick: Robot) -> None:
    sim = RobotSim(stick, balance=True)
    for _ in range(60):
        sim.step(stick.stand[7:], 1 / 30)
    assert not sim.fallen and sim.falls == 0
    assert sim.q[2] == pytest.approx(stick.stand[2], abs=0.02)


def test_upper_body_mode_is_stable(stick: Robot, person: Proportions, motion: Motion) -> None:
    retargeter, sim = Retargeter(stick, person, upper_body=True), RobotSim(stick, balance=True)
    errors = [sim.step(retargeter.step(human).joints, 1 / 30) for human in motion("gesture", 6.0)]
    assert sim.falls == 0
    assert np.median(errors) < 0.15


def test_falls_are_counted_once(stick: Robot) -> None:
    sim, q = RobotSim(stick), stick.stand.copy()
    q[3:7] = (np.cos(0.4), 0.0, np.sin(0.4), 0.0)
    sim.reset(q)
    for _ in range(60):
        sim.step(stick.stand[7:], 1 / 30)
    assert sim.fallen and sim.falls == 1
    sim.reset()
    assert not sim.fallen


def test_commands_of_another_robot_are_refused(stick: Robot) -> None:
    with pytest.raises(ShapeError):
        RobotSim(stick).step(np.zeros(3), 0.02)


def test_motors_without_gains_are_refused(g1: Robot) -> None:
    from physhmr.retarget.robot_cfg import load_robot_cfg

    h1 = Robot(replace(load_robot_cfg("unitree_h1"), gains={"*_knee": (100.0, 5.0)}))
    with pytest.raises(RobotError, match="left_hip_yaw"):
        RobotSim(h1)


def test_a_robot_bolted_to_the_world_without_actuators_is_simulated(stick: Robot, tmp_path: Path) -> None:
    """As a URDF is: no free joint, no motors."""
    spec = mujoco.MjSpec.from_file(str(stick.cfg.model_path))
    for actuator in list(spec.actuators):
        spec.delete(actuator)
    for joint in [joint for joint in spec.joints if joint.type == mujoco.mjtJoint.mjJNT_FREE]:
        spec.delete(joint)
    (tmp_path / "bolted.xml").write_text(spec.to_xml())
    cfg = replace(stick.cfg, model="bolted.xml", folder=tmp_path, gains={}, torque={"*": 120.0})
    with pytest.raises(RobotError, match="needs gains"):
        RobotSim(Robot(cfg))
    robot = Robot(replace(cfg, gains={"*": (300.0, 15.0)}))
    assert robot.joint_names == stick.joint_names
    sim = RobotSim(robot, balance=True)
    for _ in range(30):
        sim.step(robot.stand[7:], 1 / 30)
    assert sim.falls == 0 and np.abs(sim.joints - robot.stand[7:]).max() < 0.1
