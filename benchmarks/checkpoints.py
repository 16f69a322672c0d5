"""How far checkpoints of the vision policy follow views that none of them saw: quick, to choose among them.

    python benchmarks/checkpoints.py models/vision/vision.onnx out/train/refine/model_*.pt --category core

Reads the validation clips of a motion library and what `physhmr data lift` made of them; every view is followed from
its first frame on, all side by side. Prints only; what is shipped is judged by `physhmr evaluate --views`. Needs the
extra train.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from physhmr.body.humanoid_mjcf import build_model
from physhmr.body.skeleton import Skeleton
from physhmr.eval.pose_metrics import SUCCESS_DISTANCE
from physhmr.motion.library import load_library
from physhmr.motion.lifted import load_views, views_path
from physhmr.policy.kinematics import Kinematics
from physhmr.rl.reference_bank import ReferenceBank
from physhmr.rl.runner import load_actor
from physhmr.rl.validation import Followed, WholeViews, follow_views
from physhmr.sim.batch_sim import ThreadedSim


def main(arguments: Sequence[str] | None = None) -> int:
    """Follow and print, a line each."""
    options = _options(arguments)
    torch.set_num_threads(options.threads)
    # As in training: products in bfloat16 where the processor has them.
    torch.set_float32_matmul_precision("medium")
    clips = load_library(options.library, options.split, None if options.category == "all" else options.category)
    lifted, sim = load_views(views_path(options.library), clips), ThreadedSim(build_model(), options.threads)
    try:
        with torch.no_grad():
            bank = ReferenceBank.from_clips(clips, Kinematics(Skeleton()), lifted)
        views = WholeViews(bank, sim, Skeleton(), SUCCESS_DISTANCE)
        for path in options.checkpoints:
            actor, iteration = load_actor(path)
            print(f"{path}, iteration {iteration}: {_line(follow_views(actor.eval(), views))}", flush=True)
    finally:
        sim.close()
    return 0


def _line(followed: Followed) -> str:
    whole, share = (followed.share == 1.0).float(), followed.share
    length = followed.steps / share.clamp_min(1e-6)
    return (
        f"{len(share)} views, {100 * whole.mean():.1f} % to their end, "
        f"{100 * (share * length).sum() / length.sum():.1f} % of their seconds, {1000 * followed.distance:.1f} mm"
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", type=Path, nargs="+", help="model_*.pt, or a file of `physhmr export vision`")
    parser.add_argument("--library", type=Path, default=Path("out/motion/library.npz"))
    parser.add_argument("--category", choices=("core", "wide", "all"), default="core")
    parser.add_argument("--split", choices=("train", "validation"), default="validation")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
