"""A second participant on the graph: publishes what a test says, collects what the nodes tell."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image, JointState

from physhmr.geometry.camera import camera_from_fov
from physhmr_msgs.msg import HumanState, RayBundle
from physhmr_ros import qos
from physhmr_ros.conversions.cameras import camera_info
from physhmr_ros.conversions.images import RgbImage
from physhmr_ros.conversions.primitives import to_ns
from physhmr_ros.nodes.chain_node import ChainNode

WIDTH, HEIGHT = 64, 48
CAMERA = camera_from_fov(WIDTH, HEIGHT, 1.0)
PATIENCE = 20.0
"""s until something that should have come about is given up."""


class Graph:
    """Spins nodes under test together with a node of its own; use as a context manager."""

    def __init__(self, nodes: Sequence[ChainNode]) -> None:
        self.nodes = list(nodes)
        self.heard: dict[str, list[Any]] = defaultdict(list)
        self._own = Node("test")
        self.images = self._own.create_publisher(Image, "image_raw", qos.IMAGES)
        self.infos = self._own.create_publisher(CameraInfo, "camera_info", qos.IMAGES)
        self.rays = self._own.create_publisher(RayBundle, "rays", qos.STREAM)
        self._message = RgbImage("camera")
        self._executor = EventsExecutor()
        for node in (*self.nodes, self._own):
            self._executor.add_node(node)
        self._stop = threading.Event()
        self._asked: SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = SimpleQueue()
        # A daemon: an executor that hangs must not keep the test run from ending.
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self.listen(JointState, "human/joint_states")
        self.listen(HumanState, "human/state")
        self.listen(DiagnosticArray, "/diagnostics")

    def __enter__(self) -> Graph:
        for node in self.nodes:
            node.trigger_configure()
            node.trigger_activate()
        self._thread.start()
        if self.nodes:
            wait_for(lambda: self.images.get_subscription_count() + self.rays.get_subscription_count() > 0)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the executor hangs"
        for node in reversed(self.nodes):
            node.trigger_shutdown()
        for node in (*self.nodes, self._own):
            self._executor.remove_node(node)
            node.destroy_node()
        self._executor.shutdown()

    def do(self, action: Callable[[], Any]) -> Any:
        """Run `action` between two spins: what an executor spins over must not come and go beside it."""
        if not self._thread.is_alive():
            return action()
        done: Future[Any] = Future()
        self._asked.put((action, done))
        return done.result(PATIENCE)

    def listen(self, kind: type, topic: str, profile: Any = qos.STREAM) -> None:
        heard = self.heard[topic]
        self.do(lambda: self._own.create_subscription(kind, topic, heard.append, profile))

    def show(self, stamp_ns: int, level: int = 128, calibrated: bool = True) -> None:
        """Publish a grey image, with its CameraInfo unless told otherwise."""
        if calibrated:
            self.infos.publish(camera_info(CAMERA, stamp_ns, "camera"))
        self.images.publish(self._message.fill(np.full((HEIGHT, WIDTH, 3), level, np.uint8), stamp_ns))

    def show_for(self, seconds: float, start_ns: int, **options: Any) -> int:
        """Publish images at 30 Hz; return the stamp after the last one."""
        begin, index = time.monotonic(), 0
        while index < 30.0 * seconds:
            self.show(start_ns + index * 33_333_333, **options)
            index += 1
            time.sleep(max(0.0, begin + index / 30.0 - time.monotonic()))
        return start_ns + index * 33_333_333

    def stamps(self) -> list[int]:
        """Return the stamps of all joint states so far."""
        return [to_ns(message.header.stamp) for message in self.heard["human/joint_states"]]

    def report(self, name: str) -> dict[str, str]:
        """Return the values of the newest report of this name, its message under 'message'."""
        for array in reversed(self.heard["/diagnostics"]):
            for status in array.status:
                if status.name == name:
                    return {"message": status.message, **{v.key: v.value for v in status.values}}
        return {}

    def _spin(self) -> None:
        while not self._stop.is_set():
            self._executor.spin_once(timeout_sec=0.02)
            while not self._asked.empty():
                action, done = self._asked.get()
                try:
                    done.set_result(action())
                except Exception as error:
                    done.set_exception(error)


def wait_for(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Return as soon as the condition holds; fail if it does not within `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the awaited condition did not come about"
        time.sleep(0.01)
