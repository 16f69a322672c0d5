"""What a motion encoder gains by waiting: its errors by how many later frames it has seen; and a twin that sees all.

    python benchmarks/look_ahead.py --library out/motion/library.npz --out benchmarks/results/look-ahead.json

Each encoder is trained from scratch with the same budget and the same stream of views, and judged by the same moments
of clips that it never saw. The twin is a bidirectional network of twice the memory. Needs the extra train.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from physhmr.body.humanoid_mjcf import CONTROL_HZ
from physhmr.body.skeleton import Skeleton
from physhmr.eval.provenance import provenance
from physhmr.motion.library import load_library
from physhmr.policy.kinematics import Kinematics, quat_to_matrix
from physhmr.policy.motion_encoder import TOKEN_SIZE, Motion, MotionEncoder, Sight, to_world
from physhmr.rl.encoder_training import (
    EncoderTraining,
    EncoderTrainingCfg,
    ViewBatch,
    ViewSampler,
    answer,
    bodies_of,
    loss_terms,
)
from physhmr.types import MotionClip

KINEMATICS = Kinematics(Skeleton())
JUDGED = slice(15, 60)
"""Of the frames after the warm-up: those that all can speak about, after a start and with 25 frames to come."""


class NonCausalTwin(MotionEncoder):
    """The same network with a second memory that runs backwards from the last frame."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.GRU(TOKEN_SIZE, TOKEN_SIZE, bidirectional=True)
        first = self.tell[0]
        self.tell[0] = nn.Linear(3 * TOKEN_SIZE, first.out_features)

    def start(self, count: int) -> Tensor:
        """(2, N, H) the tokens before the first and after the last frame."""
        return torch.zeros(2, count, TOKEN_SIZE)


def errors(motion: Motion, batch: ViewBatch, R_wv: Tensor) -> dict[str, float]:
    """Loss; bodies from the root in mm, root in mm, its rotation in degrees: means over moments and views."""
    motion = Motion(*(getattr(motion, part.name)[JUDGED] for part in fields(Motion)))
    sight = Sight(*(getattr(batch.sight, part.name)[JUDGED] for part in fields(Sight)))
    batch = ViewBatch(sight, *(getattr(batch, part.name)[JUDGED] for part in fields(ViewBatch)[1:]))
    R_wv = R_wv[JUDGED]
    terms = loss_terms(motion, batch, R_wv, KINEMATICS)
    world = to_world(motion, R_wv, batch.sight.origin_w)
    trace = (world.rot * quat_to_matrix(batch.qpos[..., 3:7])).sum((-1, -2))
    bodies = bodies_of(motion.hinges, KINEMATICS)
    return {
        "loss": float(torch.stack(list(terms.values())).sum()),
        "bodies_mm": 1e3 * float((bodies - batch.bodies).norm(dim=-1).mean()),
        "root_mm": 1e3 * float((world.pos - batch.qpos[..., :3]).norm(dim=-1).mean()),
        "rotation_deg": float(torch.rad2deg(((trace - 1) / 2).clamp(-1, 1).acos()).mean()),
    }


def trained(encoder: MotionEncoder, clips: Sequence[MotionClip], cfg: EncoderTrainingCfg, iterations: int) -> None:
    """Train `encoder` in a folder that is forgotten."""
    with tempfile.TemporaryDirectory() as folder:
        EncoderTraining(clips, cfg, Path(folder), encoder).run(iterations, lambda line: print(line, flush=True))


def judged(encoder: MotionEncoder, batches: Sequence[ViewBatch], cfg: EncoderTrainingCfg) -> dict[str, float]:
    """Mean errors over batches."""
    with torch.no_grad():
        found = [errors(*answer(encoder, batch, cfg)) for batch in batches]
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def picture(rows: list[dict], size: tuple[int, int] = (900, 420)) -> np.ndarray:
    """Error of the bodies over milliseconds of waiting, the twin as a line."""
    image = np.full((size[1], size[0], 3), 255, np.uint8)
    causal = [row for row in rows if row["look_ahead_frames"] is not None]
    (twin,) = (row for row in rows if row["look_ahead_frames"] is None)
    wait = [1e3 * row["look_ahead_frames"] / CONTROL_HZ for row in causal]
    values = [row["bodies_mm"] for row in causal]
    low, high = 0.9 * min(*values, twin["bodies_mm"]), 1.05 * max(values)

    def at(x: float, y: float) -> tuple[int, int]:
        return int(90 + 740 * x / max(wait)), int(350 - 300 * (y - low) / (high - low))

    def write(text: str, place: tuple[int, int], colour: tuple[int, int, int] = (60, 60, 60)) -> None:
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)

    cv2.line(image, at(0, twin["bodies_mm"]), at(max(wait), twin["bodies_mm"]), (60, 140, 60), 1, cv2.LINE_AA)
    write(f"sees everything: {twin['bodies_mm']:.0f} mm", (560, at(0, twin["bodies_mm"])[1] - 8), (60, 140, 60))
    points = [at(x, y) for x, y in zip(wait, values, strict=True)]
    cv2.polylines(image, [np.array(points)], False, (190, 90, 20), 2, cv2.LINE_AA)
    for point, x, y in zip(points, wait, values, strict=True):
        cv2.circle(image, point, 5, (190, 90, 20), -1, cv2.LINE_AA)
        write(f"{y:.0f}", (point[0] - 10, point[1] - 14))
        write(f"{x:.0f}", (point[0] - 10, 380))
    write("ms of waiting (look_ahead_frames / 30 Hz)", (300, 405))
    write("mean error of the bodies from the root, mm", (20, 25))
    return image


def main() -> None:
    """Train, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=Path, default=Path("out/motion/library.npz"))
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--look-ahead", type=int, nargs="+", default=[0, 2, 5, 10, 20])
    parser.add_argument("--out", type=Path, default=Path("out/look-ahead.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    clips, unseen = (load_library(arguments.library, split) for split in ("train", "validation"))
    cfg = EncoderTrainingCfg(sequences=96, frames=90)
    sampler = ViewSampler(unseen, Skeleton(), replace(cfg, seed=1))
    batches = [sampler.draw() for _ in range(6)]
    rows = []
    for frames in [*arguments.look_ahead, None]:
        torch.manual_seed(0)
        encoder = MotionEncoder() if frames is not None else NonCausalTwin()
        own = replace(cfg, look_ahead_frames=frames or 0)
        trained(encoder, clips, own, arguments.iterations)
        rows.append({"look_ahead_frames": frames, **judged(encoder, batches, own)})
        print(rows[-1], flush=True)
    frames_seen = arguments.iterations * cfg.sequences * cfg.frames
    result = {"setup": asdict(provenance([])), "frames_trained_on": frames_seen, "rows": rows}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    cv2.imwrite(str(arguments.out.with_suffix(".png")), picture(rows))
    print(f"wrote {arguments.out}")


if __name__ == "__main__":
    main()
