"""Mailbox, TF tree, histograms, environment: the small parts, each by what it promises."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physhmr.config import share_directory
from physhmr.errors import PhyshmrError
from physhmr.geometry.pose_track import pose_along
from physhmr.geometry.rotation import quat_to_matrix
from physhmr_ros import environment
from physhmr_ros.diagnostics import BIN_MS, Gauges, Histogram, StageClock
from physhmr_ros.frames import FrameTree
from physhmr_ros.mailbox import Mailbox


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 4))
def test_letters_come_out_in_order_and_the_oldest_are_dropped(puts: list[bool], capacity: int) -> None:
    box: Mailbox[int] = Mailbox(capacity)
    model: list[int] = []
    dropped = sent = 0
    for put in puts:
        if put:
            box.put(sent)
            model.append(sent)
            sent += 1
            if len(model) > capacity:
                model.pop(0)
                dropped += 1
        else:
            assert box.take() == (model.pop(0) if model else None)
    assert (box.put_count, box.dropped) == (sent, dropped)


@given(st.lists(st.integers(0, 12), max_size=60), st.integers(1, 10))
def test_a_box_of_bytes_never_holds_more_than_it_may(sizes: list[int], capacity: int) -> None:
    box: Mailbox[bytes] = Mailbox(capacity, len)
    model: list[bytes] = []
    dropped = 0
    for number, size in enumerate(sizes):
        letter = bytes([number]) * size
        box.put(letter)
        model.append(letter)
        while len(model) > 1 and sum(map(len, model)) > capacity:
            model.pop(0)
            dropped += 1
        if number % 5 == 4:
            assert box.take() == model.pop(0)
    assert (box.put_count, box.dropped) == (len(sizes), dropped)
    assert [box.take() for _ in model] == model


def test_between_threads_every_letter_is_taken_or_counted_as_dropped() -> None:
    box: Mailbox[int] = Mailbox()
    sender = threading.Thread(target=lambda: [box.put(n) for n in range(2000)])
    sender.start()
    taken = []
    while sender.is_alive() or box.wait(time.monotonic()):
        letter = box.take(0.05)
        if letter is not None:
            taken.append(letter)
    assert taken == sorted(taken)
    assert taken[-1] == 1999
    assert len(taken) + box.dropped == 2000


def test_closing_wakes_a_waiting_reader_and_swallows_letters() -> None:
    box: Mailbox[int] = Mailbox()
    threading.Timer(0.05, box.close).start()
    begin = time.monotonic()
    assert box.take(timeout=30.0) is None
    assert time.monotonic() - begin < 20.0
    box.put(1)
    assert box.take() is None
    box.open()
    box.put(2)
    assert box.take() == 2


def test_a_box_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="room for one"):
        Mailbox(0)


def random_pose(rng: np.random.Generator) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = quat_to_matrix(rng.normal(size=4)), rng.normal(size=3)
    return T


def test_lookups_compose_and_invert() -> None:
    rng, tree = np.random.default_rng(1), FrameTree()
    odom_base, base_camera, odom_map = (random_pose(rng) for _ in range(3))
    tree.move("odom", "base", odom_base, 3)
    tree.fix("/base", "/camera", base_camera)
    tree.fix("map", "odom", odom_map)
    found = tree.lookup("odom", "camera", 3)
    assert found is not None
    assert np.allclose(found, odom_base @ base_camera)
    back = tree.lookup("camera", "odom", 3)
    assert back is not None
    assert np.allclose(back @ found, np.eye(4))
    assert np.allclose(tree.lookup("camera", "camera", 3), np.eye(4))


def test_a_moving_link_is_read_at_the_time_and_fixed_ones_hold_for_all_times() -> None:
    rng, tree = np.random.default_rng(2), FrameTree()
    base_camera, (first, last) = random_pose(rng), (random_pose(rng) for _ in range(2))
    tree.fix("base", "camera", base_camera)
    assert tree.known_until("odom", "camera") is None
    for stamp, T in ((100, first), (300, last)):
        tree.move("odom", "base", T, stamp)
    for stamp in (100, 150, 300):
        expected = pose_along(first, last, (stamp - 100) / 200) @ base_camera
        np.testing.assert_allclose(tree.lookup("odom", "camera", stamp), expected, atol=1e-12)
    assert tree.known_until("odom", "camera") == 300
    tree.move("odom", "other", first, 9)
    assert tree.known_until("other", "camera") == 9
    tree.fix("odom", "base", first)
    assert tree.known_until("odom", "camera") is None
    np.testing.assert_allclose(tree.lookup("odom", "camera", 300), first @ base_camera, atol=1e-12)


def test_unconnected_frames_and_cycles_give_no_pose() -> None:
    tree = FrameTree()
    assert tree.lookup("odom", "camera", 0) is None
    tree.fix("a", "b", np.eye(4))
    tree.fix("b", "a", np.eye(4))
    assert tree.lookup("odom", "a", 0) is None
    assert tree.known_until("odom", "a") is None


@given(st.lists(st.floats(0.0, 1500.0), min_size=1, max_size=200), st.floats(0.01, 1.0))
def test_quantiles_agree_with_sorting(durations: list[float], q: float) -> None:
    histogram = Histogram()
    for ms in durations:
        histogram.add(ms)
    exact = np.quantile(durations, q, method="inverted_cdf")
    assert histogram.quantile(q) == pytest.approx(exact, abs=BIN_MS)
    assert histogram.count == len(durations)


def test_odd_durations_stay_within_the_bins() -> None:
    histogram = Histogram()
    histogram.add(-5.0)
    histogram.add(1e9)
    assert histogram.count == 2
    histogram.clear()
    assert histogram.quantile(0.5) == 0.0


def test_a_report_forgets_and_the_summary_remembers() -> None:
    stages = StageClock()
    stages.add({"see": 10.0})
    assert stages.count("see") == 1
    assert stages.report()["see_ms_p50"] == pytest.approx(10.0, abs=BIN_MS)
    assert stages.count("see") == 0
    stages.add({"see": 20.0})
    assert stages.summary()["see_ms_p99"] == pytest.approx(20.0, abs=BIN_MS)


def test_wheels_get_what_nobody_sourced() -> None:
    found: dict[str, str] = {}
    environment.set_defaults(found, wheels=True)
    assert found["AMENT_PREFIX_PATH"] == sys.prefix
    assert found["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert found["FASTRTPS_DEFAULT_PROFILES_FILE"].endswith("config/fastdds_localhost.xml")


@pytest.mark.parametrize(
    ("user", "profile"),
    [
        ({}, "fastdds.xml"),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}, "fastdds.xml"),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}, "fastdds_localhost.xml"),
        ({"ROS_LOCALHOST_ONLY": "1"}, "fastdds_localhost.xml"),
        ({"ROS_LOCALHOST_ONLY": "0", "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}, "fastdds.xml"),
    ],
)
def test_only_on_one_machine_are_silent_processes_soon_given_up(user: dict[str, str], profile: str) -> None:
    found = dict(user)
    environment.set_defaults(found, wheels=False)
    assert Path(found["FASTRTPS_DEFAULT_PROFILES_FILE"]).name == profile


JOIN = "import rclpy; rclpy.init(); rclpy.create_node('joiner').destroy_node(); rclpy.shutdown()"


def complaints(profile: Path) -> str:
    """What Fast DDS says of a profile when a node joins with it."""
    variables = os.environ | {"FASTRTPS_DEFAULT_PROFILES_FILE": str(profile)}
    joined = subprocess.run([sys.executable, "-c", JOIN], env=variables, capture_output=True, text=True, timeout=60)
    assert joined.returncode == 0, joined.stderr
    return joined.stdout + joined.stderr


@pytest.mark.ros
@pytest.mark.parametrize("name", ["fastdds.xml", "fastdds_localhost.xml"])
def test_the_middleware_takes_the_profiles(tmp_path: Path, name: str) -> None:
    profile = share_directory() / "config" / name
    assert "XMLPARSER" not in complaints(profile)
    # A word that it does not know makes it leave the whole profile aside; it goes on, and says so.
    misspelt = tmp_path / name
    misspelt.write_text(profile.read_text().replace("port_queue_capacity", "port_queue_size"))
    assert "XMLPARSER" in complaints(misspelt)


def test_both_profiles_carry_images_alike() -> None:
    files = [share_directory() / "config" / name for name in ("fastdds.xml", "fastdds_localhost.xml")]
    network, localhost = (ElementTree.parse(file).getroot() for file in files)
    for parent, tag in ((".//{*}transport_descriptor", "{*}healthy_check_timeout_ms"), (".//{*}rtps", "{*}builtin")):
        for place in localhost.findall(parent):
            for extra in place.findall(tag):
                place.remove(extra)

    def facts(root: ElementTree.Element) -> list[tuple[str, str]]:
        return [(element.tag, (element.text or "").strip()) for element in root.iter()]

    assert facts(localhost) == facts(network)


def test_a_sourced_ros_keeps_its_discovery() -> None:
    found: dict[str, str] = {}
    environment.set_defaults(found, wheels=False)
    assert set(found) == {"FASTRTPS_DEFAULT_PROFILES_FILE"}


@pytest.mark.parametrize(
    "user",
    [
        {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET", "FASTDDS_BUILTIN_TRANSPORTS": "UDPv4"},
        {"ROS_LOCALHOST_ONLY": "0", "FASTRTPS_DEFAULT_PROFILES_FILE": "mine.xml"},
    ],
)
def test_what_the_user_has_set_stays(user: dict[str, str]) -> None:
    user = {"AMENT_PREFIX_PATH": "/opt/mine", **user}
    found = dict(user)
    environment.set_defaults(found, wheels=True)
    assert found == user


def test_a_node_imports_mujoco_without_another_interpreter() -> None:
    """Which an interrupt would leave with a traceback; who wants OpenGL keeps it."""
    code = (
        "import subprocess\n"
        "from physhmr_ros import environment\n"
        "environment.prepare()\n"
        "def started(*command, **options): raise SystemExit(f'started {command}')\n"
        "subprocess.Popen = started\n"
        "import mujoco\n"
        "environment.prepare(mine := {'MUJOCO_GL': 'egl'})\n"
        "assert mine['MUJOCO_GL'] == 'egl'"
    )
    without = {name: value for name, value in os.environ.items() if name != "MUJOCO_GL"}
    ended = subprocess.run([sys.executable, "-c", code], env=without, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr


def test_another_middleware_is_refused_with_wheels_and_left_alone_without() -> None:
    with pytest.raises(PhyshmrError, match="bring only rmw_fastrtps_cpp"):
        environment.set_defaults({"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}, wheels=True)
    found = {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}
    environment.set_defaults(found, wheels=False)
    assert found == {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30))
def test_gauges_tell_mean_and_extremes_once(values: list[float]) -> None:
    gauges = Gauges()
    for value in values:
        gauges.add({"margin": value, "absent": None})
    told = gauges.report()
    assert told == {"margin_mean": pytest.approx(np.mean(values)), "margin_min": min(values), "margin_max": max(values)}
    assert gauges.report() == {}
