"""Which of several people is followed: the choice when nobody is yet, and who counts as the same one later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from physhmr.config import SELECTIONS, PerceptionConfig
from physhmr.errors import ConfigError
from physhmr.types import Array, PersonBox
from physhmr.vision.preprocess import square_box

_NEIGHBOURHOOD = 0.5
"""Side of the region around a pixel that is looked at first, of the image's shorter side."""


@dataclass(frozen=True)
class Selection:
    """Whom to follow among all that are in view."""

    rule: str = "largest"
    """`largest`; `centre`, nearest to the picture's; `pixel`, who is under it: nobody else will do."""
    pixel: tuple[float, float] = (0.0, 0.0)
    """x, y in px of the original image."""

    def __post_init__(self) -> None:
        if self.rule not in SELECTIONS:
            raise ConfigError("select", f"must be one of {', '.join(SELECTIONS)}", self.rule)
        if not np.isfinite(self.pixel).all():
            raise ConfigError("select_x, select_y", "must be finite", self.pixel)

    def best(self, people: Sequence[PersonBox], width: int, height: int) -> PersonBox | None:
        """Return the one to follow in an image of that size in px, None if no one fits."""
        if self.rule == "largest":
            return max(people, key=lambda box: box.size, default=None)
        middle = np.array(self.pixel if self.rule == "pixel" else (width / 2, height / 2))
        if self.rule == "centre":
            return min(people, key=lambda box: float(np.linalg.norm(box.center - middle)), default=None)
        under = [box for box in people if _off_centre(box, middle) <= 0.5]
        return min(under, key=lambda box: _off_centre(box, middle), default=None)

    def first_region(self, width: int, height: int) -> PersonBox | None:
        """Return where to look before anywhere else: around the pixel, where also somebody small is found."""
        if self.rule != "pixel":
            return None
        side = _NEIGHBOURHOOD * min(width, height)
        return square_box(self.pixel[0] - side / 2, self.pixel[1] - side / 2, side)


def selection_of(config: PerceptionConfig) -> Selection:
    """Return whom the parameters want to be followed; the pixel counts only for that rule."""
    if config.select != "pixel":
        return Selection(config.select)
    return Selection(config.select, (config.select_x, config.select_y))


@dataclass(frozen=True)
class Reach:
    """How far from where they were somebody lost may be found again; lengths in sizes of their box."""

    margin: float = 0.6
    """At once."""
    speed: float = 1.5
    """More for each second: a fast run."""
    patience_s: float = 1.0
    """Later, whoever is most like them will do."""

    def __post_init__(self) -> None:
        if not (self.margin > 0 and self.speed >= 0 and self.patience_s >= 0):
            raise ConfigError("reach", "needs margin > 0, speed >= 0 and patience_s >= 0", self)

    def same(self, people: Sequence[PersonBox], last: PersonBox, elapsed_s: float) -> PersonBox | None:
        """Return who is most like `last`, seen `elapsed_s` ago, or None if that can only be somebody else."""
        best = min(people, key=lambda box: unlikeness(box, last), default=None)
        if best is None or elapsed_s > self.patience_s:
            return best
        return best if unlikeness(best, last) <= self.margin + self.speed * elapsed_s else None


def unlikeness(box: PersonBox, last: PersonBox) -> float:
    """Displacement in body sizes plus the log ratio of the sizes."""
    shift: Array = (box.center - last.center) / last.size
    return float(np.linalg.norm(shift) + abs(np.log(box.size / last.size)))


def _off_centre(box: PersonBox, pixel: Array) -> float:
    """How far a pixel is from the middle of a box, in its sizes and along its sides: 0.5 at the border."""
    c, s = np.cos(box.rotation), np.sin(box.rotation)
    return float(np.abs((pixel - box.center) @ np.array([[c, -s], [s, c]])).max()) / box.size
