"""How alike the joint states of two bags are: what a replayed run is judged by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rosbags.typesys import Stores, get_typestore

from physhmr.types import Array
from physhmr_ros.bags.reader import BagReader, header_stamp

JOINT_STATES = "human/joint_states"
KIND = "sensor_msgs/msg/JointState"


@dataclass(frozen=True)
class Comparison:
    """Joint states of one run beside those of another, joined by their stamps."""

    one: int
    """Joint states in the first bag."""
    other: int
    common: int
    """Stamps that both have."""
    identical: int
    """Of these, the ones with the same positions, velocities and efforts, bit for bit."""
    farthest: float
    """Largest difference of a position, rad."""

    @property
    def same(self) -> bool:
        """Whether the runs are the same, bit for bit."""
        return 0 < self.one == self.other == self.identical

    def __str__(self) -> str:
        return (
            f"{self.identical} of {self.common} common joint states are identical, largest difference "
            f"{self.farthest:.2g} rad ({self.one} in the first bag, {self.other} in the second)"
        )


def compare(one: Path, other: Path) -> Comparison:
    """Compare the joint states of two bags; raises `BagError` where there is no bag."""
    first, second = joint_states(one), joint_states(other)
    common = first.keys() & second.keys()
    return Comparison(
        one=len(first),
        other=len(second),
        common=len(common),
        identical=sum(first[stamp].tobytes() == second[stamp].tobytes() for stamp in common),
        farthest=max((float(abs(first[stamp][0] - second[stamp][0]).max()) for stamp in common), default=0.0),
    )


def joint_states(path: Path) -> dict[int, Array]:
    """Return stamp in ns -> (3, J) positions, velocities, efforts; empty if none were recorded."""
    store = get_typestore(Stores.ROS2_JAZZY)
    found = {}
    with BagReader(path) as bag:
        topics = [topic for topic, kind in bag.topics.items() if topic.endswith(JOINT_STATES) and kind == KIND]
        for record in bag.messages(topics) if topics else ():
            message = store.deserialize_cdr(record.data, KIND)
            found[header_stamp(record.data)] = np.array([message.position, message.velocity, message.effort])
    return found
