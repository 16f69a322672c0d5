"""Bags are played like videos, and in lockstep every image reaches the humanoid once, whatever gets lost on the way."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rclpy
from fake_chain import FakeControl, FakePerception
from graph import CAMERA, HEIGHT, WIDTH, Graph, wait_for
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage, Image, Imu
from tf2_msgs.msg import TFMessage

from physhmr.config import share_directory
from physhmr.errors import BagError, UnknownNameError
from physhmr.geometry.gravity import Gravity
from physhmr.types import RayBundle
from physhmr_ros import bringup
from physhmr_ros.bags.camera import COMPRESSED, IMU, INFO, RAW, CameraTopics, camera_topics, imu_topic
from physhmr_ros.bags.comparison import compare, joint_states
from physhmr_ros.bags.reader import BagReader, header_stamp, is_bag
from physhmr_ros.bags.writer import BagWriter
from physhmr_ros.conversions.cameras import camera_info, static_transform, without
from physhmr_ros.conversions.images import RgbImage
from physhmr_ros.conversions.primitives import header
from physhmr_ros.nodes import source_node
from physhmr_ros.nodes.perception_node import PerceptionNode
from physhmr_ros.nodes.policy_node import PolicyNode
from physhmr_ros.nodes.source_node import SourceNode
from physhmr_ros.players import BagPlayer

START = 1_700_000_000 * 10**9
STEP = 33_333_333
ROOT = Path(__file__).parents[2]
T_WC = np.array([[0.0, 0.0, 1.0, -3.0], [-1.0, 0.0, 0.0, 0.2], [0.0, -1.0, 0.0, 1.4], [0.0, 0.0, 0.0, 1.0]])


def filmed(path: Path, count: int, topic: str = "/cam/image_raw", packed: bool = False) -> Path:
    """Write a bag of `count` images, brighter by one step each, of a camera that TF places."""
    folder = topic.removesuffix("/compressed").rpartition("/")[0]
    images, rng = RgbImage("camera"), np.random.default_rng(0)
    with BagWriter(path, 2**20) as bag:
        bag.add(topic, COMPRESSED if packed else RAW)
        bag.add(f"{folder}/camera_info", INFO)
        bag.add("/tf_static", "tf2_msgs/msg/TFMessage")
        bag.write("/tf_static", START - 10, serialize_message(static_transform(T_WC, START - 10, "odom", "camera")))
        for index in range(count):
            # Noise, so that the images fill the file; their mean still says which one it is.
            stamp, pixels = (
                START + index * STEP,
                np.uint8(60 + index) + rng.integers(0, 2, (HEIGHT, WIDTH, 3), np.uint8),
            )
            image: Any = images.fill(pixels, stamp)
            if packed:
                image = CompressedImage(
                    header=image.header, format="png", data=cv2.imencode(".png", pixels)[1].tobytes()
                )
            bag.write(f"{folder}/camera_info", stamp + 5, serialize_message(camera_info(CAMERA, stamp, "camera")))
            bag.write(topic, stamp + 6, serialize_message(image))
    return path


def filmed_and_felt(path: Path, count: int, late_ms: int) -> Gravity:
    """Write a bag of a camera that TF does not place, with readings of an IMU 200 times a second on it.

    An image comes 30 ms after its exposure, a reading `late_ms` after it was taken. Return what the readings add up to.
    """
    gravity, images, rng = Gravity(), RgbImage("camera"), np.random.default_rng(0)
    logged: list[tuple[int, str, bytes]] = []
    for stamp in range(START, START + count * STEP, 5_000_000):
        reading = Imu(header=header(stamp, "imu"))
        force, turn = reading.linear_acceleration, reading.angular_velocity
        force.x, force.y, force.z = rng.normal((0.5, 9.7, 0.3), 0.3)
        turn.x, turn.y, turn.z = rng.normal(0.0, 0.5, 3)
        logged.append((stamp + late_ms * 10**6, "/imu", serialize_message(reading)))
        gravity.read(stamp, np.array([force.x, force.y, force.z]), np.array([turn.x, turn.y, turn.z]))
    for index in range(count):
        stamp = START + index * STEP
        image = images.fill(np.full((HEIGHT, WIDTH, 3), 60 + index, np.uint8), stamp)
        logged.append((stamp + 30 * 10**6, "/image_raw", serialize_message(image)))
        logged.append((stamp + 29 * 10**6, "/camera_info", serialize_message(camera_info(CAMERA, stamp, "camera"))))
    mounted = serialize_message(static_transform(np.eye(4), START - 1, "camera", "imu"))
    with BagWriter(path, 2**20) as bag:
        kinds = {"/image_raw": RAW, "/camera_info": INFO, "/imu": IMU, "/tf_static": "tf2_msgs/msg/TFMessage"}
        for topic, kind in kinds.items():
            bag.add(topic, kind)
        bag.write("/tf_static", START - 1, mounted)
        for logged_ns, topic, content in sorted(logged, key=lambda one: one[0]):
            bag.write(topic, logged_ns, content)
    return gravity


@pytest.fixture
def chain() -> Iterator[Callable[..., tuple[Graph, SourceNode, FakePerception, FakeControl]]]:
    """Make source, perception and policy, in that order of data, as an offline run has them."""

    def make(uri: Path, composed: bool = True, **values: object) -> Any:
        options = {"source:uri": uri, "source:lockstep": "true", "policy:clock": "frame"}
        given = {name.replace("__", ":", 1).replace("__", "."): value for name, value in values.items()}
        options |= {"perception:every_image": "true"} | given
        arguments = [part for name, value in options.items() for part in ("-p", f"{name}:={value}")]
        rclpy.init(args=["--ros-args", *arguments], signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
        seer, mover = FakePerception(), FakeControl()
        policy = PolicyNode(lambda config: mover, composed=composed)
        perception = PerceptionNode(policy.box.put if composed else None, lambda config: seer)
        source = SourceNode()
        return Graph([policy, perception, source]), source, seer, mover

    yield make
    rclpy.try_shutdown()


@pytest.mark.ros
@pytest.mark.parametrize("composed", [True, False])
@pytest.mark.parametrize("packed", [False, True])
def test_a_bag_is_played_with_its_own_stamps_camera_and_transforms(
    chain: Callable[..., Any], tmp_path: Path, composed: bool, packed: bool
) -> None:
    bag = filmed(tmp_path / "run", 25, "/cam/image_raw" + packed * "/compressed", packed)
    graph, source, seer, mover = chain(bag, composed, perception__transport="compressed" if packed else "raw")
    with graph:
        wait_for(lambda: source.finished)
        wait_for(lambda: len(graph.stamps()) == 25)
    assert [frame.stamp_ns for frame in seer.frames] == [START + index * STEP for index in range(25)]
    assert [int(frame.image.mean()) for frame in seer.frames] == [60 + index for index in range(25)]
    assert np.allclose([frame.camera.T_wc for frame in seer.frames], T_WC)
    assert mover.seen == [(frame.stamp_ns, True) for frame in seer.frames]


@pytest.mark.ros
@pytest.mark.parametrize("late_ms", [1, 45])
def test_each_image_of_a_bag_is_seen_with_the_imus_readings_up_to_it_and_no_other(
    chain: Callable[..., Any], tmp_path: Path, late_ms: int
) -> None:
    """Also where the bag got readings only after the image that they concern."""
    felt = filmed_and_felt(tmp_path / "run", 25, late_ms)
    graph, source, seer, _ = chain(tmp_path / "run", perception__camera__imu="true")
    with graph:
        wait_for(lambda: source.finished)
        wait_for(lambda: len(graph.stamps()) == 25)
    assert [frame.stamp_ns for frame in seer.frames] == [START + index * STEP for index in range(25)]
    for frame in seer.frames:
        np.testing.assert_array_equal(frame.up_c, felt.at(frame.stamp_ns)[1])


@pytest.mark.ros
def test_images_go_on_where_the_imu_of_a_bag_breaks_off(
    chain: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filmed_and_felt(tmp_path / "run", 40, 1)
    monkeypatch.setattr(BagReader, "messages", without_readings_after(BagReader.messages, START + 10 * STEP))
    graph, source, seer, _ = chain(tmp_path / "run", perception__camera__imu="true")
    with graph:
        wait_for(lambda: source.finished)
        wait_for(lambda: len(graph.stamps()) == 40)
    told = [frame.up_c is not None for frame in seer.frames]
    # The last reading is at 0.33 s, and is believed for half a second.
    assert told == [index / 30.0 <= 0.83 for index in range(40)]


def without_readings_after(messages: Callable[..., Any], stamp_ns: int) -> Callable[..., Any]:
    return lambda bag, topics: (
        one for one in messages(bag, topics) if one.topic != "/imu" or header_stamp(one.data) <= stamp_ns
    )


def test_the_imu_of_a_bag_is_found_or_asked_for() -> None:
    one = {"/a/imu": IMU, "/a/image_raw": RAW}
    assert imu_topic(one) == imu_topic(one, "/a/imu") == "/a/imu"
    assert imu_topic({"/a/image_raw": RAW}) == imu_topic(one | {"/b/imu": IMU}) == ""
    with pytest.raises(UnknownNameError, match="Did you mean '/a/imu'"):
        imu_topic(one, "/a/im")


@pytest.mark.ros
def test_in_lockstep_an_image_that_was_lost_is_shown_again_and_seen_once(
    chain: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_node, "AGAIN_AFTER", 0.4)
    attempts: list[int] = []
    show = BagPlayer.show

    def lossy(player: BagPlayer, stamp_ns: int) -> None:
        attempts.append(stamp_ns)
        if attempts.count(stamp_ns) > 1 or (stamp_ns - START) // STEP % 5:
            show(player, stamp_ns)

    monkeypatch.setattr(BagPlayer, "show", lossy)
    graph, source, _, mover = chain(filmed(tmp_path / "run", 12))
    with graph:
        wait_for(lambda: source.finished)
    assert len(attempts) >= 12 + 3
    assert [stamp for stamp, _ in mover.seen] == [START + index * STEP for index in range(12)]
    assert source.reports()[0].values["unanswered"] == 0


@pytest.mark.ros
def test_in_lockstep_an_image_that_cannot_be_read_is_given_up_and_counted(
    chain: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_node, "AGAIN_AFTER", 0.2)
    with BagWriter(tmp_path / "run", 2**20) as bag:
        bag.add("/image_raw", RAW)
        bag.add("/camera_info", INFO)
        for index in range(6):
            stamp = START + index * STEP
            image = RgbImage("camera").fill(np.full((HEIGHT, WIDTH, 3), 99, np.uint8), stamp)
            if index == 3:
                image = Image(header=image.header, encoding="rgb8", width=WIDTH, height=HEIGHT)
            bag.write("/camera_info", stamp, serialize_message(camera_info(CAMERA, stamp, "camera")))
            bag.write("/image_raw", stamp, serialize_message(image))
    graph, source, _, mover = chain(tmp_path / "run")
    with graph:
        wait_for(lambda: source.finished)
    assert [(stamp - START) // STEP for stamp, _ in mover.seen] == [0, 1, 2, 4, 5]
    assert source.reports()[0].values["unanswered"] == 1


@pytest.mark.ros
def test_a_truncated_bag_is_played_up_to_its_damage_which_is_named(
    chain: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = filmed(tmp_path / "run", 180) / "run.mcap"
    file.write_bytes(file.read_bytes()[: int(0.8 * file.stat().st_size)])
    graph, source, _, mover = chain(file)
    complaints: list[str] = []
    monkeypatch.setattr(source, "complain", lambda text, level=None: complaints.append(text))
    with graph:
        wait_for(lambda: source.finished)
        report = graph_latency(graph)
    assert 60 < len(mover.seen) < 180
    assert [stamp for stamp, _ in mover.seen] == [START + index * STEP for index in range(len(mover.seen))]
    last = START + (len(mover.seen) - 1) * STEP + 6
    assert f"run.mcap' is damaged: {2 * len(mover.seen) + 1} messages up to {last / 1e9:.3f} s" in complaints[0]
    assert not report, "a bag's age is no latency"


def graph_latency(graph: Graph) -> list[str]:
    """Return the names of all latencies that the policy and perception count."""
    reports = [report for node in graph.nodes[:2] for report in node.reports()]
    return [name for report in reports for name in report.values if name.startswith(("stamp_to_joint_state", "age"))]


@pytest.mark.ros
def test_in_lockstep_no_image_overtakes_a_slow_chain(chain: Callable[..., Any], clip: Path) -> None:
    graph, source, seer, mover = chain(clip, source__max_fps=0.0)
    fast, shown, moved = seer.step, [], []

    def slow(frame: Any) -> RayBundle | None:
        shown.append(len(moved))
        return fast(frame)

    step = mover.step
    mover.step = lambda stamp_ns, rays: (moved.append(stamp_ns), step(stamp_ns, rays))[1]
    seer.step = slow
    with graph:
        wait_for(lambda: source.finished)
    assert shown == list(range(45))
    # Nothing of the wall clock is in the stamps.
    assert moved[0] == 10**9
    assert np.allclose(np.diff(moved), 1e9 / 30.0, atol=1.0)


def test_the_camera_of_a_bag_is_found_or_asked_for() -> None:
    one = {"/a/image_raw": RAW, "/a/image_raw/compressed": COMPRESSED, "/a/camera_info": INFO, "/tf": "x"}
    assert camera_topics(one) == CameraTopics("/a/image_raw", False, "/a/camera_info")
    assert camera_topics(one, "/a/image_raw/compressed") == CameraTopics(
        "/a/image_raw/compressed", True, "/a/camera_info"
    )
    with pytest.raises(
        BagError, match=r"several cameras in the bag: set source\.images to one of /a/image_raw, /b/rgb"
    ):
        camera_topics(one | {"/b/rgb": RAW})
    with pytest.raises(BagError, match="no images in the bag, only /tf"):
        camera_topics({"/tf": "x"})
    with pytest.raises(UnknownNameError, match="Did you mean '/a/image_raw'"):
        camera_topics(one, "/a/image")


def test_what_the_chain_tells_anew_is_not_played() -> None:
    given = TFMessage(
        transforms=[
            *static_transform(T_WC, START, "odom", "camera").transforms,
            *static_transform(T_WC, START - 1, "odom", "other").transforms,
            *static_transform(T_WC, START - 1, "odom", "human/Pelvis").transforms,
        ]
    )
    assert [one.child_frame_id for one in without(given, "human/", [START]).transforms] == ["other"]
    assert len(without(given, "", ()).transforms) == 3


@pytest.mark.ros
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_same_images_give_the_same_joint_states_bit_for_bit(tmp_path: Path) -> None:
    clip = short_clip(tmp_path / "clip.mp4", 36)
    replayed(clip, tmp_path / "first")
    said = replayed(tmp_path / "first", tmp_path / "again")
    assert "36 of 36 common joint states are identical, largest difference 0 rad" in said
    replayed(tmp_path / "first", tmp_path / "separate", "--no-composed")
    for other in ("again", "separate"):
        found = compare(tmp_path / "first", tmp_path / other)
        assert found.same, f"{other}: {found}"
        assert found.one == 36
    positions = np.array([state[0] for state in joint_states(tmp_path / "first").values()])
    assert np.ptp(positions, axis=0).max() > 0.3, "somebody was followed"
    with BagReader(tmp_path / "first") as bag:
        assert {"/rays", "/tf_static", "/human/odom", "/parameter_events"} <= set(bag.topics)
    # The height that the sidecar told the first run was not at hand any more but in the bag.
    live, *_ = (one for one in bringup.plan(bringup.LiveOptions(str(tmp_path / "first"))) if one.name == "live")
    assert live.parameters["policy"]["person_height"] == 1.65


def short_clip(path: Path, frames: int) -> Path:
    """Write the first frames of the bundled clip, with its camera file beside it."""
    demo = share_directory() / bringup.DEMO_CLIP
    reader = cv2.VideoCapture(str(demo))
    size = int(reader.get(cv2.CAP_PROP_FRAME_WIDTH)), int(reader.get(cv2.CAP_PROP_FRAME_HEIGHT))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), reader.get(cv2.CAP_PROP_FPS), size)
    for _ in range(frames):
        writer.write(reader.read()[1])
    writer.release()
    path.with_suffix(".camera.yaml").write_text(demo.with_suffix(".camera.yaml").read_text())
    return path


def replayed(source: Path, bag: Path, *options: str) -> str:
    """Run `physhmr replay`; return what it printed."""
    path = os.pathsep.join(filter(None, (str(ROOT / "ros2_ws" / "src"), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "physhmr.cli", "replay", str(source), "--bag", str(bag), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ | {"PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert is_bag(bag)
    return done.stdout
