"""From a recording to figures: latency of images, regularity of outputs, stages, soundness."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from node_latency.recording import Output, Recording
from physhmr.types import Array

PERIOD_MS = 1000.0 / 30.0
"""Between two outputs: the policies are trained at 30 Hz."""


def image_latencies(recording: Recording) -> tuple[Array, int]:
    """Return the ms from each answered image's stamp to its joint state, in order, and how many got no answer.

    An image is answered by the joint state of its stamp; or, where the output's time had already run on past
    the image, by one from fresh rays before the next image. Images outside the recorded outputs do not count.
    """
    outputs = {output.stamp_ns: output for output in recording.outputs}
    if not outputs:
        return np.zeros(0), 0
    images = sorted({stamp for stamp in recording.images if min(outputs) <= stamp <= max(outputs)})
    found = [outputs.get(stamp) for stamp in images]
    run_on = sorted(recording.fresh & outputs.keys() - set(images))
    for stamp in run_on:
        index = int(np.searchsorted(images, stamp)) - 1
        if index >= 0 and found[index] is None:
            found[index] = outputs[stamp]
    answered = [(output.received_ns - stamp) / 1e6 for stamp, output in zip(images, found) if output is not None]
    return np.array(answered), len(images) - len(answered)


def quantiles(values: Array) -> dict[str, float | int | None]:
    """Return count, median, p90, p99 and maximum."""
    if not values.size:
        return {"count": 0, "p50": None, "p90": None, "p99": None, "max": None}
    p50, p90, p99 = np.quantile(values, [0.5, 0.9, 0.99]).tolist()
    return {"count": int(values.size), "p50": p50, "p90": p90, "p99": p99, "max": float(values.max())}


def output_figures(outputs: Sequence[Output]) -> dict[str, object]:
    """Return rate, jitter and holes of the outputs; needs two at least.

    An output is late if it came after the one that follows it was due, two periods after its predecessor;
    the periods that passed without one are the missing outputs.
    """
    received = np.array([output.received_ns for output in outputs]) / 1e6
    periods = np.diff(received)
    late = periods[periods > 2.0 * PERIOD_MS]
    return {
        "count": len(outputs),
        "rate_hz": 1000.0 * len(periods) / float(received[-1] - received[0]),
        "period_ms": quantiles(periods),
        "jitter_ms": float(periods.std()),
        "late": int(late.size),
        "missing": int((np.round(late / PERIOD_MS) - 1).sum()),
        "non_finite": sum(output.non_finite for output in outputs),
        "stamps_not_increasing": sum(b.stamp_ns <= a.stamp_ns for a, b in pairwise(outputs)),
    }


def drift(latencies: Array) -> float | None:
    """Return by how many ms the median of the last quarter exceeds that of the second: what a growing queue does."""
    quarter = latencies.size // 4
    if not quarter:
        return None
    return float(np.median(latencies[-quarter:]) - np.median(latencies[quarter : 2 * quarter]))


def stage_figures(recording: Recording) -> dict[str, dict[str, float]]:
    """Return per stage the median second's p50 and p99, and the worst second's p99, as the nodes tell them (ms)."""
    seconds: dict[str, list[float]] = {}
    for told in recording.told:
        for key, value in told.values.items():
            if "_ms_p" in key and value > 0.0:
                seconds.setdefault(f"{told.name.split(':')[0]}/{key}", []).append(value)
    stages = {key.removesuffix("_ms_p50") for key in seconds if key.endswith("_ms_p50")}
    return {
        stage: {
            "p50": float(np.median(seconds[f"{stage}_ms_p50"])),
            "p99": float(np.median(seconds[f"{stage}_ms_p99"])),
            "worst_p99": max(seconds[f"{stage}_ms_p99"]),
        }
        for stage in sorted(stages)
    }


def counters(recording: Recording) -> dict[str, float]:
    """Return the last value of everything that the nodes count over the whole run."""
    last: dict[str, float] = {}
    for told in recording.told:
        node = told.name.split(":")[0]
        last |= {f"{node}/{key}": value for key, value in told.values.items() if "_ms_p" not in key}
    return last
