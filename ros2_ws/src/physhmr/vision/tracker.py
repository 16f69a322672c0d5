"""Detect once, then follow: keeps the region of one person from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from physhmr.errors import ConfigError
from physhmr.types import PersonBox
from physhmr.vision.detector import PeopleDetector
from physhmr.vision.search import RegionSearch
from physhmr.vision.selection import Reach, Selection


@dataclass(frozen=True)
class TrackerConfig:
    """How to find a person and when to give one up."""

    select: Selection = field(default_factory=Selection)
    """Whom to follow when several are in view."""
    regions_per_frame: int = 2
    """Detector runs in one frame while searching; bounds the cost of a frame without a person."""
    search_area: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    """Left, top, right, bottom as fractions of the image; people whose hips are outside are ignored."""
    lost_zoom: float = 2.0
    """Someone just lost is first looked for in a region this much larger than theirs."""
    memory_s: float = 3.0
    """So long a lost person is preferred over those whom `select` would take."""
    reach: Reach = field(default_factory=Reach)
    """Who may be the lost person."""
    min_size: float = 24.0
    """px; smaller regions hold no usable person."""

    def __post_init__(self) -> None:
        left, top, right, bottom = self.search_area
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
            raise ConfigError("search_area", "must be left < right and top < bottom within 0..1", self.search_area)
        if self.regions_per_frame < 1:
            raise ConfigError("regions_per_frame", "must be at least 1", self.regions_per_frame)


class PersonTracker:
    """The region of one person: found by the detector, then handed on by the landmarks."""

    def __init__(self, detector: PeopleDetector, config: TrackerConfig | None = None) -> None:
        """Start without a person."""
        self._detector = detector
        self._config = config or TrackerConfig()
        self._select = self._config.select
        self.reset()

    def reset(self) -> None:
        """Forget the person."""
        self._box: PersonBox | None = None
        self._last: PersonBox | None = None
        self._last_ns = 0
        self._search: RegionSearch | None = None

    def select(self, selection: Selection) -> None:
        """Forget the person, and choose anew."""
        self._select = selection
        self.reset()

    @property
    def tracking(self) -> bool:
        """Whether the next frame starts from a known region."""
        return self._box is not None

    def locate(self, image: NDArray[np.uint8], stamp_ns: int) -> PersonBox | None:
        """Return where to look for landmarks in the RGB image (H, W, 3), or None if this frame shows nobody."""
        height, width = image.shape[:2]
        if self._box is not None and not self._usable(self._box, width, height):
            self.lose()
        return self._look(image, stamp_ns) if self._box is None else self._box

    def follow(self, box: PersonBox, stamp_ns: int) -> None:
        """Confirm the person; the next frame starts from `box`."""
        self._box = self._last = box
        self._last_ns = stamp_ns
        self._search = None

    def lose(self) -> None:
        """Give the region up: it held no person, so the next look is a search."""
        self._box = None

    def _look(self, image: NDArray[np.uint8], stamp_ns: int) -> PersonBox | None:
        height, width = image.shape[:2]
        elapsed_s = (stamp_ns - self._last_ns) * 1e-9
        last = self._last if 0 <= elapsed_s <= self._config.memory_s else None
        if self._search is None or self._search.size != (width, height):
            beside = last and replace(last, size=last.size * self._config.lost_zoom, rotation=0.0)
            first = beside or self._select.first_region(width, height)
            self._search = RegionSearch(width, height, self._config.regions_per_frame, first)
        for region in self._search.next_regions():
            people = [box for box in self._detector.detect(image, region) if self._usable(box, width, height)]
            same = last and self._config.reach.same(people, last, elapsed_s)
            found = same if last else self._select.best(people, width, height)
            if found is not None:
                return found
        return None

    def _usable(self, box: PersonBox, width: int, height: int) -> bool:
        left, top, right, bottom = np.array(self._config.search_area) * [width, height, width, height]
        x, y = box.center
        return bool(left <= x <= right and top <= y <= bottom and box.size >= self._config.min_size)
