"""What the source node plays: a video or webcam, frame by frame, or the camera in a bag, message by message."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, Imu
from tf2_msgs.msg import TFMessage

from physhmr.config import SourceConfig
from physhmr.types import Frame
from physhmr.video import VideoConfig, VideoReader
from physhmr_ros import qos
from physhmr_ros.bags.camera import CameraTopics, camera_topics, imu_topic, imus
from physhmr_ros.bags.reader import BagReader, Record, header_stamp, is_bag
from physhmr_ros.conversions.cameras import camera_info, static_transform, without
from physhmr_ros.conversions.images import RgbImage
from physhmr_ros.timebase import NANOSECONDS

FEW_MISSING = 0.03
"""Fraction of its announced frames that a healthy file may lack."""
TRANSFORMS_FIRST = 0.02
"""s that an image waits after transforms that came before it: they travel on another topic."""

RECENT = 300
"""Images whose stamps are remembered: perception tells where the camera stands within seconds of such an image."""
AHEAD = NANOSECONDS // 2
"""How much later than an image the bag may have received a reading of its IMU, for that to be played with the image."""


class Player(Protocol):
    """Images in their order, published when the node says so."""

    live: bool
    """True: images come when they come, stamped by the clock."""
    own_stamps: bool
    """True: images keep the stamps that they bear."""

    def next(self) -> int | None:
        """Fetch the next image; return its time in ns, None at the end. Raises `PhyshmrError` for a bad image."""

    def show(self, stamp_ns: int) -> None:
        """Publish the image that was fetched, also once more, and what belongs to it."""

    def rewind(self) -> None:
        """Begin again, with a file or a webcam that was gone; raises `VideoError` while it is not back."""

    def listeners(self) -> int:
        """Return how many listen to the camera."""

    def complaint(self) -> str:
        """Return what is missing in the file, as far as it was read; empty: nothing."""

    def close(self) -> None:
        """Release the file or webcam and the topics."""


def make_player(node: Node, config: SourceConfig) -> Player:
    """Return what plays `config.uri`; raises `VideoError`, `CameraError` or `BagError` if nothing can."""
    return BagPlayer(node, config) if is_bag(Path(config.uri)) else VideoPlayer(node, config)


class VideoPlayer:
    """A file or webcam through OpenCV, with the camera that its sidecar describes."""

    own_stamps = False

    def __init__(self, node: Node, config: SourceConfig) -> None:
        self._node, self._config = node, config
        self._reader = self._open()
        self.live = self._reader.live
        self._frame: Frame | None = None
        self._message = RgbImage(config.frame_id)
        self._images = node.create_publisher(Image, "image_raw", qos.IMAGES)
        self._infos = node.create_publisher(CameraInfo, "camera_info", qos.IMAGES)
        self._pose = node.create_publisher(TFMessage, "/tf_static", qos.LATCHED)
        if self._reader.camera.T_wc is not None:
            stands = static_transform(self._reader.camera.T_wc, self._now_ns(), config.world_frame, config.frame_id)
            self._pose.publish(stands)

    def next(self) -> int | None:
        """Read a frame."""
        self._frame = self._reader.read()
        return None if self._frame is None else self._frame.stamp_ns

    def show(self, stamp_ns: int) -> None:
        """Publish the frame behind its CameraInfo."""
        if self._frame is not None:
            self._infos.publish(camera_info(self._frame.camera, stamp_ns, self._config.frame_id))
            self._images.publish(self._message.fill(self._frame.image, stamp_ns))

    def rewind(self) -> None:
        """Open the file or webcam anew."""
        self._reader.close()
        self._reader = self._open()

    def listeners(self) -> int:
        """Return how many listen to the images or their CameraInfo."""
        return _listeners(self._images, self._infos)

    def complaint(self) -> str:
        """Return how many of the announced frames are missing, if it is more than a few."""
        reader = self._reader
        if not reader.read_frames or reader.missing_frames <= FEW_MISSING * reader.announced_frames:
            return ""
        return f"{self._config.uri} ends after {reader.read_frames} of {reader.announced_frames} frames: truncated?"

    def close(self) -> None:
        """Release the file or webcam and the topics."""
        self._reader.close()
        for publisher in (self._images, self._infos, self._pose):
            self._node.destroy_publisher(publisher)

    def _open(self) -> VideoReader:
        config = self._config
        fov = math.radians(config.fov_deg) if config.fov_deg else None
        wanted = VideoConfig(config.uri, fov=fov, max_fps=config.max_fps, max_side=config.max_side)
        return VideoReader(wanted, self._now_ns)

    def _now_ns(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)


class BagPlayer:
    """Images, CameraInfo, IMU and transforms of a bag as they were recorded, but for those that the chain tells itself.

    Readings up to the first that is newer than an image go out before it, so that whoever needs them may wait for them.
    """

    live = False
    own_stamps = True

    def __init__(self, node: Node, config: SourceConfig) -> None:
        self._node, self._config = node, config
        self._bag = BagReader(Path(config.uri))
        self._topics: CameraTopics = camera_topics(self._bag.topics, config.images)
        self._imu = imu_topic(self._bag.topics, config.imu)
        self._image: bytes | None = None
        self._before: list[Record] = []
        """What lies before the image in the bag and was not published yet."""
        self._stamps: deque[int] = deque(maxlen=RECENT)
        self.rewind()
        compressed = self._topics.compressed
        kind, name = (CompressedImage, "image_raw/compressed") if compressed else (Image, "image_raw")
        self._images = node.create_publisher(kind, name, qos.IMAGES)
        self._infos = node.create_publisher(CameraInfo, "camera_info", qos.IMAGES)
        self._readings = node.create_publisher(Imu, "imu", qos.EVERY_MESSAGE)
        self._transforms: Mapping[str, Any] = {
            "/tf": node.create_publisher(TFMessage, "/tf", qos.TF),
            "/tf_static": node.create_publisher(TFMessage, "/tf_static", qos.TF_STATIC),
        }

    def next(self) -> int | None:
        """Read up to the next image; what lies before it is published with it."""
        self._before, self._image = [], None
        while (record := self._taken()) is not None:
            if record.topic == self._topics.images:
                self._image = record.data
                stamp_ns = header_stamp(record.data)
                self._before += self._readings_up_to(stamp_ns, record.logged_ns + AHEAD)
                return stamp_ns
            self._before.append(record)
        return None

    def show(self, stamp_ns: int) -> None:
        """Publish what came before the image, then the image; its bytes are those of the bag."""
        told = [self._tell(record) for record in self._before]
        self._before = []
        if any(told):
            time.sleep(TRANSFORMS_FIRST)
        if self._image is not None:
            self._stamps.append(stamp_ns)
            self._images.publish(self._image)

    def rewind(self) -> None:
        """Begin again with the first message."""
        wanted = [topic for topic in (*self._topics.all, self._imu) if topic in self._bag.topics]
        self._records = self._bag.messages(wanted)
        self._ahead: deque[Record] = deque()
        """Read, but not taken yet."""
        self._read_ns = -1
        """Stamp of the newest reading that was taken."""

    def listeners(self) -> int:
        """Return how many listen to the images or their CameraInfo."""
        return _listeners(self._images, self._infos)

    def complaint(self) -> str:
        """Return where the bag is damaged, as far as that is known, or that it has more than one IMU."""
        several = "" if self._imu else ", ".join(imus(self._bag.topics))
        return self._bag.damage or (several and f"no IMU is played: set source.imu to one of {several}")

    def close(self) -> None:
        """Release the bag and the topics."""
        self._bag.close()
        for publisher in (self._images, self._infos, self._readings, *self._transforms.values()):
            self._node.destroy_publisher(publisher)

    def _taken(self) -> Record | None:
        record = self._ahead.popleft() if self._ahead else next(self._records, None)
        if record is not None and record.topic == self._imu:
            self._read_ns = header_stamp(record.data)
        return record

    def _readings_up_to(self, stamp_ns: int, logged_ns: int) -> list[Record]:
        """Return the readings up to the first that is newer than `stamp_ns`; what lies between them waits its turn."""
        found: list[Record] = []
        waiting = deque[Record]()
        while self._imu and self._read_ns <= stamp_ns and (record := self._taken()) is not None:
            (found if record.topic == self._imu else waiting).append(record)
            if record.logged_ns > logged_ns:
                break
        self._ahead.extendleft(reversed(waiting))
        return found

    def _tell(self, record: Record) -> bool:
        """Publish CameraInfo, a reading or transforms; return whether any transforms went out."""
        if record.topic == self._imu:
            self._readings.publish(record.data)
            return False
        if record.topic not in self._transforms:
            self._infos.publish(record.data)
            return False
        stamps = self._stamps if record.topic == "/tf_static" else ()
        message = without(deserialize_message(record.data, TFMessage), self._config.ignore_frames, stamps)
        if message.transforms:
            self._transforms[record.topic].publish(message)
        return bool(message.transforms)


def _listeners(images: Publisher, infos: Publisher) -> int:
    """How many listen to the images, or, like a recorder without images, to CameraInfo only."""
    return max(int(images.get_subscription_count()), int(infos.get_subscription_count()))
