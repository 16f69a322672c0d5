"""What a second camera gains: clips seen by two random cameras, alone and joined, with BlazePose's measured errors.

python benchmarks/cameras.py out/motion/library.npz
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np

from physhmr.body.skeleton import Skeleton
from physhmr.config import ControlConfig
from physhmr.eval.provenance import provenance
from physhmr.eval.tracking_report import views_markdown, write_views
from physhmr.eval.views import ViewScore, follow_view
from physhmr.follower import make_follower
from physhmr.inference.model_files import find_model
from physhmr.lifting.camera_fusion import CameraFusion, FusionCfg
from physhmr.motion.library import load_library
from physhmr.motion.synthetic_camera import watch_together
from physhmr.sim.humanoid_sim import HumanoidSim
from physhmr.types import RayBundle

Views = Sequence[RayBundle | None]
LATE = 3
"""Control steps by which the second camera's images are late in the last comparison."""
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path, help="made by `physhmr data build`")
    parser.add_argument("--every", type=int, default=1, help="take every so-many-th clip of the core validation clips")
    parser.add_argument("--out", type=Path, default=RESULTS / "cameras")
    given = parser.parse_args()
    clips, skeleton = load_library(given.library, "validation", "core")[:: given.every], Skeleton()
    lifter, policy = make_follower(ControlConfig(), skeleton)
    sim, scores, started = HumanoidSim(skeleton.shape), list[ViewScore](), time.monotonic()
    for index, clip in enumerate(clips):
        pairs = list(watch_together(clip, skeleton, np.random.default_rng([0, index]), 2))
        for who, rays in seen_by(pairs):
            found = follow_view(clip, rays, lifter, {"vision": policy}, sim, skeleton)
            scores += [replace(score, method=f"{score.method}, {who}") for score in found]
        print(f"{time.monotonic() - started:6.0f} s  {index + 1} of {len(clips)}: {clip.name}", flush=True)
    origin = provenance([find_model("encoder"), find_model("vision"), given.library])
    print(views_markdown(scores, origin).split("| clip ", maxsplit=1)[0])
    print("written:", *write_views(scores, origin, given.out))


def seen_by(pairs: Sequence[tuple[RayBundle | None, RayBundle | None]]) -> Iterator[tuple[str, Views]]:
    """Yield who watches, and the rays of each control step."""
    first, second = ([pair[index] for pair in pairs] for index in (0, 1))
    yield "one camera", first
    yield "the other", second
    yield "both", joined(first, second, CameraFusion(("first", "second")))
    # The one in time leads, so that the steps are comparable: one that leads is as late as its images.
    yield (
        "both, the other 0.1 s late",
        joined(
            first, [*[None] * LATE, *second][: len(first)], CameraFusion(("first", "second"), FusionCfg(better=inf))
        ),
    )


def joined(first: Views, second: Views, fusion: CameraFusion) -> Views:
    """What the policy node hands on: the second camera's rays arrive a moment before the first one's."""
    views: list[RayBundle | None] = []
    for one, other in zip(first, second, strict=True):
        arrived = [("second", other), ("first", one)]
        new = [fusion.add(name, rays.stamp_ns, rays) for name, rays in arrived if rays is not None]
        views.append(fusion.view if any(new) else None)
    return views


if __name__ == "__main__":
    main()
