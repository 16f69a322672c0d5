"""What more cameras gain on real images: Pose2Sim's demo, four calibrated cameras on a man who balances on a beam.

python benchmarks/real_cameras.py <folder with pose2sim/>
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from math import inf
from pathlib import Path

from physhmr.config import ControlConfig, PerceptionConfig
from physhmr.eval.clips import POSE2SIM_CAMERAS, RealClip, open_clip, real_clips
from physhmr.eval.evaluate import Chain, Look, run_clip
from physhmr.eval.provenance import provenance
from physhmr.eval.report import markdown_table
from physhmr.inference.model_files import find_model
from physhmr.lifting.camera_fusion import CameraFusion, FusionCfg
from physhmr.perception import PerceptionPipeline
from physhmr.pipeline import ControlPipeline
from physhmr.types import CameraModel, Frame, Keypoints2d, RayBundle

RESULTS = Path(__file__).parent / "results"
METHODS, METRICS = ("lifted", "humanoid"), ("pa_mpjpe", "mpjpe", "g_mpjpe", "w_mpjpe_100")


class Remembered:
    """What perception made of the images of one camera, joined with what it made of the others' at the same time."""

    status = "given"

    def __init__(self, looks: Sequence[Look], others: Sequence[Sequence[Look]]) -> None:
        self._looks, self._others = iter(looks), [iter(one) for one in others]
        # Scores are told in the images of one camera, which therefore leads.
        self._fusion = CameraFusion([str(index) for index in range(len(others) + 1)], FusionCfg(better=inf))
        self.keypoints: Keypoints2d | None = None
        self.camera: CameraModel | None = None
        self.stage_ms: dict[str, float] = {}

    def step(self, frame: Frame) -> RayBundle | None:
        """The rays for `frame`, the next one of the first camera."""
        look = next(self._looks)
        self.keypoints, self.camera = look.keypoints, look.camera
        for index, one in enumerate(self._others, start=1):
            other = next(one, None)
            if other is not None and other.rays is not None:
                self._fusion.add(str(index), other.frame.stamp_ns, other.rays)
        leads = self._fusion.add("0", frame.stamp_ns, look.rays)
        return self._fusion.view if leads else None


def main() -> None:
    """Print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS / "real-cameras.json")
    given = parser.parse_args()
    clips = {clip.name: clip for clip in real_clips(given.folder).clips}
    wanted = [clips[f"pose2sim_{name}"] for name in POSE2SIM_CAMERAS]
    seen = {clip.name: looked(clip) for clip in wanted}
    rows, facts = [["cameras", *(f"{method} {metric}" for method in METHODS for metric in METRICS)]], {}
    for count in (1, 2, len(wanted)):
        for some in combinations(wanted, count):
            scores = scored(some, seen)
            names = ", ".join(clip.name.removeprefix("pose2sim_cam0") for clip in some)
            facts[names] = scores
            rows.append([names, *(f"{scores[method][metric]:.0f}" for method in METHODS for metric in METRICS)])
            print(rows[-1], flush=True)
    origin = provenance([find_model(name) for name in ("blazepose_full", "encoder", "vision")])
    given.out.write_text(json.dumps({"provenance": origin.as_dict(), "mm": facts}, indent=1) + "\n", encoding="utf-8")
    print(markdown_table(rows), f"\nwritten: {given.out}")


def looked(clip: RealClip) -> list[Look]:
    """What perception makes of every image of a clip."""
    perception, looks = PerceptionPipeline(PerceptionConfig()), list[Look]()
    source = open_clip(clip)
    for frame in source.frames:
        rays = perception.step(frame)
        small = replace(frame, image=frame.image[:2, :2])
        looks.append(Look(small, perception.camera, perception.keypoints, rays, None, {}))
    perception.close()
    return looks


def scored(clips: Iterable[RealClip], seen: dict[str, list[Look]]) -> dict[str, dict[str, float]]:
    """Method -> metric -> mm, with the first clip's camera in the lead."""
    first, *others = clips
    source = open_clip(first)
    perception = Remembered(seen[first.name], [seen[clip.name] for clip in others])
    frames = replace(source, frames=(look.frame for look in seen[first.name]))
    record = run_clip(first, frames, Chain(perception, ControlPipeline(ControlConfig())))
    return record.scores()


if __name__ == "__main__":
    main()
