"""Bags: everything comes back as it was written, damage is read up to and told, a disk is never filled."""

from __future__ import annotations

import json
import os
import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from ament_index_python.packages import get_package_share_directory
from hypothesis import given
from hypothesis import strategies as st
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from physhmr.errors import BagError
from physhmr_ros.bags.comparison import KIND, compare
from physhmr_ros.bags.reader import BagReader, Record, header_stamp, is_bag
from physhmr_ros.bags.writer import BagWriter, typestore

START = 1_700_000_000_000_000_000
STORE = get_typestore(Stores.ROS2_JAZZY)
ROOM = 2**20


def joint_state(stamp_ns: int, positions: np.ndarray) -> bytes:
    """A serialized joint state."""
    time, header = STORE.types["builtin_interfaces/msg/Time"], STORE.types["std_msgs/msg/Header"]
    stamp = time(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    names = [f"joint_{index}" for index in range(positions.size)]
    message = STORE.types[KIND](header(stamp, "odom"), names, positions, 0.5 * positions, np.zeros_like(positions))
    return bytes(STORE.serialize_cdr(message, KIND))


def write(path: Path, count: int, size: int = 3, seed: int = 0, first: int = 0) -> list[Record]:
    """Write a bag of `count` joint states, a tenth of a second apart; return them."""
    rng = np.random.default_rng(seed)
    with BagWriter(path, ROOM) as bag:
        bag.add("/human/joint_states", KIND)
        bag.add("/never", "physhmr_msgs/msg/RayBundle")
        for step in range(first, first + count):
            stamp = START + step * 100_000_000
            bag.write("/human/joint_states", stamp + 7, joint_state(stamp, rng.normal(size=size)))
    with BagReader(path) as bag:
        return list(bag.messages())


def file_of(bag: Path) -> Path:
    return bag / f"{bag.name}.mcap"


@given(st.lists(st.tuples(st.sampled_from(["/a", "/b"]), st.binary(max_size=3000)), min_size=1, max_size=30))
def test_messages_come_back_in_order_and_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, messages: list[tuple[str, bytes]]
) -> None:
    path = tmp_path_factory.mktemp("bags") / "run"
    with BagWriter(path, ROOM) as bag:
        for topic in ("/a", "/b"):
            bag.add(topic, "std_msgs/msg/String")
        for step, (topic, data) in enumerate(messages):
            bag.write(topic, START + step, data)
        assert (bag.count, bag.bytes) == (len(messages), sum(len(data) for _, data in messages))
    with BagReader(path) as bag:
        found = list(bag.messages())
        assert [(one.topic, one.data, one.logged_ns - START) for one in found] == [
            (topic, data, step) for step, (topic, data) in enumerate(messages)
        ]
        assert [one.data for one in bag.messages(["/b"])] == [data for topic, data in messages if topic == "/b"]
        assert bag.topics == {"/a": "std_msgs/msg/String", "/b": "std_msgs/msg/String"}
        assert not bag.damage


def test_the_types_written_are_those_that_ros_knows() -> None:
    folder = Path(get_package_share_directory("physhmr_msgs"), "msg")
    described = sorted(folder.glob("*.json"))
    assert [file.stem for file in described] == [
        "FootContacts", "HumanPhysics", "HumanState", "People", "RayBundle", "SmplParameters",
    ]  # fmt: skip
    for file in described:
        hashes = {one["type_name"]: one["hash_string"] for one in json.loads(file.read_text())["type_hashes"]}
        name = f"physhmr_msgs/msg/{file.stem}"
        assert typestore().hash_rihs01(name) == hashes[name]


def test_a_bag_is_a_rosbag2_of_version_9_with_zstd_chunks(tmp_path: Path) -> None:
    write(tmp_path / "run", 50)
    with Reader(tmp_path / "run") as bag:
        assert (bag.message_count, {one.topic for one in bag.connections}) == (50, {"/human/joint_states", "/never"})
    assert "version: 9" in (tmp_path / "run" / "metadata.yaml").read_text()
    assert b"zstd" in file_of(tmp_path / "run").read_bytes()


@pytest.mark.parametrize("share", [0.35, 0.7, 0.99])
def test_a_truncated_bag_is_read_up_to_where_it_ends_and_says_so(tmp_path: Path, share: float) -> None:
    whole = write(tmp_path / "run", 60, size=9000)
    file = file_of(tmp_path / "run")
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    with BagReader(tmp_path / "run") as bag:
        found = list(bag.messages())
    assert found == whole[: len(found)]
    assert 0 < len(found) < 60 if share < 0.9 else len(found) >= 50
    assert str(tmp_path / "run") in bag.damage
    assert f"{len(found)} messages up to {found[-1].logged_ns / 1e9:.3f} s" in bag.damage
    assert "mcap recover" in bag.damage
    assert bag.topics["/human/joint_states"] == KIND


def test_a_recorder_that_was_killed_leaves_a_bag_that_can_be_read(tmp_path: Path) -> None:
    rng, bag = np.random.default_rng(0), BagWriter(tmp_path / "run", ROOM)
    bag.add("/human/joint_states", KIND)
    for step in range(60):
        bag.write("/human/joint_states", START + step, joint_state(START + step, rng.normal(size=9000)))
    # What Python still buffers is lost with the process; there is neither an index nor metadata.
    shutil.copy(file_of(tmp_path / "run"), tmp_path / "left.mcap")
    with BagReader(tmp_path / "left.mcap") as left:
        assert len(list(left.messages())) > 40
    assert "is damaged" in left.damage
    bag.close()


def test_a_bag_without_metadata_is_read_whole(tmp_path: Path) -> None:
    whole = write(tmp_path / "run", 20)
    (tmp_path / "run" / "metadata.yaml").unlink()
    with BagReader(tmp_path / "run") as bag:
        assert list(bag.messages()) == whole
        assert "no usable metadata.yaml, but all 20 messages are there" in bag.damage
    with BagReader(file_of(tmp_path / "run")) as bag:
        assert list(bag.messages()) == whole
        assert not bag.damage


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_flipped_bit_is_noticed(tmp_path: Path, share: float) -> None:
    whole = write(tmp_path / "run", 60, size=9000)
    file = file_of(tmp_path / "run")
    content = bytearray(file.read_bytes())
    content[int(share * len(content))] ^= 16
    file.write_bytes(content)
    with BagReader(tmp_path / "run") as bag:
        found = list(bag.messages())
    assert found == whole[: len(found)]
    assert len(found) < 60
    assert "is damaged" in bag.damage


@pytest.mark.parametrize("content", [b"", b"no bag", b"\x89MCAP0\r\n"])
def test_what_is_no_bag_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "odd.mcap"
    file.write_bytes(content)
    with pytest.raises(BagError, match="holds no message that can be read"):
        BagReader(file)
    with pytest.raises(BagError, match="no bag at"):
        BagReader(tmp_path / "missing.mcap")
    assert not is_bag(tmp_path.parent)
    assert not is_bag(tmp_path / "clip.mp4")


def test_recording_stops_before_the_disk_is_full_and_what_was_written_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bag = BagWriter(tmp_path / "run", ROOM)
    bag.add("/a", "std_msgs/msg/String")
    bag.write("/a", START, b"kept")
    Disk = namedtuple("Disk", "f_bavail f_frsize")
    monkeypatch.setattr(os, "statvfs", lambda folder: Disk(ROOM // 4096 - 1, 4096))
    with pytest.raises(BagError, match="only 1 MiB are free"):
        bag.write("/a", START + 1, b"refused")
    bag.close()
    with pytest.raises(BagError, match=r"recorder\.min_free"):
        BagWriter(tmp_path / "other", ROOM)
    with BagReader(tmp_path / "run") as read:
        assert [one.data for one in read.messages()] == [b"kept"]
        assert not read.damage


def test_a_bag_is_never_overwritten(tmp_path: Path) -> None:
    before = write(tmp_path / "run", 3)
    with pytest.raises(BagError, match="name another folder"):
        BagWriter(tmp_path / "run", ROOM)
    with BagReader(tmp_path / "run") as bag:
        assert list(bag.messages()) == before


@given(st.integers(0, 2**31 - 1), st.integers(0, 10**9 - 1))
def test_the_stamp_is_read_from_the_bytes(seconds: int, nanoseconds: int) -> None:
    stamp_ns = seconds * 10**9 + nanoseconds
    assert header_stamp(joint_state(stamp_ns, np.zeros(2))) == stamp_ns


def test_runs_are_compared_by_stamp_and_bit(tmp_path: Path) -> None:
    write(tmp_path / "a", 10)
    write(tmp_path / "same", 10)
    write(tmp_path / "other", 10, seed=1)
    write(tmp_path / "shorter", 8)
    write(tmp_path / "elsewhere", 10, first=100)
    assert compare(tmp_path / "a", tmp_path / "same").same
    other = compare(tmp_path / "a", tmp_path / "other")
    assert (other.common, other.identical, other.same) == (10, 0, False)
    assert other.farthest > 0.01
    shorter = compare(tmp_path / "a", tmp_path / "shorter")
    assert (shorter.common, shorter.identical, shorter.same) == (8, 8, False)
    assert compare(tmp_path / "a", tmp_path / "elsewhere").common == 0
    assert not compare(tmp_path / "a", tmp_path / "elsewhere").same
