"""sensor_msgs images to RGB arrays and back. What cannot be read is refused with `ImageError`, never guessed."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image

from physhmr.errors import ImageError
from physhmr_ros.conversions.primitives import to_time

Pixels = NDArray[np.uint8]
SMALLEST_SIDE = 32
"""px; a person in a smaller image is no person."""

_CHANNELS: dict[str, int] = {
    "rgb8": 3, "bgr8": 3, "8UC3": 3, "rgba8": 4, "bgra8": 4, "mono8": 1, "8UC1": 1,
    "yuv422_yuy2": 2, "yuyv": 2, "yuv422": 2, "uyvy": 2,
}  # fmt: skip
_TO_RGB: dict[str, int] = {
    "bgr8": cv2.COLOR_BGR2RGB, "8UC3": cv2.COLOR_BGR2RGB, "rgba8": cv2.COLOR_RGBA2RGB, "bgra8": cv2.COLOR_BGRA2RGB,
    "mono8": cv2.COLOR_GRAY2RGB, "8UC1": cv2.COLOR_GRAY2RGB, "yuv422_yuy2": cv2.COLOR_YUV2RGB_YUY2,
    "yuyv": cv2.COLOR_YUV2RGB_YUY2, "yuv422": cv2.COLOR_YUV2RGB_UYVY, "uyvy": cv2.COLOR_YUV2RGB_UYVY,
}  # fmt: skip


def rgb(message: Image | CompressedImage) -> Pixels:
    """Return an image message as (H, W, 3) RGB; rgb8 without a copy, so keep the message's data as they are.

    Raises `ImageError` for unknown encodings, too little data, undecodable JPEG or PNG, and tiny images.
    """
    pixels = _decode(message) if isinstance(message, CompressedImage) else _raw(message)
    height, width = pixels.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise ImageError(f"image is {width}x{height} px; at least {SMALLEST_SIDE}x{SMALLEST_SIDE} are needed")
    return pixels


class RgbImage:
    """An Image message that is filled again and again: a new one costs tens of milliseconds in Python."""

    def __init__(self, frame_id: str) -> None:
        self._message = Image(encoding="rgb8")
        self._message.header.frame_id = frame_id

    def fill(self, pixels: Pixels, stamp_ns: int) -> Image:
        """Return the message holding (H, W, 3) RGB pixels; it is valid until the next call."""
        message = self._message
        if len(message.data) != pixels.size:
            message.data = array("B", bytes(pixels.size))
        message.height, message.width = pixels.shape[:2]
        message.step = 3 * pixels.shape[1]
        message.header.stamp = to_time(stamp_ns)
        np.frombuffer(message.data, np.uint8)[:] = pixels.ravel()
        return message


def _raw(message: Image) -> Pixels:
    encoding = message.encoding
    if encoding not in _CHANNELS:
        return _by_cv_bridge(message)
    channels, height, width = _CHANNELS[encoding], message.height, message.width
    step = message.step or width * channels
    flat = np.frombuffer(message.data, np.uint8)
    if step < width * channels or flat.size < step * height or not flat.size:
        raise ImageError(
            f"{width}x{height} {encoding} image needs {max(step, width * channels) * height} bytes, got {flat.size}"
        )
    rows = flat[: step * height].reshape(height, step)[:, : width * channels]
    pixels = rows.reshape(height, width, channels)
    return pixels if encoding == "rgb8" else cv2.cvtColor(np.ascontiguousarray(pixels), _TO_RGB[encoding])


def _decode(message: CompressedImage) -> Pixels:
    data = np.frombuffer(message.data, np.uint8)
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error:
        pixels = None
    if pixels is None:
        raise ImageError(f"compressed image ({message.format or 'no format'}, {data.size} bytes) cannot be decoded")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def _by_cv_bridge(message: Image) -> Pixels:
    to_cv2 = _cv_bridge()
    if to_cv2 is None:
        raise ImageError(
            f"image encoding '{message.encoding}' is not supported (valid: {', '.join(_CHANNELS)}); "
            "set the driver to one of these, or install ROS's cv_bridge"
        )
    try:
        return np.asarray(to_cv2(message, "rgb8"), np.uint8)
    except Exception as error:  # cv_bridge raises its own, OpenCV's and built-in errors
        raise ImageError(f"cv_bridge cannot read encoding '{message.encoding}': {error}") from error


def _cv_bridge() -> Callable[..., Any] | None:
    try:
        from cv_bridge import CvBridge
    except ImportError:
        return None
    return CvBridge().imgmsg_to_cv2
