"""The figures of one run as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from node_latency.bars import Bar

VERDICTS = {True: "holds", False: "FAILS", None: "not measured"}


def table(figures: Mapping[str, Any], bars: Sequence[Bar]) -> str:
    """Return what was measured, stage by stage and process by process, then the bars."""
    return "\n".join(
        [
            "",
            f"{'stage, ms':<34}{'p50':>9}{'p99':>9}{'worst p99':>11}   (of each second)",
            *(_row(name, stage.values(), (9, 9, 11)) for name, stage in figures["stages_ms"].items()),
            "",
            f"{'process':<14}{'CPU %':>8}{'RSS MiB':>9}{'max':>9}{'MiB/min':>9}{'fds':>6}{'threads':>9}",
            *(_process(name, process) for name, process in figures["processes"].items()),
            "",
            _counted(figures),
            "",
            f"{'bar':<42}{'measured':>10}{'at most':>10}",
            *(_bar(bar) for bar in bars),
        ]
    )


def number(value: float | None) -> str:
    """Return a value with as many digits as it deserves; a dash for none."""
    if value is None:
        return "-"
    return f"{value:d}" if isinstance(value, int) else f"{value:.2f}"


def _row(name: str, values: Any, widths: Sequence[int]) -> str:
    return f"{name:<34}" + "".join(f"{number(value):>{width}}" for value, width in zip(values, widths))


def _process(name: str, process: Mapping[str, Any]) -> str:
    keys = (("cpu_percent", 8), ("rss_last_mb", 9), ("rss_max_mb", 9), ("rss_slope_mb_per_min", 9))
    counts = (("fds_last", 6), ("threads_last", 9))
    return f"{name:<14}" + "".join(f"{number(process[key]):>{width}}" for key, width in keys + counts)


def _counted(figures: Mapping[str, Any]) -> str:
    latency, outputs, images = figures["latency_ms"], figures["outputs"], figures["images"]
    period, setup = outputs["period_ms"], figures["setup"]
    work = setup["fixed_work_before_ms"]
    return (
        f"latency: p50 {number(latency['p50'])}, p90 {number(latency['p90'])}, p99 {number(latency['p99'])}, "
        f"max {number(latency['max'])} ms\n"
        f"images: {images['sent']} sent, {images['answered']} answered, {images['dropped']} overwritten by newer ones, "
        f"{images['lost']} lost on the way\n"
        f"outputs: {outputs['count']} at {outputs['rate_hz']:.2f} Hz, period p50 {number(period['p50'])}, "
        f"p99 {number(period['p99'])}, max {number(period['max'])} ms, jitter {number(outputs['jitter_ms'])} ms\n"
        f"humanoid: {figures['counters'].get('policy/falls', 0):g} falls, "
        f"{figures['counters'].get('policy/losses', 0):g} times nobody in view\n"
        f"machine: this measurement took {setup['recorder_cpu_percent']:.0f} %, everybody else "
        f"{setup['others_cpu_percent']:.0f} % of a core; the first joint state came after "
        f"{figures['start_to_first_joint_state_s']:.1f} s\n"
        f"the same work again and again on the machine alone: p50 {number(work['p50'])}, p99 {number(work['p99'])} ms"
    )


def _bar(bar: Bar) -> str:
    return f"{bar.what:<42}{number(bar.value):>10}{bar.most:>10g} {bar.unit:<8}{VERDICTS[bar.holds]}"
