"""How well a person's height is found below a camera that knows where it is, and what that is worth.

    python benchmarks/body_height.py out/motion/library.npz

Validation clips of the motion library, acted by people of four heights, each before a random synthetic camera with the
detector's measured errors whose pose is off by a degree (standard deviation). Prints and writes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from physhmr.body.keypoints import keypoints_of
from physhmr.body.skeleton import Skeleton
from physhmr.config import ControlConfig
from physhmr.eval.provenance import provenance
from physhmr.geometry.rays import pixel_as_ray
from physhmr.inference.model_files import find_model
from physhmr.motion.library import load_library
from physhmr.motion.synthetic_camera import KeypointErrors, Views, look
from physhmr.pipeline import TICK_NS, ControlPipeline
from physhmr.types import Keypoints2d, MotionClip, RayBundle

HEIGHTS = (1.55, 1.65, 1.78, 1.88)
"""m."""
SECONDS = 8.0
AFTER = 4.0
"""s, from when on places are compared: by then the height is known, if ever."""


@dataclass(frozen=True)
class Found:
    """What came of one person."""

    clip: str
    height: float
    """m, true."""
    found: float
    """m; the average where nothing was found."""
    measured: bool
    off_assumed: float
    """m, mean distance on the floor between lifted and true root, with an average height assumed."""
    off_found: float
    off_told: float
    """The same with the height found, and told beforehand."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "body-height.json")
    parser.add_argument("--every", type=int, default=1, help="of so many clips one is looked at")
    options = parser.parse_args(arguments)
    rows = []
    for index, clip in enumerate(load_library(options.library, "validation", "core")[:: options.every]):
        rows += [_found(clip, height, [index, person]) for person, height in enumerate(HEIGHTS)]
        print(f"\r{len(rows)} people", end="", flush=True)
    told = _summary(rows)
    print("\n" + "\n".join(f"{name}: {value}" for name, value in told.items()))
    stamp = provenance([find_model(name) for name in ("vision", "encoder")]).as_dict()
    result = {"provenance": stamp, "summary": told, "people": [asdict(row) for row in rows]}
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


def _found(clip: MotionClip, height: float, seed: Sequence[int]) -> Found:
    size = height / Skeleton().shape.height
    rays = list(_watched(clip, size, seed))
    off: dict[str, float] = {}
    for name, config, known in (
        ("assumed", ControlConfig(), False),
        ("found", ControlConfig(), True),
        ("told", ControlConfig(person_height=height), True),
    ):
        control = ControlPipeline(config)
        distances = []
        for step, one in enumerate(rays):
            control.step((step + 1) * TICK_NS, one and replace(one, camera_known=known))
            if step > AFTER / SECONDS * len(rays):
                true = size * clip.qpos[step, :2]
                distances.append(float(np.linalg.norm(control.goal.qpos[:2] / control.scale - true)))
        off[f"off_{name}"] = float(np.mean(distances))
        if name == "found":
            found = Skeleton().shape.height / control.scale
    return Found(clip.name, height, found, abs(found - Skeleton().shape.height) > 1e-6, **off)


def _watched(clip: MotionClip, size: float, seed: Sequence[int]) -> Iterator[RayBundle | None]:
    """What a camera shows of the first seconds of `clip`, acted in a world `size` times as large."""
    random = np.random.default_rng(seed)
    qpos = clip.qpos[: round(SECONDS * clip.fps)].copy()
    qpos[:, :3] *= size
    ground_w = qpos[:, None, :3] * [1.0, 1.0, 0.0]
    bodies = clip.qpos[: len(qpos)]
    points_w = ground_w + size * (keypoints_of(bodies, Skeleton()) - bodies[:, None, :3] * [1.0, 1.0, 0.0])
    rows, believed, seen = look(qpos, points_w, random, Views(errors=KeypointErrors(tilt_deg=1.0)))
    for index, row in enumerate(zip(*rows, strict=True)):
        keypoints = Keypoints2d((index + 1) * TICK_NS, *row)
        yield pixel_as_ray(keypoints, believed, camera_known=True) if seen[index] else None


def _summary(rows: Sequence[Found]) -> dict[str, float]:
    error, spread = (np.array(column) for column in zip(*((r.found - r.height, 1.70 - r.height) for r in rows)))
    return {
        "people": len(rows),
        "measured_percent": round(100 * float(np.mean([row.measured for row in rows])), 1),
        "height_off_mm": round(1e3 * float(np.abs(error).mean()), 1),
        "height_off_without_mm": round(1e3 * float(np.abs(spread).mean()), 1),
        "place_off_assumed_mm": round(1e3 * float(np.median([row.off_assumed for row in rows])), 1),
        "place_off_found_mm": round(1e3 * float(np.median([row.off_found for row in rows])), 1),
        "place_off_told_mm": round(1e3 * float(np.median([row.off_told for row in rows])), 1),
    }


if __name__ == "__main__":
    raise SystemExit(main())
