"""What tests with nodes share; without a ROS they are left out, and the header says so."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
ROS = all(importlib.util.find_spec(name) for name in ("rclpy", "tf2_msgs.msg"))
collect_ignore_glob = [] if ROS else ["*.py"]


def pytest_report_header() -> str | None:
    return None if ROS else "tests/ros: skipped, there is no ROS 2 here (make test installs one)"


if ROS:
    from physhmr_ros import environment

    environment.prepare()


@pytest.fixture
def ros() -> Iterator[None]:
    """An initialised rclpy."""
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    yield
    rclpy.try_shutdown()


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second and a half of grey video, 30 fps, brighter by one step a frame."""
    import cv2
    import numpy as np

    path = tmp_path_factory.mktemp("clip") / "grey.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30.0, (320, 240))
    for step in range(45):
        writer.write(np.full((240, 320, 3), 80 + step, np.uint8))
    writer.release()
    return path
