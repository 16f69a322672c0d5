"""What somebody wears, as far as it tells them from others: the colours of the trunk."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from physhmr.types import Array, PersonBox
from physhmr.vision.preprocess import crop

_SIDE = 24
"""px of the crop: colours need no more."""
_RISE, _EXTENT = 0.12, 0.22
"""Middle of the trunk above the hips, and its size, in sizes of the person's box."""
_BINS = (8, 4, 4)
"""Of hue, saturation and brightness."""
_RANGES = (0, 180, 0, 256, 0, 256)


def colours(image: NDArray[np.uint8], box: PersonBox) -> Array:
    """Return the root of the trunk's colour distribution (128,), of unit length; `image` is RGB (H, W, 3)."""
    up = np.array([np.sin(box.rotation), -np.cos(box.rotation)])
    trunk = replace(box, center=box.center + _RISE * box.size * up, size=_EXTENT * box.size)
    pixels = cv2.cvtColor(crop(image, trunk, _SIDE, replicate_border=True), cv2.COLOR_RGB2HSV)
    counts = cv2.calcHist([pixels], [0, 1, 2], None, list(_BINS), list(_RANGES))
    return np.sqrt(counts.ravel() / counts.sum())


def likeness(one: Array, other: Array) -> float:
    """Return how alike two of them are, from 0 to 1 (Bhattacharyya's coefficient)."""
    return float(one @ other)
