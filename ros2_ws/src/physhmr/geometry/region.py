"""Where in a picture a person is, as an upright rectangle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from physhmr.types import Array

SEEN = 0.3
"""Score from which a keypoint counts: the network guesses hidden limbs too."""
MARGIN = 0.1
"""Of the larger side, on every side: keypoints are inside the body, and the highest is an ear."""


@dataclass(frozen=True)
class Region:
    """Whole pixels of a picture; never empty."""

    x: int
    """Left edge, px."""
    y: int
    """Upper edge, px."""
    width: int
    height: int


def region_around(xy: Array, score: Array, width: int, height: int) -> Region | None:
    """Return the region of a `width` x `height` px picture around keypoints (K, 2) px with scores (K,).

    None if no keypoint was seen, or all that were are outside the picture.
    """
    seen = xy[score >= SEEN]
    if not len(seen):
        return None
    low, high = seen.min(0), seen.max(0)
    margin = MARGIN * float((high - low).max())
    left, upper = np.maximum(np.floor(low - margin), 0.0).astype(int)
    right, lower = np.minimum(np.ceil(high + margin), (width, height)).astype(int)
    if right <= left or lower <= upper:
        return None
    return Region(int(left), int(upper), int(right - left), int(lower - upper))
