"""A camera whose images may be dropped, late, corrupt, stamped by another clock, or not come at all."""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass, replace

import cv2
import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_msgs.msg import TFMessage

from fault_campaign.clip import Clip, Picture
from physhmr_ros import qos
from physhmr_ros.conversions.cameras import camera_info, static_transform
from physhmr_ros.conversions.images import RgbImage
from physhmr_ros.conversions.primitives import to_time

PERIOD = 1.0 / 30.0
"""s between two images."""
FRAME = "camera_optical_frame"
QUALITY = 90
"""Of the JPEGs."""


@dataclass(frozen=True)
class Conditions:
    """What happens to the images; nothing, as it is made."""

    dropped: float = 0.0
    """Share of the images."""
    late: float = 0.0
    """s from exposure to publication."""
    jitter: float = 0.0
    """s by which that varies at most, up and down; images may overtake each other."""
    corrupt: bool = False
    """JPEGs are cut off, empty, or full of noise."""
    clock_ahead: float = 0.0
    """s by which the stamps are ahead of the wall clock."""


class Camera:
    """Publishes a clip to and fro, as best as the conditions allow; `work` sends what is due."""

    def __init__(self, node: Node, clip: Clip, compressed: bool, frame: str = FRAME) -> None:
        """Advertise on `node` with stamps in the optical `frame`; nothing is sent before the first `work`."""
        self.clip = clip
        self.conditions = Conditions()
        self.shown: dict[int, int] = {}
        """Which picture of the clip was taken at which stamp in ns."""
        self._node, self._compressed = node, compressed
        self._random = np.random.default_rng(0)
        self._raw, self._frame = RgbImage(frame), frame
        self.taken = 0
        """Pictures so far, shown or not."""
        self._expose_at: float | None = None
        self._travelling: list[tuple[float, int, int, Conditions]] = []
        self.plug()

    def plug(self) -> None:
        """Appear, with a publisher of its own for each topic."""
        kind, topic = (CompressedImage, "image_raw/compressed") if self._compressed else (Image, "image_raw")
        self._images = self._node.create_publisher(kind, topic, qos.IMAGES)
        self._infos = self._node.create_publisher(CameraInfo, "camera_info", qos.IMAGES)
        self._pose = self._node.create_publisher(TFMessage, "/tf_static", qos.LATCHED)
        self._pose.publish(static_transform(self.clip.camera.T_wc, time.time_ns(), "odom", self._frame))
        self.plugged = True

    def unplug(self) -> None:
        """Go away, with everything that was on its way."""
        for publisher in (self._images, self._infos, self._pose):
            self._node.destroy_publisher(publisher)
        self._travelling.clear()
        self.plugged = False

    def set(self, **conditions: float | bool) -> None:
        """Change conditions by name, from the next image on."""
        self.conditions = replace(self.conditions, **conditions)

    def work(self) -> float:
        """Take and send what is due; return the `time.monotonic` second at which there is more to do."""
        now = time.monotonic()
        if self._expose_at is None or now - self._expose_at > 10 * PERIOD:
            self._expose_at = now
        while self._expose_at <= now:
            self._expose(self._expose_at)
            self._expose_at += PERIOD
        while self._travelling and self._travelling[0][0] <= now:
            _, stamp_ns, index, conditions = heapq.heappop(self._travelling)
            self._publish(self.clip.pictures[index], stamp_ns, conditions)
        return min([self._expose_at, *(letter[0] for letter in self._travelling[:1])])

    def _expose(self, at: float) -> None:
        conditions, index = self.conditions, self.clip.at(self.taken)
        self.taken += 1
        if not self.plugged or self._random.random() < conditions.dropped:
            return
        stamp_ns = time.time_ns() - round(1e9 * (time.monotonic() - at)) + round(1e9 * conditions.clock_ahead)
        self.shown[stamp_ns] = index
        arrives = at + conditions.late + self._random.uniform(-conditions.jitter, conditions.jitter)
        heapq.heappush(self._travelling, (arrives, stamp_ns, index, conditions))

    def _publish(self, picture: Picture, stamp_ns: int, conditions: Conditions) -> None:
        self._infos.publish(camera_info(self.clip.camera, stamp_ns, self._frame))
        if not self._compressed:
            self._images.publish(self._raw.fill(picture, stamp_ns))
            return
        data = _jpeg(picture)
        message = CompressedImage(format="jpeg", data=self._damaged(data) if conditions.corrupt else data)
        message.header.stamp, message.header.frame_id = to_time(stamp_ns), self._frame
        self._images.publish(message)

    def _damaged(self, data: bytes) -> bytes:
        """Cut off in the header or in the picture, nothing at all, or noise."""
        noise = self._random.integers(0, 256, len(data), np.uint8).tobytes()
        middle = bytearray(data)
        start = int(self._random.integers(600, len(data) // 2))
        middle[start : start + 400] = noise[:400]
        versions = (data[:200], data[: len(data) // 2], b"", noise, bytes(middle))
        return versions[int(self._random.integers(len(versions)))]


def _jpeg(picture: Picture) -> bytes:
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return data.tobytes()
