"""The recorder: everything that is on the topics is in the bag, losses are counted, the file is always closed."""

from __future__ import annotations

import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import rclpy
from fake_chain import FakeControl, FakePerception
from graph import Graph, wait_for
from rclpy.serialization import deserialize_message
from rosbags.rosbag2 import Reader
from sensor_msgs.msg import Imu, JointState
from test_processes import NODES, finish, heard, start

from physhmr.errors import BagError
from physhmr_ros import qos
from physhmr_ros.bags import writer
from physhmr_ros.bags.reader import BagReader, header_stamp
from physhmr_ros.conversions.images import RgbImage
from physhmr_ros.nodes import live
from physhmr_ros.nodes.recorder_node import RecorderNode

pytestmark = pytest.mark.ros
START = 1_700_000_000_000_000_000


@pytest.fixture
def recorder() -> Iterator[Callable[..., RecorderNode]]:
    """Make a recorder with these parameters, as if a launch file had given them."""

    def make(**values: object) -> RecorderNode:
        options = [part for name, value in values.items() for part in ("-p", f"recorder:{name}:={value}")]
        rclpy.init(args=["--ros-args", *options], signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
        return RecorderNode()

    yield make
    rclpy.try_shutdown()


def test_a_run_is_recorded_completely(recorder: Callable[..., RecorderNode], tmp_path: Path) -> None:
    node = recorder(bag=tmp_path / "run")
    chain = live.nodes(FakePerception, FakeControl)
    with Graph([node, *chain]) as graph:
        wait_for(lambda: graph.images.get_subscription_count() == 2 and graph.infos.get_subscription_count() == 2)
        graph.show_for(1.0, START)
        wait_for(lambda: graph.heard["human/joint_states"])
        time.sleep(0.5)
        heard = list(graph.heard["human/joint_states"])
    with BagReader(tmp_path / "run") as bag:
        found = list(bag.messages())
    assert not bag.damage
    counts = Counter(record.topic for record in found)
    assert counts["/image_raw"] == counts["/camera_info"] == 30
    for topic in ("/rays", "/human/odom", "/human/contacts", "/human/state", "/human_description", "/diagnostics"):
        assert counts[topic], f"nothing was recorded of {topic}"
    recorded = [record for record in found if record.topic == "/human/joint_states"]
    states = {header_stamp(record.data): deserialize_message(record.data, JointState) for record in recorded}
    assert len(states) == len(recorded)
    for message in heard:
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        assert states[stamp] == message
    with Reader(tmp_path / "run") as bag:
        profiles = {one.topic: one.ext.offered_qos_profiles[0].durability.name for one in bag.connections}
    assert profiles["/tf_static"] == "TRANSIENT_LOCAL"
    assert profiles["/rays"] == "VOLATILE"


def test_the_readings_of_an_imu_are_recorded(recorder: Callable[..., RecorderNode], tmp_path: Path) -> None:
    with Graph([recorder(bag=tmp_path / "run", images="none")]) as graph:
        readings = graph._own.create_publisher(Imu, "imu", qos.IMAGES)
        wait_for(readings.get_subscription_count)
        time.sleep(0.3)
        for _ in range(100):
            readings.publish(Imu())
            time.sleep(0.002)
        time.sleep(0.5)
    with BagReader(tmp_path / "run") as bag:
        assert sum(record.topic == "/imu" for record in bag.messages()) == 100


def test_at_full_rate_every_image_is_recorded_or_counted_as_lost(
    recorder: Callable[..., RecorderNode], tmp_path: Path
) -> None:
    node, image = recorder(bag=tmp_path / "run"), RgbImage("camera")
    pixels = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    with Graph([node]) as graph:
        for index in range(60):
            graph.images.publish(image.fill(pixels, START + index * 33_333_333))
            time.sleep(1.0 / 30.0)
        time.sleep(0.5)
    with BagReader(tmp_path / "run") as bag:
        stamps = [header_stamp(record.data) for record in bag.messages(["/image_raw"])]
    assert len(stamps) > 40
    assert len(stamps) + node._gaps.lost == (stamps[-1] - stamps[0]) // 33_333_333 + 1
    assert node._letters.dropped == 0


def test_a_disk_that_is_nearly_full_ends_the_recording_with_a_whole_bag(
    recorder: Callable[..., RecorderNode], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = recorder(bag=tmp_path / "run", min_free=16)
    with Graph([node]) as graph:
        graph.show_for(0.3, START)
        wait_for(lambda: node._bag is not None and node._bag.count > 10)

        def full(bag: writer.BagWriter, folder: Path) -> None:
            raise BagError("only 3 MiB are free")

        monkeypatch.setattr(writer.BagWriter, "_check_space", full)
        graph.show(START + 10**9)
        wait_for(lambda: node.finished)
        assert node.exit_code == 1
    with BagReader(tmp_path / "run") as bag:
        assert len(list(bag.messages())) > 10
    assert not bag.damage


def test_what_a_slow_disk_loses_is_counted_and_said(
    recorder: Callable[..., RecorderNode], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = recorder(bag=tmp_path / "run", queue=16)
    complaints: list[str] = []
    monkeypatch.setattr(node, "complain", lambda text, level=None: complaints.append(text))
    write = writer.BagWriter.write

    def slow(bag: writer.BagWriter, topic: str, logged_ns: int, data: bytes) -> None:
        time.sleep(0.2)
        write(bag, topic, logged_ns, data)

    with Graph([node]) as graph:
        monkeypatch.setattr(writer.BagWriter, "write", slow)
        put = node._letters
        for step in range(40):
            put.put(("/image_raw", START + step, bytes(2**20)))
        wait_for(lambda: complaints)
        report = graph.nodes[0].reports()[0]
        monkeypatch.setattr(writer.BagWriter, "write", write)
    dropped = put.dropped
    assert dropped >= 40 - 16 - 3
    assert f"{dropped} messages are lost" in complaints[-1]
    assert report.values["dropped"] == dropped
    with BagReader(tmp_path / "run") as bag:
        assert len(list(bag.messages())) == put.put_count - dropped


def test_without_a_folder_there_is_no_recording(recorder: Callable[..., RecorderNode]) -> None:
    node = recorder()
    with pytest.raises(BagError, match="set the parameter bag"):
        node.open()
    node.destroy_node()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_closes_the_bag_with_everything_in_it(clip: Path, tmp_path: Path, number: signal.Signals) -> None:
    options = ["-p", f"bag:={tmp_path / 'run'}", "-p", "min_free:=16"]
    process = start(*NODES, "recorder", "--ros-args", *options)
    heard(process, "[recorder]: active")
    code, _ = finish(start(*NODES, "source", "--ros-args", "-p", f"uri:={clip}"))
    assert code == 0
    process.send_signal(number)
    code, log = finish(process)
    assert code == 0
    assert "Traceback" not in log
    with BagReader(tmp_path / "run") as bag:
        counts = Counter(record.topic for record in bag.messages())
    assert not bag.damage
    lost = int(re.search(r"(\d+) images lost", log)[1])
    assert counts["/image_raw"] + lost >= 44
