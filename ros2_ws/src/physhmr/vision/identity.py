"""Keeps the followed person apart from somebody who crosses their way.

Landmarks follow what is visible: who is hidden for a moment is mistaken for the person in front. So the detector
looks beside the followed person now and then. While another one is so near that the two may be taken for each other,
both are expected to walk on as before; when they should be apart again, the detector looks at both places, and if
there is somebody at each and the landmarks went with the other, the person's own place is taken.

A look takes as long as the landmarks do, and would make its frame late. So it may be taken after the frame's keypoints
were handed on, and what it found counts from the next frame on: the same frames give the same answers.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from physhmr.errors import ConfigError
from physhmr.types import Array, PersonBox
from physhmr.vision.detector import PeopleDetector

_log = logging.getLogger(__name__)
_BLEND = 0.15
"""Weight of a frame of 1/30 s in a walker's velocity."""
_REGION = 1.5
"""Side of a region that is looked at, in sizes of the person's box: the detector blends two people in a larger one."""
_BESIDE = 1.05
"""How far beside the person strangers are looked for, in the same sizes."""
_EXPECTED = 0.5
"""How far from where they are expected somebody known may be, in the same sizes."""


@dataclass(frozen=True)
class IdentityConfig:
    """When to look, and what counts as near; lengths in sizes of the person's box."""

    every: int = 8
    """Frames between two looks, however many people there are; 0: never look, trust the landmarks."""
    merged: float = 0.3
    """Two who come nearer than this may be mistaken for each other; it is less than a handshake."""
    apart: float = 0.45
    """Two who should be this far from each other can be told apart."""
    patience_s: float = 2.0
    """A crossing that takes longer is given up: nobody walks on as before for so long."""

    def __post_init__(self) -> None:
        if self.every < 0 or not 0 < self.merged < self.apart or self.patience_s <= 0:
            raise ConfigError("identity", "needs every >= 0, 0 < merged < apart and patience_s > 0", self)


@dataclass(frozen=True)
class Walker:
    """Somebody who walks evenly."""

    center: Array
    """(2,) px at `stamp_ns`."""
    velocity: Array
    """(2,) px/s."""
    stamp_ns: int
    looks: int = 1
    """How often they were seen."""

    def at(self, stamp_ns: int) -> Array:
        """Return where they are at another time, (2,) px."""
        return self.center + self.velocity * (stamp_ns - self.stamp_ns) * 1e-9

    def seen(self, center: Array, stamp_ns: int) -> Walker:
        """Return them after they were seen at `center`; the velocity follows slowly."""
        elapsed = (stamp_ns - self.stamp_ns) * 1e-9
        if elapsed <= 0:
            return self
        weight = 1.0 if self.looks == 1 else 1.0 - (1.0 - _BLEND) ** max(elapsed * 30.0, 1.0)
        velocity = self.velocity + weight * ((center - self.center) / elapsed - self.velocity)
        return Walker(center, velocity, stamp_ns, self.looks + 1)


@dataclass(frozen=True)
class _Look:
    """One that is due."""

    image: NDArray[np.uint8]
    place: Array
    """(2,) px, where somebody is looked for, who may be `near` sizes of `box` away from it."""
    near: float
    box: PersonBox
    """Of the followed person."""
    stamp_ns: int


class IdentityGuard:
    """Watches the followed person and the nearest other one."""

    def __init__(self, detector: PeopleDetector, config: IdentityConfig | None = None) -> None:
        """Look with `detector`, at one region at most in a frame, at two when a crossing ends."""
        self._detector, self._config = detector, config or IdentityConfig()
        self.reset()

    def reset(self) -> None:
        """Forget both."""
        self._due: _Look | None = None
        self._own: Walker | None = None
        self._other: Walker | None = None
        self._merged_ns: int | None = None
        self._frames, self._side = 0, 1.0

    def check(self, image: NDArray[np.uint8], box: PersonBox, stamp_ns: int) -> PersonBox:
        """Return `box`, where the landmarks say the person is, or where they are if the landmarks took another one.

        Call it for each frame of one person; `image` is RGB (H, W, 3), and stays as it is until the look is taken.
        """
        if not self._config.every:
            return box
        self._frames += 1
        self.look()
        if self._own is not None and self._other is not None and self._merged_ns is not None:
            return self._crossing(image, box, self._own, self._other, stamp_ns)
        own = _seen(self._own, box.center, stamp_ns)
        self._own = own
        if self._frames >= self._config.every:
            self._frames = 0
            self._due = self._next_look(image, box, stamp_ns)
        if self._other is not None and _distance(own.center, self._other.at(stamp_ns), box) < self._config.merged:
            self._merged_ns = stamp_ns
        return box

    def look(self) -> bool:
        """Take the look that is due, and say whether one was; what is not taken so, the next `check` takes."""
        if self._due is None:
            return False
        self._other, self._due = self._found(self._due), None
        return True

    def _crossing(
        self, image: NDArray[np.uint8], box: PersonBox, own: Walker, other: Walker, stamp_ns: int
    ) -> PersonBox:
        """Nobody is trusted to be who they seem until the two should be apart."""
        places = own.at(stamp_ns), other.at(stamp_ns)
        if self._merged_ns is None or stamp_ns - self._merged_ns > self._config.patience_s * 1e9:
            self.reset()
            return box
        if _distance(*places, box) < self._config.apart or self._frames < 2:
            return box
        self._frames = 0
        mine, theirs = (self._person_at(image, place, box) for place in places)
        if mine is None or theirs is None or _distance(mine.center, theirs.center, box) < self._config.merged:
            return box
        self._own = replace(own, center=mine.center, stamp_ns=stamp_ns)
        self._other, self._merged_ns = replace(other, center=theirs.center, stamp_ns=stamp_ns), None
        mistaken = _distance(box.center, theirs.center, box) < _distance(box.center, mine.center, box)
        if mistaken:
            _log.warning("the landmarks had taken another person for the one who is followed; put back")
        return mine if mistaken else box

    def _next_look(self, image: NDArray[np.uint8], box: PersonBox, stamp_ns: int) -> _Look:
        """Look where the other one should be; without one, to the left and to the right in turns."""
        if self._other is not None:
            place, near = self._other.at(stamp_ns), _EXPECTED
        else:
            self._side = -self._side
            place, near = box.center + np.array([self._side * _BESIDE * box.size, 0.0]), 0.5 * _REGION
        return _Look(image, place, near, box, stamp_ns)

    def _found(self, look: _Look) -> Walker | None:
        """The other one after a look."""
        found = self._person_at(look.image, look.place, look.box, look.near)
        if found is not None and _distance(found.center, look.box.center, look.box) >= self._config.merged:
            return _seen(self._other, found.center, look.stamp_ns)
        # Who is expected close by is not gone: the two have become one detection.
        close = self._other is not None and _distance(look.place, look.box.center, look.box) < self._config.apart
        return self._other if close else None

    def _person_at(
        self, image: NDArray[np.uint8], place: Array, box: PersonBox, near: float = _EXPECTED
    ) -> PersonBox | None:
        """The person nearest to `place` (2,) px, and not farther away than `near` sizes."""
        region = replace(box, center=place, size=_REGION * box.size, rotation=0.0)
        people = self._detector.detect(image, region)
        best = min(people, key=lambda one: _distance(one.center, place, box), default=None)
        return best if best is not None and _distance(best.center, place, box) <= near else None


def _seen(walker: Walker | None, center: Array, stamp_ns: int) -> Walker:
    return Walker(center, np.zeros(2), stamp_ns) if walker is None else walker.seen(center, stamp_ns)


def _distance(one: Array, other: Array, box: PersonBox) -> float:
    """In sizes of the box."""
    return float(np.linalg.norm(one - other)) / box.size
