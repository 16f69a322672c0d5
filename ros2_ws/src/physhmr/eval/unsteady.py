"""The same clip as a busy machine sees it: some images come a control step late, some never.

Balance is a matter of small differences: one run that falls or does not says little. Several unsteady ones say how
often to expect a fall live.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from physhmr.eval.evaluate import Control
from physhmr.types import RayBundle

LATE, LOST = 0.1, 0.1
"""Shares of the images."""

Seen = tuple[int, RayBundle | None]
"""Stamp of an image in ns, and the rays of the person in it."""


def unsteady(images: Iterable[Seen], random: np.random.Generator) -> Iterator[Seen]:
    """The rays that are there at each image's stamp, the newest of them; as they were seen, but for the stamp."""
    held: RayBundle | None = None
    for stamp_ns, rays in images:
        fate = random.random()
        delivered, held = (held, rays) if fate < LATE else (held if fate < LATE + LOST else rays, None)
        yield stamp_ns, None if delivered is None else replace(delivered, stamp_ns=stamp_ns)


def count_falls(images: Iterable[Seen], control: Control) -> int:
    """Falls and divergences of a fresh `control` that follows `images`."""
    counters = {"falls": 0, "divergences": 0}
    for stamp_ns, rays in images:
        estimate = control.advance(stamp_ns, rays)
        counters |= {} if estimate is None else estimate.counters
    return counters["falls"] + counters["divergences"]
