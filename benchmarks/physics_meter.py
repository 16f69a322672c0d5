"""Microseconds that physics as data adds to a control step: the measuring, and the messages when somebody listens.

nice -n 15 python benchmarks/physics_meter.py
"""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable

from physhmr_ros import environment

environment.prepare()

import numpy as np  # noqa: E402
import rclpy  # noqa: E402
from geometry_msgs.msg import WrenchStamped  # noqa: E402

from physhmr.body.humanoid_mjcf import standing_qpos  # noqa: E402
from physhmr.body.skeleton import Skeleton  # noqa: E402
from physhmr.body.soles import on_floor  # noqa: E402
from physhmr.config import ControlConfig, PerceptionConfig  # noqa: E402
from physhmr.inference.model_files import models_dir  # noqa: E402
from physhmr.perception import PerceptionPipeline  # noqa: E402
from physhmr.pipeline import ControlPipeline  # noqa: E402
from physhmr.sim.humanoid_sim import HumanoidSim  # noqa: E402
from physhmr.types import Physics, Status  # noqa: E402
from physhmr.video import VideoConfig, VideoReader  # noqa: E402
from physhmr_msgs.msg import HumanPhysics  # noqa: E402
from physhmr_ros import qos  # noqa: E402
from physhmr_ros.conversions.physics import WRENCH_TOPICS, foot_wrench, human_physics  # noqa: E402
from physhmr_ros.diagnostics import Gauges  # noqa: E402

ROUNDS, CALLS = 40, 50


def standing() -> HumanoidSim:
    """A humanoid on both feet, every sole corner on the floor: the most contacts of any upright pose."""
    skeleton, sim = Skeleton(), HumanoidSim()
    stance = on_floor(standing_qpos(skeleton), skeleton)
    sim.reset(stance)
    for _ in range(20):
        sim.step(stance[7:])
    sim.state(0)
    return sim


def publishing(physics: Physics) -> Callable[[], None]:
    """Return what tells all three topics to one listener."""
    node = rclpy.create_node("physics_meter")
    for kind, topic in ((HumanPhysics, "human/physics"), *((WrenchStamped, topic) for topic in WRENCH_TOPICS)):
        node.create_subscription(kind, topic, lambda message: None, qos.STREAM)
    told = node.create_publisher(HumanPhysics, "human/physics", qos.STREAM)
    wrenches = [node.create_publisher(WrenchStamped, topic, qos.STREAM) for topic in WRENCH_TOPICS]

    def tell() -> None:
        told.publish(human_physics(0, physics, "odom"))
        for foot, publisher in enumerate(wrenches):
            publisher.publish(foot_wrench(0, physics, foot, "human/"))

    return tell


def measure(name: str, work: Callable[[], object]) -> None:
    """Print the best and the median round."""
    rounds = sorted(1e6 * seconds / CALLS for seconds in timeit.repeat(work, number=CALLS, repeat=ROUNDS))
    print(f"{name:24} best {rounds[0]:6.1f} us, median {rounds[ROUNDS // 2]:6.1f} us")


def walk() -> tuple[list[Physics], list[float]]:
    """Return what is measured on the walk while somebody is followed, and the CPU time that it took in us."""
    perception, control = PerceptionPipeline(PerceptionConfig()), ControlPipeline(ControlConfig(clock="frame"))
    told, took = [], []
    with VideoReader(VideoConfig(source=str(models_dir() / "clips" / "walk.mp4"))) as source:
        for frame in source:
            estimate = control.advance(frame.stamp_ns, perception.step(frame))
            begin = time.thread_time()
            physics = control.physics()
            if estimate is not None and estimate.status is not Status.SEARCHING:
                took.append(1e6 * (time.thread_time() - begin))
                told.append(physics)
    perception.close()
    return told, took


def tell_walk() -> None:
    """Print the walk's means."""
    told, took = walk()
    margins = [1e3 * one.support_margin for one in told if one.support_margin is not None]
    print(f"on the walk: measure, CPU time, median {np.median(took):.0f} us, p99 {np.percentile(took, 99):.0f} us")
    print(
        f"  support margin median {np.median(margins):.0f} mm; in the air in {len(told) - len(margins)} of {len(told)}"
    )
    print(f"  skate mean {np.mean([one.skate_mm for one in told if one.standing_corners]):.1f} mm/frame")
    print(f"  penetration mean {np.mean([one.penetration_mm for one in told]):.1f} mm")


if __name__ == "__main__":
    sim, gauges = standing(), Gauges()
    reading = {"support_margin_mm": 80.0, "skate_mm": 0.0, "penetration_mm": 0.8}
    rclpy.init()
    measure("measure", sim.physics)
    measure("gauges of diagnostics", lambda: gauges.add(reading))
    measure("three topics, one reader", publishing(sim.physics()))
    rclpy.shutdown()
    tell_walk()
