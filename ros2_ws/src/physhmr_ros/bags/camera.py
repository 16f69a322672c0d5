"""Which topics of a bag are those of its camera, and of the IMU on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from physhmr.errors import BagError, UnknownNameError

RAW, COMPRESSED, INFO = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/CameraInfo"
IMU = "sensor_msgs/msg/Imu"


@dataclass(frozen=True)
class CameraTopics:
    """Where the camera's messages are in a bag."""

    images: str
    compressed: bool
    camera_info: str
    """Beside the images; not in every bag."""

    @property
    def all(self) -> tuple[str, ...]:
        """Return what is to be played: the camera and all transforms."""
        return self.images, self.camera_info, "/tf", "/tf_static"


def imu_topic(topics: Mapping[str, str], wanted: str = "") -> str:
    """Return the IMU of a bag with `topics`, name -> type; empty if there is none, or several of which none is wanted.

    Raises `UnknownNameError` if the `wanted` one is not there.
    """
    found = imus(topics)
    if wanted and wanted not in found:
        raise UnknownNameError("IMU topic of the bag", wanted, found)
    return wanted or (found[0] if len(found) == 1 else "")


def imus(topics: Mapping[str, str]) -> list[str]:
    """Return the topics of all IMUs."""
    return sorted(topic for topic, kind in topics.items() if kind == IMU)


def camera_topics(topics: Mapping[str, str], wanted: str = "") -> CameraTopics:
    """Return the camera of a bag with `topics`, name -> type; raw images are preferred to the same ones compressed.

    Raises `BagError` if there is no camera or more than one, `UnknownNameError` if the `wanted` one is not there.
    """
    raw = [topic for topic, kind in topics.items() if kind == RAW]
    packed = [topic for topic, kind in topics.items() if kind == COMPRESSED and _raw_name(topic) not in raw]
    found = raw + packed
    if wanted:
        if topics.get(wanted) not in (RAW, COMPRESSED):
            raise UnknownNameError("image topic of the bag", wanted, found)
        found = [wanted]
    if not found:
        raise BagError(f"no images in the bag, only {', '.join(sorted(topics)) or 'nothing'}; record image_raw too")
    if len(found) > 1:
        raise BagError(f"several cameras in the bag: set source.images to one of {', '.join(sorted(found))}")
    folder = _raw_name(found[0]).rpartition("/")[0]
    return CameraTopics(found[0], topics[found[0]] == COMPRESSED, f"{folder}/camera_info")


def _raw_name(topic: str) -> str:
    return topic.removesuffix("/compressed")
