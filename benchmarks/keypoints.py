"""Our BlazePose against MediaPipe's own graph: cost of a frame on one core, and how far apart the landmarks are.

    python benchmarks/keypoints.py --mediapipe-python ENV/bin/python [--clip FILE] --out benchmarks/results/...json

ENV is an environment of its own with `pip install mediapipe==0.10.21`, whose requirements are older than ours. All
chains stay on the same core and take turns of half a second of video, so that whatever else the machine does meets
each of them alike; CPU time counts all threads of a process and what the crop, the networks and the decoding need.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from physhmr.eval.provenance import provenance
from physhmr.inference.choose import ready
from physhmr.inference.model_files import find_model, models_dir

WORKERS = Path(__file__).parent / "side_by_side"
TURN = 15
"""Frames."""
WARM_UP = 30
"""Frames that are not counted."""


class Worker:
    """One chain in a process of its own."""

    def __init__(self, python: str, script: str, *arguments: str) -> None:
        """Start it and wait until it is ready."""
        self._process = subprocess.Popen(
            [python, str(WORKERS / script), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.clip = self._answer()
        self.rows: list = []

    def run(self, first: int, last: int) -> None:
        """Process the frames from `first` to before `last`."""
        assert self._process.stdin is not None
        print(first, last, file=self._process.stdin, flush=True)
        self.rows += self._answer()

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def summary(self) -> dict[str, float]:
        """Milliseconds of a frame, after the warm-up."""
        wall, cpu = np.array([row[:2] for row in self.rows[WARM_UP:]]).T
        return {
            "cpu_ms_p50": float(np.median(cpu)), "cpu_ms_mean": float(cpu.mean()),
            "wall_ms_p50": float(np.median(wall)), "wall_ms_min": float(wall.min()),
            "found": float(np.mean([row[2] is not None for row in self.rows])),
        }  # fmt: skip

    def landmarks(self) -> np.ndarray:
        """(frames, 33, 2) px, NaN where there are none."""
        return np.array([np.full((33, 2), np.nan) if row[2] is None else row[2] for row in self.rows], float)

    def _answer(self) -> dict | list:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a worker ended with code {self._process.wait()}; what it said is above")
        return json.loads(line)


def measure(options: argparse.Namespace) -> dict:
    """Let the chains take turns over the clip; return times and distances."""
    common = (str(options.clip), str(options.core), str(options.width))
    workers = {"mediapipe": Worker(options.mediapipe_python, "mediapipe_worker.py", *common)}
    engines = [name for name in ("onnx", "openvino") if name in ready()]
    workers |= {f"ours, {name}": Worker(sys.executable, "own_worker.py", *common, name) for name in engines}
    count = workers["mediapipe"].clip["frames"]
    for first in range(0, options.rounds * count, TURN):
        for worker in workers.values():
            worker.run(first, min(first + TURN, options.rounds * count))
    truth = workers["mediapipe"].landmarks()
    seen = workers["mediapipe"].clip
    result = {"clip": options.clip.name, "frames": seen["frames"], "size": seen["size"], "chains": {}}
    for name, worker in workers.items():
        distance = np.linalg.norm(worker.landmarks() - truth, axis=-1)
        distance = distance[np.isfinite(distance)]
        apart = {"px_to_mediapipe_p50": float(np.median(distance)), "px_p90": float(np.quantile(distance, 0.9))}
        result["chains"][name] = (
            {"library": worker.clip["library"]} | worker.summary() | (apart if name != "mediapipe" else {})
        )
        worker.close()
    return result


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mediapipe-python", required=True, help="Python of an environment with mediapipe 0.10.21")
    parser.add_argument("--clip", type=Path, default=models_dir() / "clips/walk.mp4")
    parser.add_argument("--width", type=int, default=1280, help="wider images are shrunk to it")
    parser.add_argument("--rounds", type=int, default=2, help="how often the clip is played")
    parser.add_argument("--core", type=int, default=0, help="CPU core that all chains run on")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    result = measure(options)
    for name, row in result["chains"].items():
        print(f"{name:<16}" + "  ".join(f"{key} {value:.2f}" for key, value in row.items() if key != "library"))
    if options.out:
        models = [find_model(name) for name in ("blazepose_detector", "blazepose_full")]
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps({"provenance": provenance(models).as_dict(), **result}, indent=1) + "\n")


if __name__ == "__main__":
    main()
