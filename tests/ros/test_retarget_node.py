"""The retarget node on the graph: disarmed, enabled, moving, stopped; and its messages."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
from fake_chain import estimate, humanoid
from graph import Graph, wait_for
from nav_msgs.msg import Odometry
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, String
from std_srvs.srv import SetBool
from trajectory_msgs.msg import JointTrajectory

from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.skeleton import Skeleton
from physhmr.errors import NonFiniteError, PhyshmrError
from physhmr.retarget.safety_gate import Command, Mode, Stop
from physhmr.types import Contact, HumanoidState, Status
from physhmr_msgs.msg import FootContacts, HumanState
from physhmr_ros import qos
from physhmr_ros.conversions import humanoid as humanoid_messages
from physhmr_ros.conversions import robots
from physhmr_ros.nodes.retarget_node import RetargetNode

STICK = Path(__file__).parents[1] / "data" / "robots" / "stick.yaml"
START = 1_700_000_000 * 10**9


@pytest.fixture
def node(context: Any) -> RetargetNode:
    return RetargetNode()


@pytest.fixture
def context() -> Any:
    options = {"robot": str(STICK), "simulate": "true", "stale_after": "3.0", "dead_man_after": "2.0"}
    rclpy.init(args=["--ros-args", *(part for k, v in options.items() for part in ("-p", f"{k}:={v}"))])
    yield
    rclpy.try_shutdown()


class Operator:
    """A humanoid that stands and waves, a switch, and a hand on the enable service."""

    def __init__(self, graph: Graph) -> None:
        own = graph._own
        self._publishers = {
            topic: own.create_publisher(kind, topic, qos.STREAM)
            for topic, kind in {
                "human/joint_states": JointState, "human/odom": Odometry, "human/contacts": FootContacts,
                "human/state": HumanState, "dead_man": Bool,
            }.items()
        }  # fmt: skip
        self._client = graph.do(lambda: own.create_client(SetBool, "retarget/enable"))
        self._stamp = START
        assert self._client.wait_for_service(5.0)

    def play(self, seconds: float, pressed: bool = True, status: Status = Status.TRACKING) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._stamp += 33_333_333
            state = humanoid(self._stamp)
            state.qpos[:] = standing_qpos(Skeleton())
            messages = {
                "human/joint_states": humanoid_messages.joint_state(state),
                "human/odom": humanoid_messages.odometry(state, "odom", "pelvis"),
                "human/contacts": humanoid_messages.foot_contacts(state, "odom"),
                "human/state": humanoid_messages.human_state(estimate(state, status), 0.0, "odom"),
                "dead_man": Bool(data=pressed),
            }
            for topic, message in messages.items():
                self._publishers[topic].publish(message)
            time.sleep(1 / 30)

    def enable(self, wanted: bool = True) -> SetBool.Response:
        future = self._client.call_async(SetBool.Request(data=wanted))
        wait_for(future.done)
        return future.result()


def test_nothing_moves_until_somebody_enables_and_all_stops_when_asked(node: RetargetNode) -> None:
    graph = Graph([])
    graph.nodes.append(node)
    graph._executor.add_node(node)
    graph.listen(JointState, "joint_targets")
    graph.listen(JointTrajectory, "joint_trajectory")
    graph.listen(String, "retarget/state", qos.LATCHED)
    graph.listen(String, "retarget/torque_exceeded", qos.LATCHED)
    node.trigger_configure()
    node.trigger_activate()
    graph._thread.start()
    try:
        operator = Operator(graph)
        refused = operator.enable()
        assert not refused.success and "not enabled" in refused.message
        operator.play(1.0)
        assert not graph.heard["joint_targets"]
        answer = operator.enable()
        assert answer.success, answer.message
        operator.play(2.0)
        targets = graph.heard["joint_targets"]
        assert targets and set(targets[-1].name) == {node._robot.joint_names[j] for j in node._robot.upper_joints}
        trajectory = graph.heard["joint_trajectory"][-1]
        assert trajectory.joint_names == targets[-1].name and not any(trajectory.points[-1].velocities)
        assert graph.heard["retarget/torque_exceeded"][0].data == ""
        node._robot.torque[:] = 1e-6  # A robot without strength.
        operator.play(0.5)
        weak = graph.heard["retarget/torque_exceeded"][-1].data.split(", ")
        assert weak != [""] and set(weak) <= set(targets[-1].name)
        assert node.reports()[0].values[f"frames over torque: {weak[0]}"] > 0
        operator.play(0.5, pressed=False)
        wait_for(lambda: any("released" in m.data for m in graph.heard["retarget/state"]))
        assert not np.any(graph.heard["joint_targets"][-1].velocity)
        assert node.reports()[0].values["simulated falls"] == 0
    finally:
        graph.__exit__()


def test_a_human_is_joined_from_its_messages() -> None:
    state = humanoid(START)
    state.qpos[:] = standing_qpos(Skeleton())
    pushed = HumanoidState(
        START, state.qpos, state.qvel, state.body_pos_w, state.body_quat_w, state.torque,
        tuple(Contact(body, np.array([0, 0, f]), np.zeros(3)) for body, f in (("L_Ankle", 300.0), ("R_Toe", 2.0))),
    )  # fmt: skip
    human = robots.human_frame(
        humanoid_messages.odometry(pushed, "odom", "pelvis"), humanoid_messages.joint_state(pushed),
        humanoid_messages.foot_contacts(pushed, "odom"), Skeleton(),
    )  # fmt: skip
    assert human.stamp_ns == START
    np.testing.assert_allclose(human.pos_w[0], state.qpos[:3])
    assert human.contact.tolist() == [[True, False], [False, False]]


def test_a_trajectory_ends_at_rest_where_braking_would() -> None:
    braking = np.array([[0.28, -0.05], [0.30, -0.05], [0.30, -0.05]])
    command = Command(np.array([0.25, -0.05]), np.array([4.0, 0.0]), Mode.ACTIVE, Stop.NONE, braking)
    trajectory = robots.joint_trajectory(["a", "b"], command, 0.01)
    assert list(trajectory.joint_names) == ["a", "b"]
    np.testing.assert_allclose([p.positions for p in trajectory.points], [command.position, *braking])
    np.testing.assert_allclose([p.velocities for p in trajectory.points], [[4, 0], [3, 0], [2, 0], [0, 0]], atol=1e-9)
    assert not any(trajectory.points[-1].velocities)
    times = [p.time_from_start.sec + 1e-9 * p.time_from_start.nanosec for p in trajectory.points]
    np.testing.assert_allclose(times, [0.01, 0.02, 0.03, 0.04])
    held = Command(np.zeros(1), np.zeros(1), Mode.HOLDING, Stop.LOST, np.zeros((0, 1)))
    assert len(robots.joint_trajectory(["a"], held, 0.01).points) == 1


def test_joints_are_taken_by_name() -> None:
    message = JointState(name=["b", "a", "c"], position=[2.0, 1.0, 3.0])
    assert robots.present_joints(message, ["a", "b"]).tolist() == [1.0, 2.0]
    with pytest.raises(PhyshmrError, match="lack d"):
        robots.present_joints(message, ["a", "d"])
    with pytest.raises(NonFiniteError):
        robots.present_joints(JointState(name=["a"], position=[float("nan")]), ["a"])


def test_the_nodes_own_services_stay_when_enable_comes_and_goes(node: RetargetNode) -> None:
    before = {service.srv_name for service in node.services}
    assert "retarget/get_parameters" in before
    for _ in range(2):
        node.trigger_configure()
        assert {service.srv_name for service in node.services} == before | {"retarget/enable"}
        node.trigger_cleanup()
        assert {service.srv_name for service in node.services} == before
    node.trigger_shutdown()
    node.destroy_node()
