"""Late images: the node measures how late, and what it tells is carried forward and stamped so, if that is wanted."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
import rclpy
from fake_chain import FakeControl, rays
from graph import Graph, wait_for

from physhmr_ros.conversions import rays as ray_messages
from physhmr_ros.diagnostics import Level
from physhmr_ros.nodes.policy_node import PolicyNode

pytestmark = [pytest.mark.ros, pytest.mark.usefixtures("ros")]
NAME = "policy: humanoid"


def policy(*parameters: str) -> tuple[Graph, list[FakeControl]]:
    """The node with `parameters`, and where its stand-in pipeline will be."""
    rclpy.try_shutdown()
    rclpy.init(args=["--ros-args", *(word for one in parameters for word in ("-p", f"policy:{one}"))])
    made: list[FakeControl] = []

    def make(config: object) -> FakeControl:
        made.append(FakeControl())
        return made[-1]

    return Graph([PolicyNode(make)]), made


def show(graph: Graph, late_s: float, seconds: float) -> None:
    for _ in range(round(30 * seconds)):
        stamp = time.time_ns() - round(1e9 * late_s)
        graph.rays.publish(ray_messages.to_message(stamp, rays(stamp), "odom"))
        time.sleep(1 / 30)


def test_what_is_told_of_late_images_is_stamped_with_the_time_it_is_predicted_for() -> None:
    graph, made = policy("predict:=0.3")
    with graph:
        show(graph, 0.15, 1.0)
        show(graph, 0.05, 1.0)
        wait_for(lambda: len(graph.stamps()) > 30)
        ahead, stamps = made[0].ahead, graph.stamps()
        # A busy machine adds to the delay, nothing takes from it.
        assert ahead[0] >= 150_000_000
        assert min(ahead[20:]) < max(ahead[:20]) <= 300_000_000
        assert all(b > a for a, b in pairwise(stamps))
        told = {stamp + by for (stamp, _), by in zip(made[0].seen, ahead, strict=False)}
        assert told >= set(stamps)
        wait_for(lambda: float(graph.report(NAME).get("predicted_ms", 0.0)) > 0.0)


def test_a_delay_beyond_the_bound_is_a_warning() -> None:
    graph, made = policy("predict:=0.1")
    with graph:
        show(graph, 0.25, 2.5)
        wait_for(lambda: "ms late, 100 of them are predicted" in graph.report(NAME)["message"])
        assert float(graph.report(NAME)["delay_ms"]) >= 250.0
        told = [status for array in graph.heard["/diagnostics"] for status in array.status if status.name == NAME]
        assert {status.level for status in told if "ms late" in status.message} == {bytes([Level.WARN])}
        assert max(made[0].ahead) == 100_000_000


@pytest.mark.parametrize(("wanted", "late_s"), [("0.0", 0.2), ("0.3", 1e6)])
def test_nothing_is_carried_forward_unless_it_is_wanted_and_the_delay_is_known(wanted: str, late_s: float) -> None:
    graph, made = policy(f"predict:={wanted}")
    with graph:
        show(graph, late_s, 1.5)
        wait_for(lambda: "delay_ms" in graph.report(NAME) and made[0].steps > 10)
        assert set(made[0].ahead) == {0}
        assert (graph.report(NAME)["delay_ms"] == "unknown") == (late_s > 1.0)
        assert ("another time" in graph.report(NAME)["message"]) == (late_s > 1.0)
