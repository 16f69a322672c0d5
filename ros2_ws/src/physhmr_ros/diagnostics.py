"""Numbers for /diagnostics: histograms of milliseconds in bounded memory, and reports with a level."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

BIN_MS = 0.25
BINS = 8000
"""The last bin holds everything from two seconds on."""


class Level(IntEnum):
    """diagnostic_msgs/DiagnosticStatus levels."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


@dataclass(frozen=True)
class Report:
    """One entry of a DiagnosticArray."""

    name: str
    level: Level
    message: str
    values: Mapping[str, float | int | str] = field(default_factory=dict)


class Histogram:
    """Counts of durations; quantiles are exact to `BIN_MS`. Safe between threads."""

    def __init__(self) -> None:
        self._counts = np.zeros(BINS, np.int64)
        self._lock = threading.Lock()

    def add(self, ms: float) -> None:
        """Count one duration."""
        with self._lock:
            self._counts[min(max(int(ms / BIN_MS), 0), BINS - 1)] += 1

    @property
    def count(self) -> int:
        """Durations so far."""
        return int(self._counts.sum())

    def quantile(self, q: float) -> float:
        """Return the duration in ms below which the fraction `q` lies; 0 if there is none."""
        with self._lock:
            cumulated = np.cumsum(self._counts)
        if not cumulated[-1]:
            return 0.0
        return BIN_MS * (int(np.searchsorted(cumulated, max(q * cumulated[-1], 1.0))) + 0.5)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._counts[:] = 0


class StageClock:
    """Milliseconds per stage: of the last second for /diagnostics, of the whole run for the summary."""

    def __init__(self) -> None:
        self._recent: dict[str, Histogram] = {}
        self._total: dict[str, Histogram] = {}

    def add(self, stage_ms: Mapping[str, float]) -> None:
        """Count one pass through the stages."""
        for stage, ms in stage_ms.items():
            if stage not in self._total:
                self._recent[stage], self._total[stage] = Histogram(), Histogram()
            self._recent[stage].add(ms)
            self._total[stage].add(ms)

    def count(self, stage: str) -> int:
        """Return how often the stage ran since the last report."""
        return self._recent[stage].count if stage in self._recent else 0

    def report(self) -> dict[str, float]:
        """Return median and 99 % quantile of each stage since the last report, and start anew."""
        values = _quantiles(self._recent)
        for histogram in list(self._recent.values()):
            histogram.clear()
        return values

    def summary(self) -> dict[str, float]:
        """Return median and 99 % quantile of each stage over the whole run."""
        return _quantiles(self._total)


class Gauges:
    """Mean, least and largest of physical readings since the last report. Safe between threads."""

    def __init__(self) -> None:
        self._readings: dict[str, tuple[int, float, float, float]] = {}
        self._lock = threading.Lock()

    def add(self, values: Mapping[str, float | None]) -> None:
        """Take one reading of each; None: there is none now."""
        with self._lock:
            for name, value in values.items():
                if value is not None:
                    count, total, least, largest = self._readings.get(name, (0, 0.0, value, value))
                    self._readings[name] = count + 1, total + value, min(least, value), max(largest, value)

    def report(self) -> dict[str, float]:
        """Return `<name>_mean`, `_min` and `_max` of whatever was read since the last report, and start anew."""
        with self._lock:
            readings, self._readings = self._readings, {}
        values: dict[str, float] = {}
        for name, (count, total, least, largest) in readings.items():
            values |= {f"{name}_mean": total / count, f"{name}_min": least, f"{name}_max": largest}
        return values


def _quantiles(stages: Mapping[str, Histogram]) -> dict[str, float]:
    values = {}
    for stage, histogram in list(stages.items()):
        values[f"{stage}_ms_p50"] = histogram.quantile(0.5)
        values[f"{stage}_ms_p99"] = histogram.quantile(0.99)
    return values
