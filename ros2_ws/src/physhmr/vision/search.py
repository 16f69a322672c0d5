"""Where to look for a person: the whole picture first, then overlapping tiles, a few regions a frame."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice

import numpy as np

from physhmr.types import PersonBox
from physhmr.vision.preprocess import square_box

_TILE_FRACTIONS = (1.0, 0.5)  # of the shorter image side


def whole_image(width: int, height: int) -> PersonBox:
    """Return the smallest centred square that holds the image; what sticks out is black."""
    side = max(width, height)
    return square_box((width - side) / 2, (height - side) / 2, side)


def tiles(width: int, height: int, side: float) -> list[PersonBox]:
    """Cover the image with squares of `side` px that overlap their neighbours by half or more, row by row."""
    return [square_box(x, y, side) for y in _starts(height, side) for x in _starts(width, side)]


def search_regions(width: int, height: int) -> list[PersonBox]:
    """Return all regions of a `width` x `height` image, large ones first."""
    sides = [fraction * min(width, height) for fraction in _TILE_FRACTIONS]
    return [whole_image(width, height), *(tile for side in sides for tile in tiles(width, height, side))]


class RegionSearch:
    """Goes through the regions of one image size, a few a frame, again and again."""

    def __init__(self, width: int, height: int, per_frame: int, first: PersonBox | None = None) -> None:
        """Begin with `first`, the neighbourhood of someone just lost, if there is one."""
        self.size = (width, height)
        self._per_frame = per_frame
        self._regions: Iterator[PersonBox] = cycle(search_regions(width, height))
        self._first = first

    def next_regions(self) -> list[PersonBox]:
        """Return the regions to look at in this frame."""
        regions = [] if self._first is None else [self._first]
        self._first = None
        return [*regions, *islice(self._regions, self._per_frame - len(regions))]


def _starts(length: int, side: float) -> list[float]:
    count = int(np.ceil(2.0 * (length - side) / side - 1e-9)) + 1
    return np.linspace(0.0, length - side, max(count, 1)).tolist()
