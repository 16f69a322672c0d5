"""What a process used over a run: memory, CPU, file descriptors, threads, and whether they grow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GROWING_IN = 60.0
"""s in which a process may still grow: caches fill, shared memory is touched for the first time."""
ENOUGH = 60.0
"""s of samples after that, without which a slope says nothing."""


@dataclass(frozen=True)
class Usage:
    """What a process holds and has used at one moment."""

    at: float
    """`time.monotonic` seconds."""
    rss_mb: float
    """MiB."""
    cpu_s: float
    """User and system time since the process began, all threads."""
    fds: int
    threads: int


def usage_figures(samples: Sequence[Usage]) -> dict[str, float | int | None]:
    """Return the figures of one process; those about growth are None for too short a run.

    Needs two samples at least.
    """
    grown = [sample for sample in samples if sample.at - samples[0].at >= GROWING_IN]
    enough = len(grown) > 1 and grown[-1].at - grown[0].at >= ENOUGH
    first, last = samples[0], samples[-1]
    return {
        "cpu_percent": 100.0 * (last.cpu_s - first.cpu_s) / (last.at - first.at),
        "rss_first_mb": first.rss_mb,
        "rss_last_mb": last.rss_mb,
        "rss_max_mb": max(sample.rss_mb for sample in samples),
        "rss_slope_mb_per_min": slope_per_minute(grown) if enough else None,
        "rss_grown_percent": grown_percent(grown) if enough else None,
        "fds_last": last.fds,
        "fds_grown": last.fds - grown[0].fds if enough else None,
        "threads_last": last.threads,
        "threads_grown": last.threads - grown[0].threads if enough else None,
    }


def grown_percent(samples: Sequence[Usage]) -> float:
    """Return by how much of itself the resident memory grew, from the first tenth of the samples to the last, %."""
    tenth = max(len(samples) // 10, 1)
    before, after = (float(np.median([one.rss_mb for one in some])) for some in (samples[:tenth], samples[-tenth:]))
    return 100.0 * (after / before - 1.0)


def slope_per_minute(samples: Sequence[Usage]) -> float:
    """Return the least-squares slope of the resident memory, MiB/min."""
    minutes = np.array([sample.at for sample in samples]) / 60.0
    return float(np.polyfit(minutes - minutes.mean(), [sample.rss_mb for sample in samples], 1)[0])
