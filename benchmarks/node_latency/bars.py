"""What the measured figures are held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Bar:
    """One figure and the most it may be."""

    what: str
    unit: str
    most: float
    value: float | None
    """None: not measured, such as growth in a short run."""

    @property
    def holds(self) -> bool | None:
        """Whether the bar holds; None if the figure was not measured."""
        return None if self.value is None else self.value <= self.most


def bars(figures: Mapping[str, Any]) -> tuple[Bar, ...]:
    """Return the bars of issue 2 for the figures of one run, in the layout of the result file."""
    latency, outputs, processes = figures["latency_ms"], figures["outputs"], figures["processes"]

    def grown(key: str) -> float | None:
        values = [process[key] for process in processes.values()]
        return None if None in values else max(values)

    return (
        Bar("image stamp to joint state, median", "ms", 45.0, latency["p50"]),
        Bar("image stamp to joint state, p99", "ms", 90.0, latency["p99"]),
        Bar("control tick, p99", "ms", 5.0, figures["control_tick_ms"]["p99"]),
        Bar("late outputs", "", 0, outputs["late"]),
        Bar("missing outputs", "", 0, outputs["missing"]),
        Bar("non-finite numbers", "", 0, outputs["non_finite"]),
        Bar("stamps that do not increase", "", 0, outputs["stamps_not_increasing"]),
        Bar("latency grows, second quarter to last", "ms", 5.0, latency["drift"]),
        Bar("memory grows, worst process", "MiB/min", 0.5, grown("rss_slope_mb_per_min")),
        Bar("memory after the first minute grows, worst", "%", 2.0, grown("rss_grown_percent")),
        Bar("open files grow, worst process", "", 0, grown("fds_grown")),
        Bar("threads grow, worst process", "", 0, grown("threads_grown")),
        Bar("processes that ended badly", "", 0, sum(process["exit_code"] != 0 for process in processes.values())),
    )
