"""What motion encoders say of clips never seen: quick, to see what a training brings.

    python benchmarks/encoders.py models/encoder/encoder.onnx out/train/encoder/encoder.pt

The same random cameras with BlazePose's measured errors for every encoder, stretches of 2.5 s of captured walks, of
the core repertoire and of the rest. Prints only; what is shipped is judged by `physhmr evaluate`. Needs the extra
train.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from physhmr.body.humanoid_mjcf import CONTROL_HZ, FOOT_BODIES
from physhmr.body.skeleton import BODY_NAMES, HINGE_NAMES, Skeleton
from physhmr.motion.library import load_library
from physhmr.motion.procedural import RECIPES
from physhmr.policy.kinematics import Kinematics, rotate
from physhmr.policy.motion_encoder import MotionEncoder
from physhmr.rl.encoder_training import (
    EncoderTrainingCfg,
    ViewBatch,
    ViewSampler,
    answer,
    bodies_of,
    load_encoder,
)
from physhmr.rl.pose_variation import PoseVariationCfg
from physhmr.types import MotionClip

CFG = EncoderTrainingCfg(sequences=192, seed=5, variation=PoseVariationCfg(swap=0.0, share=0.0, leg_share=0.0))
WALKS = 0.4
"""m/s, on average."""
_LEGS = [index for index, name in enumerate(HINGE_NAMES) if name.split("_")[1] in ("Hip", "Knee", "Ankle")]
_FEET = [BODY_NAMES.index(name) for name in FOOT_BODIES]
COLUMNS = ("bodies mm", "feet mm", "legs rad", "legs rad/s", "velocity m/s", "standing feet %")


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask every encoder about the same views, and print a table."""
    options = _options(arguments)
    core, wide = (load_library(options.library, "validation", category) for category in ("core", "wide"))
    sets = {"captured walks": [clip for clip in core if _is_captured_walk(clip)], "core": core, "wide": wide}
    batches = {name: ViewSampler(clips, Skeleton(), CFG).draw() for name, clips in sets.items()}
    print(f"| encoder | clips | {' | '.join(COLUMNS)} |\n|{'---|' * (2 + len(COLUMNS))}")
    for path in options.encoders:
        encoder, iteration = load_encoder(path)
        for name, batch in batches.items():
            errors = [f"{error:.3g}" for error in _errors(encoder, batch)]
            print(f"| {path}, iteration {iteration} | {name} | {' | '.join(errors)} |", flush=True)
    return 0


def _is_captured_walk(clip: MotionClip) -> bool:
    """Whether somebody captured goes somewhere; generated clips are called <recipe>_<seed>."""
    speed = np.linalg.norm(np.diff(clip.qpos[:, :2], axis=0), axis=1).mean() * CONTROL_HZ
    return clip.name.rsplit("_", 1)[0] not in RECIPES and speed > WALKS


@torch.no_grad()
def _errors(encoder: MotionEncoder, batch: ViewBatch) -> list[float]:
    """The `COLUMNS`, relative to the root but for its velocity along the floor."""
    motion, truth, R_wv = answer(encoder, batch, CFG)
    bodies = 1000.0 * (bodies_of(motion.hinges, Kinematics(Skeleton())) - truth.bodies).norm(dim=-1)
    velocity = rotate(R_wv, motion.linvel) - truth.qvel[..., :3]
    stands = (motion.contact > 0.0) == (truth.contact > 0.5)
    values = (
        bodies.mean(), bodies[..., _FEET].mean(), _rms((motion.hinges - truth.qpos[..., 7:])[..., _LEGS]),
        _rms((motion.rates - truth.qvel[..., 6:])[..., _LEGS]), velocity[..., :2].norm(dim=-1).mean(),
        100.0 * stands.float().mean(),
    )  # fmt: skip
    return [float(value) for value in values]


def _rms(error: torch.Tensor) -> torch.Tensor:
    return error.square().mean().sqrt()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoders", type=Path, nargs="+", help="encoder.pt, or a file of `physhmr export encoder`")
    parser.add_argument("--library", type=Path, default=Path("out/motion/library.npz"))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
