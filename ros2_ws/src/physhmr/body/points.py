"""Points fixed in bodies: what a camera sees of one, what touches the floor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from physhmr.body.skeleton import BODY_INDEX
from physhmr.types import Array


@dataclass(frozen=True)
class BodyPoint:
    """A point fixed in a body's frame."""

    body: str
    offset_b: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """m."""


def place_points(points: tuple[BodyPoint, ...], body_pos_w: Array, body_rot_w: Array) -> Array:
    """World positions (..., P, 3) of `points` for body poses (..., 24, 3), (..., 24, 3, 3)."""
    index = [BODY_INDEX[point.body] for point in points]
    offsets = np.array([point.offset_b for point in points])
    return body_pos_w[..., index, :] + (body_rot_w[..., index, :, :] @ offsets[:, :, None])[..., 0]
