"""What was heard from the chain in one run, as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Output:
    """One joint state."""

    stamp_ns: int
    received_ns: int
    """Wall time at which it reached this process."""
    non_finite: int
    """Numbers in it that are NaN or infinite."""


@dataclass(frozen=True)
class Told:
    """One entry of a DiagnosticArray."""

    at: float
    """`time.monotonic` seconds."""
    name: str
    level: int
    message: str
    values: Mapping[str, float]


@dataclass
class Recording:
    """Everything heard so far, in the order of arrival."""

    images: list[int] = field(default_factory=list)
    """Stamps in ns."""
    outputs: list[Output] = field(default_factory=list)
    fresh: set[int] = field(default_factory=set)
    """Stamps (ns) of joint states that were made from the rays of a new image."""
    told: list[Told] = field(default_factory=list)
