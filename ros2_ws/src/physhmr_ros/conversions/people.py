"""Everybody in view to its message."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from physhmr.vision.person import Person
from physhmr_msgs.msg import People
from physhmr_ros.conversions.primitives import doubles, header


def to_message(stamp_ns: int, people: Sequence[Person], frame_id: str) -> People:
    """Return who is in the image taken at `stamp_ns` by the camera `frame_id`, the followed person first."""
    boxes = [person.box for person in people]
    return People(
        header=header(stamp_ns, frame_id),
        ids=[person.id for person in people],
        center=doubles(np.array([box.center for box in boxes])),
        size=doubles(np.array([box.size for box in boxes])),
        rotation=doubles(np.array([box.rotation for box in boxes])),
        score=doubles(np.array([box.score for box in boxes])),
        unseen=doubles(np.array([person.unseen_s for person in people])),
        followed=bool(people) and people[0].followed,
    )
