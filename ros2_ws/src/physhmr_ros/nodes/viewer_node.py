"""Something to look at: a web page and an overlay video, fed from the topics like any other listener."""

from __future__ import annotations

import math
import os
import time
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image, JointState

from physhmr.config import NODES, CameraConfig, ViewerConfig
from physhmr.errors import VideoError
from physhmr.types import Array, Frame
from physhmr.view.film import HEIGHT, Film
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

NICENESS = 5
"""Added to that of whoever started us: looking on must not slow down what is looked at."""
QUEUE = 60
"""Messages that wait to be read at most: about half a second, a dozen of them images."""
SILENCE = 0.5
"""s without a humanoid after which images are shown alone."""
RAYS_LAST = 0.45
"""s before the pose, that rays are shown: older ones are no longer about the image. 0.3 s of it may be predicted."""
CUT = 10.0
"""s; a film does not wait through longer gaps between stamps, nor for stamps that jumped back: it cuts."""
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
        self._joiner, self._told = SnapshotJoiner(), deque[float](maxlen=31)
        self._due: tuple[int, Array | None, Readings] | None = None
        self._page: Page | None = None
        self._film: FilmReel | None = None
        self._camera: CameraWatch | None = None
        self._listening: list[Subscription] = []

    def open(self) -> None:
        """Serve the page, open the video, subscribe."""
        config = self._config
        self._film = FilmReel(Path(config.film), config.film_fps, config.film_height) if config.film else None
        if config.page:
            self._page = Page(host=config.host, port=config.port)
            self.get_logger().info(f"look at {self._page.url}")
        self._camera = CameraWatch(self, UNCALIBRATED, config.world_frame)
        self._listening = [self._listen(topic, kind, profile) for topic, (kind, profile) in TOPICS.items()]

    def close(self) -> None:
        """Unsubscribe, finish the video, stop serving."""
        if self._camera is None:
            return
        for subscription in self._listening:
            self.destroy_subscription(subscription)
        self._camera.close()
        self._camera = None
        try:
            if self._film is not None:
                self._film.close()
        finally:
            if self._page is not None:
                self._page.close()

    def start(self) -> None:
        """Begin with an empty mailbox."""
        self._heard = math.inf
        self._letters.open()

    def wake(self) -> None:
        """Close the mailbox."""
        self._letters.close()

    def work(self) -> None:
        """Read what has come, then draw the newest: when drawing is slow, pictures are left out, nothing queues up."""
        letter = self._letters.take(0.2)
        while letter is not None:
            self._read(*letter)
            letter = self._letters.take()
        if self._due is not None:
            (stamp_ns, qpos, readings), self._due = self._due, None
            self._draw(without_old_rays(self._joiner.snapshot(stamp_ns, qpos, readings)))

    def summary(self) -> list[str]:
        """Return where the video is and how long it lasts."""
        if self._film is None:
            return []
        if not self._film.frames:
            return ["no overlay video: there was nothing to film"]
        return [f"overlay video: {self._config.film}, {self._film.frames / self._config.film_fps:.1f} s"]

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
            self._take_state(message)

    def _take_image(self, message: Image) -> None:
        if self._camera is not None:
            pixels, stamp_ns = rgb(message), to_ns(message.header.stamp)
            camera = self._camera.camera(pixels.shape[1], pixels.shape[0], message.header.frame_id, stamp_ns)
            frame = Frame(pixels, stamp_ns, camera)
            self._joiner.add_frame(frame)
            self._heard = min(self._heard, time.monotonic())
            if time.monotonic() - self._heard > SILENCE:
                self._due = frame.stamp_ns, None, Readings(stage_ms=self._stage_ms())

    def _take_state(self, message: HumanState) -> None:
        joints, odometry = self._newest.get("human/joint_states"), self._newest.get("human/odom")
        if (
            joints is None
            or odometry is None
            or not joints.header.stamp == odometry.header.stamp == message.header.stamp
        ):
            return
        self._heard = time.monotonic()
        self._told.append(self._heard)
        self._due = to_ns(message.header.stamp), humanoid.qpos(odometry, joints), self._readings(message)

    def _draw(self, snapshot: Snapshot) -> None:
        if self._page is not None:
            self._page.show(snapshot)
        if self._film is not None:
            self._film.add(snapshot)

    def _readings(self, message: HumanState) -> Readings:
        return Readings(
            status=humanoid.status(message),
            reason=message.reason,
            stage_ms=self._stage_ms(),
            fps=rate(self._told),
            latency_ms=self._medians.get("stamp_to_joint_state", 0.0),
        )

    def _stage_ms(self) -> dict[str, float]:
        return {stage: self._medians[stage] for stage in STAGES if stage in self._medians}


class FilmReel:
    """Writes snapshots at a constant rate: a late one leaves its predecessor's picture standing."""

    def __init__(self, path: Path, fps: float, height: int = HEIGHT) -> None:
        """Write pictures of `height` px to `path`; raises `VideoError` where no .mp4 file can be written."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise VideoError(f"cannot write {path}: {error.strerror}; name a file in another folder") from error
        if not os.access(path.parent, os.W_OK) or path.is_dir():
            raise VideoError(f"cannot write {path}: no permission, or a folder; name another file")
        self._film, self._writer = Film(height=height // 2 * 2), VideoWriter(path, fps)
        self._first = self._last = 0

    @property
    def frames(self) -> int:
        """Pictures so far."""
        return self._writer.frames

    def add(self, snapshot: Snapshot) -> None:
        """Append the snapshot at its time; one that comes before the next picture is due is left out."""
        if snapshot.image is None:
            return
        if not self.frames or not 0 <= snapshot.stamp_ns - self._last <= CUT * NANOSECONDS:
            self._first = snapshot.stamp_ns - round(self.frames * NANOSECONDS / self._writer.fps)
        self._last = snapshot.stamp_ns
        due = round((snapshot.stamp_ns - self._first) / NANOSECONDS * self._writer.fps)
        if due < self.frames:
            return
        picture = self._film.draw(snapshot)
        while self.frames <= due:
            self._writer.write(picture)

    def close(self) -> None:
        """Finish the file; raises `VideoError` unless it can be read."""
        self._writer.close()


def rate(times: deque[float]) -> float:
    """Return events per second from the times of the newest ones, 0 for fewer than two."""
    return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else 0.0


def without_old_rays(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot without rays, and keypoints, of somebody who was there `RAYS_LAST` ago."""
    rays = snapshot.rays
    if rays is None or snapshot.stamp_ns - rays.stamp_ns <= RAYS_LAST * NANOSECONDS:
        return snapshot
    return replace(snapshot, rays=None, keypoints=None)


def nodes() -> list[ChainNode]:
    """Return the node of this executable, in a process that steps back behind the others."""
    os.nice(NICENESS)
    return [ViewerNode()]
