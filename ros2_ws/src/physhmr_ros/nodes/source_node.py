"""A video file or a webcam as a ROS camera: `image_raw`, `camera_info`, and TF if it is known where it stands."""

from __future__ import annotations

import math
import time

from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

from physhmr.config import NODES, SourceConfig
from physhmr.errors import VideoError
from physhmr.types import Frame
from physhmr.video import VideoConfig, VideoReader
from physhmr_ros import qos
from physhmr_ros.conversions.cameras import camera_info, static_transform
from physhmr_ros.conversions.images import RgbImage
from physhmr_ros.diagnostics import Level, Report
from physhmr_ros.nodes.chain_node import ChainNode
from physhmr_ros.timebase import NANOSECONDS, TimeBase

PATIENCE = 3.0
"""s without a listener before the node says so."""
SETTLE = 0.5
"""s between the first sight of a listener and the first image of a file."""
LONGEST_WAIT = 20.0
"""s after which a file begins for those listeners that are there."""
FEW_MISSING = 0.03
"""Fraction of its announced frames that a healthy file may lack."""


class SourceNode(ChainNode):
    """Plays a file at its own rate, or hands on what a webcam sees."""

    def __init__(self) -> None:
        super().__init__("source", NODES["source"])
        self._config = self.settings.get(SourceConfig)
        self._reader: VideoReader | None = None
        self._advertised = False
        self._sent = self._sent_before = 0

    def open(self) -> None:
        """Open the file or webcam and advertise the topics."""
        config = self._config
        if not config.uri:
            raise VideoError("no video: set the parameter uri to a file, or to a webcam's number such as 0")
        self._reader = self._open_reader()
        self._message = RgbImage(config.frame_id)
        self._images = self.create_publisher(Image, "image_raw", qos.IMAGES)
        self._infos = self.create_publisher(CameraInfo, "camera_info", qos.IMAGES)
        self._pose = self.create_publisher(TFMessage, "/tf_static", qos.LATCHED)
        self._advertised = True
        if self._reader.camera.T_wc is not None:
            stands = static_transform(self._reader.camera.T_wc, self.now_ns(), config.world_frame, config.frame_id)
            self._pose.publish(stands)

    def close(self) -> None:
        """Release the file or webcam and the topics."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        if self._advertised:
            self._advertised = False
            for publisher in (self._images, self._infos, self._pose):
                self.destroy_publisher(publisher)

    def start(self) -> None:
        """Let the file's time begin with the next image."""
        self._times = TimeBase()
        self._started = time.monotonic()
        self._begin: tuple[float, int] | None = None

    def work(self) -> None:
        """Publish the next image at its time."""
        if self._reader is None:
            self._reconnect()
        elif not self._nobody_listens(self._reader):
            frame = self._reader.read()
            if frame is None:
                self._ended(self._reader)
            else:
                self._publish(frame, self._stamp(self._reader, frame))

    def reports(self) -> list[Report]:
        """Return how many images went out since the last report."""
        recent, self._sent_before = self._sent - self._sent_before, self._sent
        level = Level.OK if recent or self.finished else Level.WARN
        message = "playing" if recent else "finished" if self.finished else "no images"
        return [Report("source: images", level, message, {"images": recent, "sent": self._sent})]

    def _open_reader(self) -> VideoReader:
        config = self._config
        fov = math.radians(config.fov_deg) if config.fov_deg else None
        return VideoReader(
            VideoConfig(config.uri, fov=fov, max_fps=config.max_fps, max_side=config.max_side), self.now_ns
        )

    def _nobody_listens(self, reader: VideoReader) -> bool:
        """Wait a moment for a listener, if the file has not begun and one is missing."""
        if self._sent or reader.live or not self._config.listeners:
            return False
        waited, listeners = time.monotonic() - self._started, self._images.get_subscription_count()
        if listeners >= self._config.listeners or (listeners and waited > LONGEST_WAIT):
            # We know the listeners; they need a moment longer to know us.
            self.stopping.wait(SETTLE)
            return False
        if waited > PATIENCE:
            self.complain("waiting for listeners on image_raw")
        self.stopping.wait(0.02)
        return True

    def _stamp(self, reader: VideoReader, frame: Frame) -> int:
        """Return the stamp of a frame, having waited for its time if it is a file's."""
        if reader.live:
            return frame.stamp_ns
        file_ns = self._times.accept(frame.stamp_ns) or 0
        rate = self._config.rate
        if self._begin is None:
            self._begin = time.monotonic(), self.now_ns()
        if rate:
            file_ns = round(file_ns / rate)
            self.stopping.wait(max(0.0, self._begin[0] + file_ns / NANOSECONDS - time.monotonic()))
        return self._begin[1] + file_ns

    def _publish(self, frame: Frame, stamp_ns: int) -> None:
        self._infos.publish(camera_info(frame.camera, stamp_ns, self._config.frame_id))
        self._images.publish(self._message.fill(frame.image, stamp_ns))
        self._sent += 1

    def _ended(self, reader: VideoReader) -> None:
        reader.close()
        uri = self._config.uri
        if reader.missing_frames > FEW_MISSING * reader.announced_frames:
            self.complain(f"{uri} ends after {reader.read_frames} of {reader.announced_frames} frames: truncated?")
        if reader.live:
            self._reader = None
            self.complain(f"webcam {uri} is gone; trying again", Level.ERROR)
        elif self._config.loop:
            self._reader = self._open_reader()
        else:
            self.get_logger().info(f"end of {uri} after {self._sent} images")
            self.finished = True
            self.stopping.set()

    def _reconnect(self) -> None:
        self.stopping.wait(self._config.reconnect_after)
        self._reader = self._open_reader()
        self.get_logger().info(f"webcam {self._config.uri} is back")


def nodes() -> list[ChainNode]:
    """Return the node of this executable."""
    return [SourceNode()]
