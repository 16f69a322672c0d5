"""Milliseconds of every room of the chain, and of the pictures of it, on the bundled walk; no ROS.

    python benchmarks/rooms.py --out benchmarks/results/rooms-<machine>.json [--compare other.json]

The rooms run one after the other in one thread, frame by frame, as in evaluation; the camera-to-joints latency
through the nodes is another benchmark's business.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from physhmr.body.skeleton import Skeleton
from physhmr.config import ControlConfig, PerceptionConfig
from physhmr.eval.clips import open_clip, real_clips
from physhmr.eval.provenance import provenance
from physhmr.inference.model_files import find_model
from physhmr.perception import PerceptionPipeline
from physhmr.pipeline import ControlPipeline
from physhmr.view.overlay import Overlay
from physhmr.view.scene import SideView
from physhmr.view.snapshot import Snapshot, fit_image, take_snapshot

WARM_UP = 10
"""Frames that are not counted."""
Result = TypeVar("Result")


@dataclass
class Stopwatch:
    """Times by name, ms."""

    times: dict[str, list[float]] = field(default_factory=dict)

    def __call__(self, name: str, work: Callable[[], Result]) -> Result:
        """Do `work` and remember how long it took."""
        start = time.perf_counter()
        result = work()
        self.add(name, 1e3 * (time.perf_counter() - start))
        return result

    def add(self, name: str, ms: float) -> None:
        """Remember a time that somebody else took."""
        self.times.setdefault(name, []).append(ms)

    def summary(self) -> dict[str, dict[str, float]]:
        """p50, p99 and the worst, without the warm-up."""
        return {name: _summary(np.array(times[WARM_UP:])) for name, times in self.times.items()}


def measure() -> Stopwatch:
    """Run the chain over the bundled walk and draw each frame."""
    clip = next(clip for clip in real_clips(Path("nowhere")).clips if clip.name == "walk")
    source, skeleton, watch = open_clip(clip), Skeleton(), Stopwatch()
    perception = PerceptionPipeline(PerceptionConfig(person_height=source.person_height))
    control = ControlPipeline(ControlConfig(clock="frame", person_height=source.person_height))
    overlay, side = Overlay(skeleton), SideView(skeleton, 640, 480)
    for frame in source.frames:
        rays = watch("perception", lambda frame=frame: perception.step(frame))  # type: ignore[misc]
        estimate = watch("control", lambda s=frame.stamp_ns, r=rays: control.advance(s, r))  # type: ignore[misc]
        for stage, ms in {**perception.stage_ms, **(estimate.stage_ms if estimate else {})}.items():
            watch.add(f"stage {stage}", ms)
        taken = take_snapshot(frame, perception.camera, perception.keypoints, rays, estimate, perception.stage_ms)
        small: Snapshot = watch("view fit", lambda t=taken: fit_image(t, 640, 480))  # type: ignore[misc]
        watch("view overlay", lambda s=small: overlay.draw(s))  # type: ignore[misc]
        watch("view side", lambda s=small: side.draw(s))  # type: ignore[misc]
    perception.close()
    return watch


def main() -> None:
    """Measure, print, write, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--compare", type=Path, help="JSON file of an earlier run")
    options = parser.parse_args()
    summary = measure().summary()
    before = json.loads(options.compare.read_text())["ms"] if options.compare else {}
    for name, row in summary.items():
        earlier = f"   was {before[name]['p50']:7.2f} {before[name]['p99']:7.2f}" if name in before else ""
        print(f"{name:<18} p50 {row['p50']:7.2f}  p99 {row['p99']:7.2f}  max {row['max']:7.2f}{earlier}")
    if options.out:
        models = [find_model(name) for name in ("blazepose_detector", "blazepose_full", "encoder", "vision")]
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps({"provenance": provenance(models).as_dict(), "ms": summary}, indent=1) + "\n")


def _summary(times: np.ndarray) -> dict[str, float]:
    p50, p99 = np.percentile(times, [50, 99])
    return {"p50": float(p50), "p99": float(p99), "max": float(times.max())}


if __name__ == "__main__":
    main()
