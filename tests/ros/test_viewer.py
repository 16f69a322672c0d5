"""The viewer films what the topics tell, at the right times."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import numpy as np
import pytest
import rclpy
from fake_chain import FakeControl, FakePerception, estimate, humanoid
from graph import Graph, wait_for

from physhmr.types import Status
from physhmr.view.snapshot import Snapshot
from physhmr.view.video_writer import count_frames
from physhmr_ros.conversions import humanoid as humanoid_messages
from physhmr_ros.nodes import live
from physhmr_ros.nodes.viewer_node import FilmReel, ViewerNode, rate

START = 1_700_000_000 * 10**9


def snapshot(stamp_ns: int) -> Snapshot:
    return Snapshot(stamp_ns, image=np.full((48, 64, 3), 90, np.uint8))


@pytest.mark.parametrize("period_ns", [16_666_667, 33_333_333, 100_000_000])
def test_a_film_lasts_as_long_as_what_it_shows(period_ns: int, tmp_path: Path) -> None:
    reel = FilmReel(tmp_path / "a.mp4", 30.0)
    for index in range(10):
        reel.add(snapshot(START + index * period_ns))
    reel.close()
    assert count_frames(tmp_path / "a.mp4") == round(9 * period_ns * 30e-9) + 1


def test_without_an_image_there_is_nothing_to_film(tmp_path: Path) -> None:
    reel = FilmReel(tmp_path / "a.mp4", 30.0)
    reel.add(Snapshot(START))
    reel.close()
    assert not (tmp_path / "a.mp4").exists()


def test_the_rate_is_that_of_the_newest_events() -> None:
    assert rate(deque([1.0])) == 0.0
    assert rate(deque([1.0, 1.1, 1.2])) == pytest.approx(10.0)


def test_a_configuration_survives_odometry_and_joint_states() -> None:
    rng = np.random.default_rng(0)
    state = humanoid(START)
    state.qpos[:] = rng.normal(size=76)
    state.qpos[3:7] /= np.linalg.norm(state.qpos[3:7])
    told = humanoid_messages.odometry(state, "odom", "pelvis"), humanoid_messages.joint_state(state)
    assert np.array_equal(humanoid_messages.qpos(*told), state.qpos)


@pytest.mark.parametrize("status", Status)
def test_the_status_survives_the_message(status: Status) -> None:
    message = humanoid_messages.human_state(estimate(humanoid(5), status), 0.1, "odom")
    assert humanoid_messages.status(message) is status


@pytest.mark.ros
def test_the_viewer_films_a_running_chain(tmp_path: Path) -> None:
    film = tmp_path / "chain.mp4"
    settings = ["-p", "viewer:page:=false", "-p", f"viewer:film:={film}", "-p", "viewer:film_fps:=30.0"]
    rclpy.init(args=["--ros-args", *settings], signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    viewer = ViewerNode()
    with Graph([*live.nodes(FakePerception, FakeControl), viewer]) as graph:
        wait_for(lambda: graph.images.get_subscription_count() == 2)
        stamp = graph.show_for(1.0, START)
        wait_for(lambda: graph.stamps() and graph.stamps()[-1] >= stamp - 10**8)
    rclpy.try_shutdown()
    assert count_frames(film) >= 15
