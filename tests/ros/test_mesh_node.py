"""The mesh of a body model beside the chain: drawn for those who look, and a Marker like any other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import rclpy
from fake_chain import FakeControl, FakeMesh, FakePerception
from graph import Graph, wait_for
from rclpy.serialization import deserialize_message
from rclpy.signals import SignalHandlerOptions
from visualization_msgs.msg import Marker

from physhmr.body.smpl_parameters import SmplParameters
from physhmr_msgs.msg import SmplParameters as SmplMessage
from physhmr_ros import qos
from physhmr_ros.conversions import smpl
from physhmr_ros.conversions.mesh import MeshMarker
from physhmr_ros.conversions.primitives import to_ns
from physhmr_ros.nodes import live
from physhmr_ros.nodes.mesh_node import MeshNode

pytestmark = pytest.mark.ros
START = 1_700_000_000 * 10**9


@pytest.fixture
def node() -> Iterator[MeshNode]:
    """With a model that nobody reads."""
    arguments = ["--ros-args", "-p", "mesh:model:=model.npz", "-p", "mesh:rate:=60.0"]
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    yield MeshNode(FakeMesh)
    rclpy.try_shutdown()


def told(x: float) -> SmplParameters:
    return SmplParameters(np.zeros(3), np.zeros(69), np.array([x, 0.0, 1.0]))


def points(marker: Marker) -> list[list[float]]:
    return [[point.x, point.y, point.z] for point in marker.points]


def test_the_humanoid_is_drawn_where_it_is_for_those_who_look(node: MeshNode) -> None:
    with Graph([*live.nodes(FakePerception, FakeControl), node]) as graph:
        stamp = graph.show_for(0.5, START)
        wait_for(lambda: graph.report("mesh: skin").get("drawn") == "0")
        graph.listen(Marker, "human/mesh", qos.SIGHT)
        for _ in range(10):
            stamp = graph.show_for(0.5, stamp)
            if graph.heard["human/mesh"]:
                break
        marker = graph.heard["human/mesh"][-1]
        assert (marker.header.frame_id, marker.type) == ("odom", Marker.TRIANGLE_LIST)
        wait_for(lambda: to_ns(marker.header.stamp) in graph.stamps())
        corners = np.array(points(marker))
        assert corners[0, 0] > 0.0 and corners[0, 1:] == pytest.approx([0.0, 0.97])
        root = corners[0]
        np.testing.assert_allclose(corners - root, np.eye(4)[[3, 0, 1, 1, 0, 2]][:, :3], atol=1e-6)


def test_what_are_no_numbers_is_not_drawn_and_the_next_pose_is(node: MeshNode) -> None:
    with Graph([*live.nodes(FakePerception, FakeControl), node]) as graph:
        graph.listen(Marker, "human/mesh", qos.SIGHT)
        publisher = graph.do(lambda: graph._own.create_publisher(SmplMessage, "human/smpl", qos.STREAM))
        wait_for(publisher.get_subscription_count)
        bad = smpl.to_message(START, told(0.0), 1.0, "odom")
        bad.body_pose = np.full(69, np.nan)

        def say(message: SmplMessage, until: Callable[[], object]) -> bool:
            publisher.publish(message)
            return bool(until())

        wait_for(lambda: say(bad, lambda: any("non-finite" in text for text in node._complained)))
        assert not graph.heard["human/mesh"]
        wait_for(lambda: say(smpl.to_message(START, told(2.0), 1.0, "map"), lambda: graph.heard["human/mesh"]))
        assert points(graph.heard["human/mesh"][-1])[0] == [2.0, 0.0, 1.0]


@pytest.mark.parametrize("frame", ["", "odom", "a_frame", "robot/odom_of_more"])
def test_a_marker_written_in_place_reads_like_one_that_was_built(frame: str) -> None:
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 9, (5, 3))
    marker = MeshMarker(faces, frame)
    for stamp_ns in (START + 7, -3):
        vertices = rng.normal(size=(9, 3)).astype(np.float32)
        read = deserialize_message(marker.fill(stamp_ns, vertices), Marker)
        assert (to_ns(read.header.stamp), read.header.frame_id) == (stamp_ns, frame)
        assert (read.type, read.action, read.scale.x, read.pose.orientation.w) == (Marker.TRIANGLE_LIST, 0, 1.0, 1.0)
        assert read.color.a == 1.0 and read.lifetime.sec == 1
        np.testing.assert_array_equal(points(read), vertices[faces.ravel()])


@pytest.mark.parametrize(
    ("model", "reason"), [("", "npz file of a body model"), ("gone.npz", r"no body model at .*gone\.npz")]
)
def test_without_a_model_the_node_refuses_to_start(
    model: str, reason: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = model and str(tmp_path / model)
    rclpy.init(args=["--ros-args", "-p", f"model:='{path}'"], signal_handler_options=SignalHandlerOptions.NO)
    node = MeshNode()
    assert node.trigger_configure().name == "FAILURE"
    node.destroy_node()
    rclpy.try_shutdown()
    assert re.search(reason, capfd.readouterr().err)
