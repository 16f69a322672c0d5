"""Writes rosbag2 bags: MCAP with zstd chunks, types and QoS as `ros2 bag` expects them, and never a full disk."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from rosbags.interfaces import Qos
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from physhmr.errors import BagError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

OWN_MESSAGES = "physhmr_msgs"
FASTEST = 1
"""zstd's level: raw video costs less than half the time of the default level, for 6 % more bytes."""


class BagWriter:
    """A bag that grows until it is closed. Use as a context manager, or close it."""

    def __init__(self, path: Path, min_free: int) -> None:
        """Create the folder `path` with its .mcap file; `min_free` bytes are left free on its disk.

        Raises `BagError` if it exists, cannot be created, or the disk has less room than that.
        """
        self.path, self.min_free = path, min_free
        self.count = self.bytes = 0
        """Messages so far, and their bytes before compression."""
        self._check_space(next(parent for parent in path.absolute().parents if parent.exists()))
        try:
            self._writer = Writer(path, version=Writer.VERSION_LATEST, storage_plugin=StoragePlugin.MCAP)
            self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
            self._writer.open()
        except Exception as error:  # rosbags' own WriterError has no base besides Exception
            raise BagError(f"cannot record to '{path}': {error}; name another folder") from error
        # rosbags writes no checksums, and a flipped bit would be read as if nothing had happened.
        self._writer.storage.compressor = compressed
        self._connections: dict[str, object] = {}

    def add(self, topic: str, kind: str, offered: Sequence[Qos] = ()) -> None:
        """Announce a topic of messages `kind`, such as sensor_msgs/msg/Image, before the first one is written."""
        self._connections[topic] = self._writer.add_connection(
            topic, kind, typestore=typestore(), offered_qos_profiles=offered
        )

    def write(self, topic: str, logged_ns: int, data: bytes) -> None:
        """Append a serialized message; raises `BagError` when the disk is as good as full, or fails."""
        try:
            self._check_space(self.path)
            self._writer.write(self._connections[topic], logged_ns, data)
        except OSError as error:
            raise BagError(f"cannot write to '{self.path}': {error.strerror}") from error
        self.count += 1
        self.bytes += len(data)

    def close(self) -> None:
        """Write what is pending, the index and the metadata; raises `BagError` if the disk fails."""
        try:
            self._writer.close()
        except OSError as error:
            raise BagError(
                f"'{self.path}' could not be closed ({error.strerror}): it has no index, and is readable up to its end"
            ) from error

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_space(self, folder: Path) -> None:
        disk = os.statvfs(folder)
        free = disk.f_bavail * disk.f_frsize
        if free < self.min_free:
            raise BagError(
                f"only {free / 2**20:.0f} MiB are free for '{self.path}', {self.min_free / 2**20:.0f} are to be left: "
                "delete something, record elsewhere, or lower recorder.min_free"
            )


def compressed(raw: bytes) -> bytes:
    """Return `raw` as a zstd frame with a checksum."""
    parameter = zstd.CompressionParameter
    options: dict[int, int] = {parameter.compression_level: FASTEST, parameter.checksum_flag: 1}
    return zstd.compress(raw, options=options)


@cache
def typestore() -> Typestore:
    """Return the definitions of Jazzy's message types and of ours."""
    store = get_typestore(Stores.ROS2_JAZZY)
    for file in sorted(Path(get_package_share_directory(OWN_MESSAGES), "msg").glob("*.msg")):
        store.register(get_types_from_msg(file.read_text(encoding="utf-8"), f"{OWN_MESSAGES}/msg/{file.stem}"))
    return store
