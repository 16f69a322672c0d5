"""How far checkpoints of either policy follow clips, or views of them: quick, to choose among them.

    python benchmarks/checkpoints.py models/vision/vision.onnx out/train/refine/model_*.pt --category core
    python benchmarks/checkpoints.py models/expert/expert.onnx out/train/expert/model_*.pt --split train

Reads a motion library and, for the vision policy, what `physhmr data lift` made of it; an expert is told the clips
without an error. Everything is followed from its first frame on, side by side. Prints only; what is shipped is judged
by `physhmr evaluate`. Needs the extra train.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from physhmr.body.humanoid_mjcf import build_model
from physhmr.body.skeleton import Skeleton
from physhmr.eval.pose_metrics import SUCCESS_DISTANCE
from physhmr.motion.library import load_library
from physhmr.motion.lifted import load_views, views_path
from physhmr.policy.kinematics import Kinematics
from physhmr.policy.observation import VISION_SIZE
from physhmr.rl.reference_bank import ReferenceBank
from physhmr.rl.runner import actor_of, policy_state
from physhmr.rl.validation import Followed, WholeClips, WholeViews, follow
from physhmr.sim.batch_sim import ThreadedSim
from physhmr.types import MotionClip

GROUP = 64
"""Clips that are followed side by side."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Follow and print, a line each."""
    options = _options(arguments)
    torch.set_num_threads(options.threads)
    # As in training: networks in bfloat16 where the processor has it.
    torch.set_float32_matmul_precision("medium")
    clips = load_library(options.library, options.split, None if options.category == "all" else options.category)
    # Clips of like lengths together: who has come to the end goes on being simulated until all have.
    clips.sort(key=lambda clip: len(clip.qpos))
    groups = [clips[start : start + GROUP] for start in range(0, len(clips), GROUP)]
    states = [policy_state(path) for path in options.checkpoints]
    actors = [(actor_of(state).eval(), _is_vision(state)) for state, _ in states]
    followed: list[list[Followed]] = [[] for _ in states]
    sim = ThreadedSim(build_model(), options.threads)
    try:
        for done, group in enumerate(groups, 1):
            wholes = {vision: _whole(group, options.library, vision, sim) for vision in {kind for _, kind in actors}}
            for (actor, vision), results in zip(actors, followed, strict=True):
                results.append(follow(actor, wholes[vision]))
            print(f"\rclips {min(done * GROUP, len(clips))} of {len(clips)} ", end="", file=sys.stderr, flush=True)
    finally:
        sim.close()
    for path, (_, iteration), (_, vision), results in zip(options.checkpoints, states, actors, followed, strict=True):
        print(f"{path}, iteration {iteration}: {_line(results, 'views' if vision else 'clips')}")
    return 0


def _is_vision(state: dict[str, torch.Tensor]) -> bool:
    return state["obs_normalizer._mean"].shape[-1] == VISION_SIZE


@torch.no_grad()
def _whole(clips: list[MotionClip], library: Path, vision: bool, sim: ThreadedSim) -> WholeClips | WholeViews:
    views = load_views(views_path(library), clips) if vision else ()
    bank = ReferenceBank.from_clips(clips, Kinematics(Skeleton()), views)
    return (WholeViews if vision else WholeClips)(bank, sim, Skeleton(), SUCCESS_DISTANCE)


def _line(followed: list[Followed], what: str) -> str:
    share, steps = (torch.cat([getattr(one, name) for one in followed]) for name in ("share", "steps"))
    whole, length = (share == 1.0).float(), steps / share.clamp_min(1e-6)
    distance = sum(one.distance for one in followed) / max(sum(one.judged for one in followed), 1)
    return (
        f"{len(share)} {what}, {100 * whole.mean():.1f} % to their end, "
        f"{100 * (share * length).sum() / length.sum():.1f} % of their seconds, {1000 * distance:.1f} mm"
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
