"""One policy node and the perception of several cameras: joined, told apart, and back again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import rclpy
from fake_chain import FakeControl
from graph import Graph, wait_for
from rclpy.signals import SignalHandlerOptions

from physhmr.types import NUM_KEYPOINTS, Array, Estimate, RayBundle
from physhmr_msgs.msg import RayBundle as RayBundleMessage
from physhmr_ros import qos
from physhmr_ros.conversions import rays as ray_messages
from physhmr_ros.nodes.policy_node import PolicyNode

pytestmark = pytest.mark.ros
START = 1_700_000_000 * 10**9
BODY = np.random.default_rng(0).uniform((-0.3, -0.3, 0.0), (0.3, 0.3, 1.7), (NUM_KEYPOINTS, 3))
PLACES = {"a": np.array([-3.0, 1.5, 1.4]), "robot/b": np.array([-1.0, -3.0, 0.9])}


class Control(FakeControl):
    """Remembers the rays."""

    def step(self, stamp_ns: int, rays: RayBundle | None, ahead_ns: int = 0) -> Estimate:
        self.shown = [*getattr(self, "shown", []), rays]
        return super().step(stamp_ns, rays, ahead_ns)


def seen(camera: str, stamp_ns: int, place_w: Array) -> RayBundle:
    direction = BODY + place_w - PLACES[camera]
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    origin_w = np.tile(PLACES[camera], (NUM_KEYPOINTS, 1))
    return RayBundle(stamp_ns, origin_w, direction, np.full(NUM_KEYPOINTS, 0.9), BODY - BODY.mean(0))


@pytest.fixture
def policy() -> Iterator[Callable[..., tuple[PolicyNode, Control]]]:
    """Make a policy node for two cameras."""

    def make(**values: str) -> tuple[PolicyNode, Control]:
        given = {"cameras": "'a robot/b'", **values}
        options = [part for name, value in given.items() for part in ("-p", f"{name}:={value}")]
        rclpy.init(args=["--ros-args", *options], signal_handler_options=SignalHandlerOptions.NO)
        control = Control()
        return PolicyNode(lambda config: control), control

    yield make
    rclpy.try_shutdown()


def test_two_cameras_move_one_humanoid_and_one_that_disagrees_is_a_warning(
    policy: Callable[..., tuple[PolicyNode, Control]], capfd: pytest.CaptureFixture[str]
) -> None:
    node, control = policy()
    with Graph([]) as graph:
        graph.nodes.append(node)
        graph.do(lambda: (node.trigger_configure(), node.trigger_activate(), graph._executor.add_node(node)))
        publishers = {
            name: graph._own.create_publisher(RayBundleMessage, f"{name}/rays", qos.STREAM) for name in PLACES
        }
        wait_for(lambda: all(one.get_subscription_count() for one in publishers.values()))
        stamp = [START]

        def show_until(condition: Callable[[], object], apart: Array) -> None:
            def shown() -> bool:
                stamp[0] += 33_333_333
                for name, place_w in (("robot/b", apart), ("a", np.zeros(3))):
                    rays = seen(name, stamp[0], place_w)
                    publishers[name].publish(ray_messages.to_message(stamp[0], rays, "odom"))
                time.sleep(0.03)
                return bool(condition())

            wait_for(shown)

        show_until(lambda: [rays for rays in getattr(control, "shown", []) if rays and rays.others], np.zeros(3))
        joined = next(rays for rays in control.shown if rays and rays.others)
        assert {tuple(one.origin_w[0]) for one in (joined, *joined.others)} == set(map(tuple, PLACES.values()))
        assert abs(joined.others[0].stamp_ns - joined.stamp_ns) < 0.2e9, "each keeps its own"
        graph.heard["/diagnostics"].clear()
        show_until(
            lambda: "disagrees" in graph.report("policy: humanoid").get("message", ""), np.array([1.5, 0.7, 0.0])
        )
        assert "do not meet those of" in capfd.readouterr().err
        findings = {graph.report("policy: humanoid").get(f"camera {name}") for name in PLACES}
        assert findings == {"leads", "disagrees"}
        show_until(lambda: "disagrees" not in graph.report("policy: humanoid").get("message", ""), np.zeros(3))
        assert graph.report("policy: humanoid")["refused rays"] == "0"


@pytest.mark.parametrize("values", [{"clock": "frame"}, {"lifting": "solver", "policy": "two_stage"}])
def test_what_several_cameras_cannot_do_is_refused(
    policy: Callable[..., tuple[PolicyNode, Control]], values: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    node, _ = policy(**values)
    assert node.trigger_configure().name == "FAILURE"
    assert "needs perception in other processes, clock timer and lifting encoder" in capfd.readouterr().err
    node.destroy_node()
