"""How long a camera image takes to a joint state, how steady the outputs are, and whether anything grows.

    python benchmarks/latency.py --seconds 60

Plays a clip through the `source` node and listens to the chain in another process, on the public topics
only. Linux, because processes are watched through /proc. Run it on an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from node_latency.bars import bars
from node_latency.live_run import CHAINS, MODELS, Run, Setup, run, tell
from node_latency.measures import counters, drift, image_latencies, output_figures, quantiles, stage_figures
from node_latency.node_usage import usage_figures
from node_latency.steadiness import fixed_work_ms
from node_latency.table import table

from physhmr.config import share_directory
from physhmr.errors import PhyshmrError
from physhmr.eval.provenance import provenance
from physhmr.inference.model_files import find_model
from physhmr.types import Array
from physhmr_ros import environment

SERIES_EVERY = 10
"""Samples (about seconds) between two kept in the file."""
TICK_SUMMARY = r"control step: median ([\d.]+) ms, p99 ([\d.]+) ms"
"""How the policy node sums up its whole run at its end; /diagnostics tells of single seconds only."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; return 0 if the run came to its end, whether or not the bars hold."""
    options = _options(arguments)
    setup = Setup(
        options.clip, options.size, options.processes, options.seconds, options.domain, tuple(options.parameter)
    )
    os.environ["ROS_DOMAIN_ID"] = str(setup.domain)
    load = os.getloadavg()[0]
    try:
        tell("15 s of fixed work, to see how steady the machine is")
        alone = fixed_work_ms()
        environment.prepare()
        figures = _figures(setup, run(setup), load, alone)
    except (PhyshmrError, RuntimeError) as error:
        print(f"latency: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    held = bars(figures)
    figures["bars"] = [{**asdict(bar), "holds": bar.holds} for bar in held]
    print(table(figures, held))
    path = options.out / f"latency-{setup.processes}-{setup.size[0]}x{setup.size[1]}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_rounded(figures), indent=1) + "\n", encoding="utf-8")
    print(f"\nwritten: {path}")
    return 0


def _figures(setup: Setup, result: Run, load: float, alone: Array) -> dict[str, Any]:
    latencies, unanswered = image_latencies(result.recording)
    counted = counters(result.recording)
    return {
        "provenance": provenance([find_model(name) for name in MODELS]).as_dict(),
        "setup": {
            **asdict(setup),
            "clip": setup.clip.name,
            "middleware": os.environ.get("RMW_IMPLEMENTATION") or environment.FASTDDS,
            "load_average_before": load,
            "fixed_work_before_ms": quantiles(alone),
            "others_cpu_percent": result.others_cpu_percent,
            "recorder_cpu_percent": result.recorder_cpu_percent,
        },
        "start_to_first_joint_state_s": result.to_first_joint_state,
        "latency_ms": {**quantiles(latencies), "drift": drift(latencies)},
        "outputs": output_figures(result.recording.outputs),
        "images": {
            "sent": latencies.size + unanswered,
            "answered": latencies.size,
            "dropped": int(counted.get("perception/dropped", 0) + counted.get("policy/dropped rays", 0)),
            "lost": int(counted.get("perception/lost", 0)),
        },
        "control_tick_ms": _control_tick(result.said),
        "stages_ms": stage_figures(result.recording),
        "counters": counted,
        "processes": {p.name: {**usage_figures(p.usage), "exit_code": p.exit_code} for p in result.processes},
        "series": {p.name: [asdict(sample) for sample in p.usage[::SERIES_EVERY]] for p in result.processes},
    }


def _control_tick(said: str) -> dict[str, float | None]:
    """Median and p99 of the whole run, None if the policy node did not say it."""
    found = re.search(TICK_SUMMARY, said)
    p50, p99 = map(float, found.groups()) if found else (None, None)
    return {"p50": p50, "p99": p99}


def _rounded(value: Any) -> Any:
    """The same without digits that nobody measured."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return round(value, 3) if isinstance(value, float) else value


def _size(text: str) -> tuple[int, int]:
    width, height = text.split("x")
    return int(width), int(height)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to record; 600 for the soak")
    parser.add_argument("--processes", choices=CHAINS, default="composed", help="perception and policy in one or two")
    parser.add_argument("--size", type=_size, default=(640, 480), metavar="WxH", help="of the images (640x480)")
    parser.add_argument("--clip", type=Path, default=share_directory() / "models" / "clips" / "walk.mp4")
    parser.add_argument("--domain", type=int, default=1 + os.getpid() % 100, help="ROS_DOMAIN_ID of the run")
    parser.add_argument("--parameter", action="append", default=[], metavar="NODE:NAME:=VALUE", help="to compare with")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder of the JSON file")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
