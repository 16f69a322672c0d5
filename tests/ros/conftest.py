"""Every test process gets a ROS domain of its own and stays on this machine."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
ROS = all(importlib.util.find_spec(name) for name in ("rclpy", "domain_coordinator", "tf2_msgs"))
collect_ignore_glob = [] if ROS else ["*.py"]


def pytest_report_header() -> str | None:
    return None if ROS else "tests/ros: skipped, there is no ROS 2 here (make test installs one)"


if ROS:
    from domain_coordinator import domain_id

    from physhmr_ros import environment

    _domain = domain_id()
    os.environ["ROS_DOMAIN_ID"] = str(_domain.__enter__())
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
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
