"""Reads rosbag2 bags (MCAP, SQLite); a damaged or truncated MCAP file up to its damage."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mcap.records import Channel, Message, Schema
from mcap.stream_reader import StreamReader
from rosbags.rosbag2 import Reader

from physhmr.errors import BagError

SUFFIXES = (".mcap", ".db3")
METADATA = "metadata.yaml"


@dataclass(frozen=True)
class Record:
    """One message as it was on the wire."""

    topic: str
    kind: str
    """Its type, such as sensor_msgs/msg/Image."""
    logged_ns: int
    """When it was received."""
    data: bytes
    """CDR, with its four bytes of encapsulation header."""


def is_bag(path: Path) -> bool:
    """Return whether this is a bag file or the folder of a bag, by its name and content."""
    return path.suffix in SUFFIXES if not path.is_dir() else bool(_files(path)) or (path / METADATA).is_file()


def header_stamp(data: bytes) -> int:
    """Return the stamp in ns of a serialized message that begins with a std_msgs/Header.

    Raises `BagError` if there are not even bytes enough for one.
    """
    if len(data) < 12:
        raise BagError(f"a message of {len(data)} bytes has no header; the bag or its publisher is damaged")
    seconds, nanoseconds = struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, 4)
    return int(seconds) * 1_000_000_000 + int(nanoseconds)


class BagReader:
    """A bag as messages in the order of their log times. Use as a context manager, or close it."""

    def __init__(self, path: Path) -> None:
        """Open a .mcap or .db3 file or the folder of a bag; raises `BagError` where there is nothing to read."""
        if not path.exists() or not is_bag(path):
            raise BagError(f"no bag at '{path}'; give an .mcap file, or the folder that a recorder wrote")
        self.path = path
        self.damage = ""
        """What is wrong with the bag; empty as long as nothing was found."""
        self.topics: dict[str, str] = {}
        """Topic -> type, such as sensor_msgs/msg/Image."""
        try:
            self._whole: Reader | None = Reader(path)
            self._whole.open()
            self.topics = {one.topic: one.msgtype for one in self._whole.connections}
        except Exception as error:  # rosbags lets through whatever the damaged bytes led it into
            self._whole = None
            self._survey(error)

    def messages(self, topics: Collection[str] = ()) -> Iterator[Record]:
        """Yield the messages of some topics, or of all; at a damage it ends, and `damage` says where and what now."""
        count, last = 0, 0
        try:
            for record in self._intact(topics) if self._whole else self._salvaged():
                if not topics or record.topic in topics:
                    yield record
                count, last = count + 1, record.logged_ns
        except Exception as error:  # rosbags and mcap let through whatever the damaged bytes led them into
            self.damage = self._described(count, last, error)

    def close(self) -> None:
        """Close the files."""
        if self._whole is not None:
            self._whole.close()
            self._whole = None

    def __enter__(self) -> BagReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _intact(self, topics: Collection[str]) -> Iterator[Record]:
        assert self._whole is not None
        wanted = [one for one in self._whole.connections if not topics or one.topic in topics]
        if wanted:
            for connection, logged_ns, data in self._whole.messages(wanted):
                yield Record(connection.topic, connection.msgtype, logged_ns, data)

    def _survey(self, error: Exception) -> None:
        """Read a bag without a usable index once, to know its topics and where it breaks off."""
        count = 0
        for record in self.messages():
            self.topics[record.topic] = record.kind
            count += 1
        if not count:
            raise BagError(f"'{self.path}' holds no message that can be read: {error or type(error).__name__}")
        self.damage = self.damage or f"'{self.path}' has no usable {METADATA}, but all {count} messages are there"

    def _salvaged(self) -> Iterator[Record]:
        for file in _files(self.path):
            with file.open("rb") as stream:
                yield from _records(StreamReader(stream, validate_crcs=True).records)

    def _described(self, count: int, last: int, error: Exception) -> str:
        return (
            f"'{self.path}' is damaged: {count} messages up to {last / 1e9:.3f} s are read, what came later is lost "
            f"({str(error) or type(error).__name__}); `mcap recover` makes an intact file of them"
        )


def _files(path: Path) -> list[Path]:
    """Return the MCAP files of a bag in the order in which they were written: name_2 comes before name_10."""
    if path.is_dir():
        return sorted(path.glob("*.mcap"), key=lambda file: (len(file.name), file.name))
    return [path] if path.suffix == SUFFIXES[0] else []


def _records(records: Iterable[object]) -> Iterator[Record]:
    schemas: dict[int, str] = {}
    channels: dict[int, tuple[str, str]] = {}
    for record in records:
        if isinstance(record, Schema):
            schemas[record.id] = record.name
        elif isinstance(record, Channel):
            channels[record.id] = record.topic, schemas[record.schema_id]
        elif isinstance(record, Message):
            yield Record(*channels[record.channel_id], record.log_time, record.data)
