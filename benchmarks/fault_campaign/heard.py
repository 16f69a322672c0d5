"""What the campaign heard from the chain, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from physhmr.types import Array


@dataclass(frozen=True)
class Told:
    """One HumanState."""

    at: float
    """`time.monotonic` seconds of its arrival."""
    state: str
    """`tracking` and so on."""
    fresh: bool
    """Made of the rays of a new image."""
    falls: int
    """Since that policy node was activated."""


@dataclass
class Heard:
    """Everything that was published so far, by topic."""

    states: list[Told] = field(default_factory=list)
    messages: dict[str, int] = field(default_factory=dict)
    non_finite: dict[str, int] = field(default_factory=dict)
    """Numbers that are NaN or infinite."""
    stamps_back: dict[str, int] = field(default_factory=dict)
    """Stamps that are not later than the one before of the same topic, and TF child frame."""
    newest: dict[str, int] = field(default_factory=dict)
    """Stamp in ns by topic, or by topic and child frame."""
    hips_w: dict[int, Array] = field(default_factory=dict)
    """(3,) direction of the followed person's hips by the image's stamp in ns."""

    def note(self, topic: str, stamps: dict[str, int], numbers: Array) -> None:
        """Count one message of `topic` that holds `numbers` (N,) and a stamp in ns for each child frame."""
        self.messages[topic] = self.messages.get(topic, 0) + 1
        self.non_finite[topic] = self.non_finite.get(topic, 0) + int(np.count_nonzero(~np.isfinite(numbers)))
        for child, stamp_ns in stamps.items():
            key = f"{topic} {child}".strip()
            back = stamp_ns <= self.newest.get(key, -1)
            self.stamps_back[topic] = self.stamps_back.get(topic, 0) + back
            self.newest[key] = stamp_ns
