"""Everybody in view, each with a number of their own: one look of the detector in so many frames, however many.

Looks go to the whole picture; where the detector needs larger people, they take turns: at the neighbourhood of whoever
was not looked for for longest, and at the next part of the picture, where somebody new may be. In between everybody
walks on as before. Where two are so near that they may be taken for each other, what the detector finds says nothing of
who is who, and both are expected to walk on until they are apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from physhmr.errors import ConfigError
from physhmr.types import Array, PersonBox
from physhmr.vision.appearance import colours, likeness
from physhmr.vision.detector import PeopleDetector
from physhmr.vision.person import Person
from physhmr.vision.search import search_regions, whole_image
from physhmr.vision.selection import unlikeness
from physhmr.vision.walk import Walk, first_seen

_REGION = 1.5
"""Side of a known person's neighbourhood, in sizes of their box: the detector blends two people in a larger one."""
_CLOTHES = 0.5
"""How much other colours count, in sizes of the box."""
_CERTAIN = 2
"""So often somebody is seen before they are told of."""
_GONE = 3
"""Whoever is looked for so often in vain is forgotten in half the time."""


@dataclass(frozen=True)
class PeopleConfig:
    """When to look, and who counts as the same; lengths in sizes of a person's box."""

    every: int = 4
    """Frames between two looks; 0: nobody but the followed person is known."""
    near: float = 0.5
    """Whoever is found farther from where a person is expected is somebody else."""
    merged: float = 0.3
    """Two who are nearer to each other than this may be mistaken for each other."""
    memory_s: float = 2.0
    """Whoever was not seen for so long is forgotten."""

    def __post_init__(self) -> None:
        if self.every < 0 or not 0 < self.merged < self.near or self.memory_s <= 0:
            raise ConfigError("people", "needs every >= 0, 0 < merged < near and memory_s > 0", self)


@dataclass(frozen=True)
class Track:
    """One person: how they walk, what they wear, when they were looked for and how often in vain since."""

    id: int
    walk: Walk
    colours: Array
    looked_ns: int
    misses: int = 0


class PeopleTracker:
    """Gives everybody in a stream of frames a number; the followed person's box comes from their landmarks."""

    def __init__(self, detector: PeopleDetector, config: PeopleConfig | None = None) -> None:
        """Know nobody yet; look with `detector`."""
        self._detector, self._config = detector, config or PeopleConfig()
        self._last_id = 0
        self.reset()

    def reset(self) -> None:
        """Forget everybody; nobody gets a number that was somebody's before."""
        self._tracks: dict[int, Track] = {}
        self._followed: int | None = None
        self._image: NDArray[np.uint8] | None = None
        self._stamp_ns = 0
        self._frames = self._looks = 0
        self._regions: Iterator[PersonBox] | None = None

    def release(self) -> None:
        """Nobody is followed any more: whoever is next may be somebody else who is known."""
        self._followed = None

    def step(self, image: NDArray[np.uint8], stamp_ns: int, followed: PersonBox | None) -> None:
        """Take over a frame, RGB (H, W, 3), and where the followed person is in it, None while nobody is followed.

        The image stays as it is until the next step.
        """
        if self._image is not None and (stamp_ns <= self._stamp_ns or image.shape != self._image.shape):
            self.reset()  # another stream: nobody is where they were
        self._image, self._stamp_ns = image, stamp_ns
        self._frames += 1
        if followed is None:
            self.release()
        else:
            self._follow(image, followed)
        self._tracks = {number: one for number, one in self._tracks.items() if self._remembered(one, image)}

    def look(self) -> None:
        """Take one look at the newest frame, if one is due."""
        if self._image is None or not self._config.every or self._frames < self._config.every:
            return
        self._frames = 0
        region = self._next_region(self._image)
        self._recognise(self._image, region, self._detector.detect(self._image, region))

    @property
    def people(self) -> tuple[Person, ...]:
        """Everybody at the newest frame, the followed person first, then those who are known for longest."""
        told = [one for one in self._tracks.values() if one.id == self._followed or one.walk.sightings >= _CERTAIN]
        return tuple(
            Person(one.id, self._place(one), 1e-9 * (self._stamp_ns - one.walk.stamp_ns), one.id == self._followed)
            for one in sorted(told, key=lambda one: (one.id != self._followed, one.id))
        )

    def _follow(self, image: NDArray[np.uint8], box: PersonBox) -> None:
        """The landmarks know where the followed person is, and may have just taken up somebody who is known."""
        if self._followed not in self._tracks:
            known = min(self._tracks.values(), key=lambda one: unlikeness(box, self._place(one)), default=None)
            near = known is not None and _apart(box, self._place(known)) <= self._config.near
            self._followed = known.id if known is not None and near else self._begin(box, colours(image, box))
        one = self._tracks[self._followed]
        self._tracks[one.id] = replace(one, walk=one.walk.led(box, self._stamp_ns), misses=0)

    def _begin(self, box: PersonBox, worn: Array) -> int:
        """The number of somebody new."""
        self._last_id += 1
        self._tracks[self._last_id] = Track(self._last_id, first_seen(box, self._stamp_ns), worn, self._stamp_ns)
        return self._last_id

    def _remembered(self, one: Track, image: NDArray[np.uint8]) -> bool:
        """Whether somebody may still be in view."""
        height, width = image.shape[:2]
        (x, y), unseen_s = self._place(one).center, 1e-9 * (self._stamp_ns - one.walk.stamp_ns)
        patience_s = self._config.memory_s / (2 if one.misses >= _GONE else 1)
        return bool(unseen_s <= patience_s and 0 <= x < width and 0 <= y < height) or one.id == self._followed

    def _next_region(self, image: NDArray[np.uint8]) -> PersonBox:
        """All of the picture where that is enough, else a known person's neighbourhood and a part of it in turns."""
        if self._detector.sees_all:
            return whole_image(image.shape[1], image.shape[0])
        self._looks += 1
        others = [one for one in self._tracks.values() if one.id != self._followed]
        if others and self._looks % 2:
            box = self._place(min(others, key=lambda one: one.looked_ns))
            return replace(box, size=_REGION * box.size, rotation=0.0)
        self._regions = self._regions or regions_in_turn(image.shape[1], image.shape[0])
        return next(self._regions)

    def _recognise(self, image: NDArray[np.uint8], region: PersonBox, found: Sequence[PersonBox]) -> None:
        """Give each that was found in the region to whom they are most like, or a new number."""
        known = [one for one in self._tracks.values() if _inside(self._place(one), region)]
        worn = [colours(image, box) for box in found]
        match = self._matched(known, found, worn)
        merged = {one.id for one in known if self._merged(one)}
        for one in known:
            self._tracks[one.id] = self._looked_for(one, one.id in merged, match, found, worn)
        for index in set(range(len(found))) - set(match.values()):
            if all(_apart(found[index], self._place(one)) > self._config.near for one in self._tracks.values()):
                self._begin(found[index], worn[index])

    def _looked_for(
        self, one: Track, merged: bool, match: dict[int, int], found: Sequence[PersonBox], worn: Sequence[Array]
    ) -> Track:
        """Somebody after a look; their landmarks say more exactly where the followed person is."""
        one = replace(one, looked_ns=self._stamp_ns)
        if merged or one.id == self._followed:
            return one
        if one.id not in match:
            return replace(one, misses=one.misses + 1)
        index = match[one.id]
        return replace(one, walk=one.walk.seen(found[index], self._stamp_ns), colours=worn[index], misses=0)

    def _matched(self, known: Sequence[Track], found: Sequence[PersonBox], worn: Sequence[Array]) -> dict[int, int]:
        """Number -> row of what was found, such that all together are most alike, and nobody is far away."""
        unlike = np.empty((len(known), len(found)))
        for row, one in enumerate(known):
            for column, (box, colour) in enumerate(zip(found, worn, strict=True)):
                other_clothes = _CLOTHES * (1.0 - likeness(one.colours, colour))
                unlike[row, column] = unlikeness(box, self._place(one)) + other_clothes
        pairs = ((known[row], int(column)) for row, column in zip(*linear_sum_assignment(unlike), strict=True))
        return {one.id: index for one, index in pairs if _apart(found[index], self._place(one)) <= self._config.near}

    def _merged(self, one: Track) -> bool:
        """Whether somebody else is expected so near that they may be taken for each other."""
        others = (other for other in self._tracks.values() if other.id != one.id)
        return any(_apart(self._place(one), self._place(other)) < self._config.merged for other in others)

    def _place(self, one: Track) -> PersonBox:
        return one.walk.at(self._stamp_ns)


def regions_in_turn(width: int, height: int) -> Iterator[PersonBox]:
    """Go through the whole picture and its large tiles, in turns with the small ones, again and again."""
    regions = search_regions(width, height)
    side = min(width, height)
    large = cycle([region for region in regions if region.size >= side])
    small = cycle([region for region in regions if region.size < side])
    while True:
        yield next(large)
        yield next(small)


def _inside(box: PersonBox, region: PersonBox) -> bool:
    return bool((np.abs(box.center - region.center) <= region.size / 2).all())


def _apart(one: PersonBox, other: PersonBox) -> float:
    """In sizes of the larger box."""
    return float(np.linalg.norm(one.center - other.center)) / max(one.size, other.size)
