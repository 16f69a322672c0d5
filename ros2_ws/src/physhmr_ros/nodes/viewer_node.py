"""Something to look at: a web page and an overlay video, fed from the topics like any other listener."""

from __future__ import annotations

import os
import time
from collections import deque
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image, JointState

from physhmr.config import NODES, CameraConfig, ViewerConfig
from physhmr.types import Frame
from physhmr.view.film import Film
from physhmr.view.joiner import SnapshotJoiner
from physhmr.view.page import Page
from physhmr.view.snapshot import Readings, Snapshot
from physhmr.view.video_writer import VideoWriter
from physhmr_msgs.msg import HumanState
from physhmr_msgs.msg import RayBundle as RayBundleMessage
from physhmr_ros import qos
from physhmr_ros.camera_watch import CameraWatch
from physhmr_ros.conversions import humanoid
from physhmr_ros.conversions import rays as ray_messages
from physhmr_ros.conversions.images import rgb
from physhmr_ros.conversions.primitives import to_ns
from physhmr_ros.conversions.status import stage_medians
from physhmr_ros.mailbox import Mailbox
from physhmr_ros.nodes.chain_node import ChainNode
from physhmr_ros.timebase import NANOSECONDS

NICENESS = 10
"""Looking on must not slow down what is looked at."""
QUEUE = 600
"""Messages that wait to be drawn at most: about four seconds."""
STAGES = ("find", "crop", "landmarks", "decode", "rays", "lift", "policy", "physics")
"""What the page shows bars for."""
UNCALIBRATED = CameraConfig(fov_deg=60.0)
"""Shows images of a camera that nobody has described; nothing is measured with it."""
TOPICS = {
    "image_raw": (Image, qos.IMAGES),
    "rays": (RayBundleMessage, qos.STREAM),
    "human/joint_states": (JointState, qos.STREAM),
    "human/odom": (Odometry, qos.STREAM),
    "human/state": (HumanState, qos.STREAM),
    "/diagnostics": (DiagnosticArray, qos.STREAM),
}


class ViewerNode(ChainNode):
    """Joins images, rays and poses by their stamps."""

    def __init__(self) -> None:
        super().__init__("viewer", NODES["viewer"])
        self._config = self.settings.get(ViewerConfig)
        self._letters: Mailbox[tuple[str, Any]] = Mailbox(QUEUE)
        self._newest: dict[str, Any] = {}
        self._medians: dict[str, float] = {}
        self._joiner, self._shown = SnapshotJoiner(), deque[float](maxlen=31)
        self._page: Page | None = None
        self._film: FilmReel | None = None
        self._camera: CameraWatch | None = None

    def open(self) -> None:
        """Serve the page, open the video, subscribe."""
        config = self._config
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
        self._film = FilmReel(Path(config.film), config.film_fps) if config.film else None
        if config.page:
            self._page = Page(host=config.host, port=config.port)
            self.get_logger().info(f"look at {self._page.url}")
        self._camera = CameraWatch(self, UNCALIBRATED, config.world_frame)
        self._listening = [self._listen(topic, kind, profile) for topic, (kind, profile) in TOPICS.items()]

    def close(self) -> None:
        """Draw what still waits, finish the video, stop serving."""
        if self._camera is None:
            return
        for subscription in self._listening:
            self.destroy_subscription(subscription)
        while letter := self._letters.take():
            self._read(*letter)
        self._camera.close()
        self._camera = None
        if self._page is not None:
            self._page.close()
        if self._film is not None:
            self._film.close()

    def work(self) -> None:
        """Read one message."""
        letter = self._letters.take(0.2)
        if letter is not None:
            self._read(*letter)

    def summary(self) -> list[str]:
        """Return where the video is."""
        return [] if self._film is None else [f"overlay video: {self._config.film}"]

    def _listen(self, topic: str, kind: type, profile: qos.QoSProfile) -> Any:
        return self.create_subscription(kind, topic, lambda message: self._letters.put((topic, message)), profile)

    def _read(self, topic: str, message: Any) -> None:
        self._newest[topic] = message
        if topic == "image_raw":
            self._take_image(message)
        elif topic == "rays":
            _, rays = ray_messages.from_message(message)
            if rays is not None:
                self._joiner.add_rays(rays)
        elif topic == "/diagnostics":
            self._medians |= stage_medians(message)
        elif topic == "human/state":
            # The last topic that a control step writes to: the others of the same step are here.
            self._show(message)

    def _take_image(self, message: Image) -> None:
        if self._camera is not None:
            pixels, frame_id = rgb(message), message.header.frame_id
            camera = self._camera.camera(pixels.shape[1], pixels.shape[0], frame_id)
            self._joiner.add_frame(Frame(pixels, to_ns(message.header.stamp), camera))

    def _show(self, message: HumanState) -> None:
        joints, odometry = self._newest.get("human/joint_states"), self._newest.get("human/odom")
        if (
            joints is None
            or odometry is None
            or not joints.header.stamp == odometry.header.stamp == message.header.stamp
        ):
            return
        self._shown.append(time.monotonic())
        snapshot = self._joiner.snapshot(
            to_ns(message.header.stamp), humanoid.qpos(odometry, joints), self._readings(message)
        )
        if self._page is not None:
            self._page.show(snapshot)
        if self._film is not None:
            self._film.add(snapshot)

    def _readings(self, message: HumanState) -> Readings:
        return Readings(
            status=humanoid.status(message),
            reason=message.reason,
            stage_ms={stage: self._medians[stage] for stage in STAGES if stage in self._medians},
            fps=rate(self._shown),
            latency_ms=self._medians.get("stamp_to_joint_state", 0.0),
        )


class FilmReel:
    """Writes snapshots at a constant rate: a late one leaves its predecessor's picture standing."""

    def __init__(self, path: Path, fps: float) -> None:
        """Write to `path`; raises as `VideoWriter` does."""
        self._film, self._writer = Film(), VideoWriter(path, fps)
        self._first: int | None = None

    def add(self, snapshot: Snapshot) -> None:
        """Append the snapshot at its time; one that comes before the next picture is due is left out."""
        if snapshot.image is None:
            return
        self._first = snapshot.stamp_ns if self._first is None else self._first
        due = round((snapshot.stamp_ns - self._first) / NANOSECONDS * self._writer.fps)
        if due < self._writer.frames:
            return
        picture = self._film.draw(snapshot)
        while self._writer.frames <= due:
            self._writer.write(picture)

    def close(self) -> None:
        """Finish the file; raises `VideoError` unless it can be read."""
        self._writer.close()


def rate(times: deque[float]) -> float:
    """Return events per second from the times of the newest ones, 0 for fewer than two."""
    return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else 0.0


def nodes() -> list[ChainNode]:
    """Return the node of this executable."""
    return [ViewerNode()]
