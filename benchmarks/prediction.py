"""What making up for late images gains: where people are predicted to be against where they then are.

python benchmarks/prediction.py out/motion/library.npz reference   # two predictors, 1 to 6 control steps ahead
python benchmarks/prediction.py out/motion/library.npz humanoid    # with images that are 0.1 and 0.2 s late

Clips that nothing was trained on, each by one random camera with BlazePose's measured errors.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from pathlib import Path

import numpy as np

from physhmr.body.humanoid_mjcf import CONTROL_HZ
from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import Skeleton
from physhmr.body.tangent import pose_add
from physhmr.config import ControlConfig
from physhmr.eval.pose_metrics import SUCCESS_DISTANCE, g_mpjpe, jitter, mpjpe
from physhmr.eval.provenance import provenance
from physhmr.eval.report import markdown_table
from physhmr.inference.model_files import find_model
from physhmr.lifting.encoded_lifter import EncodedLifter
from physhmr.lifting.grounded_lifter import GroundedLifter
from physhmr.lifting.prediction import predicted
from physhmr.motion.clip import clip_velocities
from physhmr.motion.library import load_library
from physhmr.motion.synthetic_camera import watch
from physhmr.pipeline import TICK_NS, ControlPipeline
from physhmr.policy.token_encoder import TokenEncoder
from physhmr.types import Array, Estimate, MotionClip, RayBundle, Reference, Status

STEPS = range(7)
"""Control steps by which references are carried forward."""
JUDGED = 3
"""Every so-many-th frame of a clip: coasting takes six steps for each."""
DELAYS = (3, 6)
"""Control steps by which images are late."""
WALKS = 0.3
"""m/s, mean speed from which on a clip is one of walking."""
SKELETON = Skeleton()
RESULTS = Path(__file__).parent / "results"
Row = dict[str, object]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path, help="made by `physhmr data build`")
    parser.add_argument("what", choices=("reference", "humanoid"))
    parser.add_argument("--every", type=int, default=1, help="take every so-many-th clip of the core validation clips")
    parser.add_argument("--seconds", type=float, default=30.0, help="watch this much of each clip at most")
    parser.add_argument("--seed", type=int, default=0, help="another one: other cameras")
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/prediction-<what>.json")
    given = parser.parse_args()
    clips = load_library(given.library, "validation", "core")
    origin = provenance([find_model("encoder"), find_model("vision"), given.library], given.seed)
    measure, rows, started = MEASURES[given.what], list[Row](), time.monotonic()
    for index in range(0, len(clips), given.every):
        clip = clips[index]
        rays = list(watch(clip, SKELETON, np.random.default_rng([given.seed, index])))[
            : round(given.seconds * clip.fps)
        ]
        walks = float(np.linalg.norm(clip_velocities(clip.qpos, clip.fps)[:, :2], axis=1).mean()) > WALKS
        rows += [{"clip": clip.name, "walks": walks, **row} for row in measure(clip, rays)]
        print(f"{time.monotonic() - started:6.0f} s  {clip.name}", flush=True)
    out = given.out or RESULTS / f"prediction-{given.what}.json"
    means = means_of(rows)
    out.write_text(json.dumps({"setup": origin.as_dict(), "means": means}, indent=1) + "\n")
    told = [[f"{value:.2f}" if isinstance(value, float) else str(value) for value in one.values()] for one in means]
    print(markdown_table([list(means[0]), *told]), f"written: {out}", sep="\n\n")


def means_of(rows: Sequence[Row]) -> list[Row]:
    """Means over clips, those of walking and the others apart."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for one in rows:
        groups.setdefault((one["walks"], one["method"], one["ahead_ms"]), []).append(one)
    means = []
    for (walks, method, ahead), group in groups.items():
        names = [name for name in group[0] if name not in ("clip", "walks", "method", "ahead_ms")]
        numbers = {name: round(float(np.mean([one[name] for one in group])), 3) for name in names}
        means.append({"walks": walks, "method": method, "ahead_ms": ahead, "clips": len(group)} | numbers)
    return means


def references(clip: MotionClip, rays: Sequence[RayBundle | None]) -> Iterator[Row]:
    """Errors of each predictor by how far it looks ahead; every reference is for one control step after its image."""
    found: dict[tuple[str, int], list[Array]] = {}
    truth: list[int] = []
    for frame, (told, blind) in enumerate(lifted(rays, clip.fps)):
        if told is None or frame % JUDGED or frame + 1 + STEPS[-1] >= len(clip.qpos):
            continue
        truth.append(frame + 1)
        for steps, coasted in zip(STEPS, coasts(told, blind, frame), strict=True):
            guesses = {name: predict(told, steps / CONTROL_HZ) for name, predict in PREDICTORS.items()}
            for name, qpos in (guesses | {"encoder, blindly": coasted}).items():
                found.setdefault((name, steps), []).append(qpos)
    for (name, steps), qpos in found.items():
        yield row(name, steps, np.stack(qpos), clip.qpos[np.array(truth) + steps])


def lifted(rays: Sequence[RayBundle | None], fps: float) -> Iterator[tuple[Reference | None, EncodedLifter]]:
    """The reference of each control step, and the lifter that may be copied to go on blindly."""
    inner = EncodedLifter(ENCODER, SKELETON)
    lifter = GroundedLifter(inner)
    for frame, seen in enumerate(rays):
        yield (lifter.coast(round(1e9 * frame / fps)) if seen is None else lifter.step(seen)), inner


def coasts(told: Reference, lifter: EncodedLifter, frame: int) -> Iterator[Array]:
    """Poses after 0, 1, 2 ... blind steps of a copy of the lifter."""
    blind = copy(lifter)
    blind._encoder = copy(ENCODER)
    blind._encoder._rows = dict(ENCODER._rows)
    yield told.qpos
    for step in STEPS[1:]:
        reference = blind.coast((frame + step) * TICK_NS)
        yield told.qpos if reference is None else reference.qpos


def swung_on(told: Reference, ahead: float) -> Array:
    """The pose if every joint keeps its velocity, within its range."""
    qpos = pose_add(told.qpos, ahead * told.qvel)
    qpos[7:] = np.clip(qpos[7:], *SKELETON.ranges.T)
    return qpos


PREDICTORS: dict[str, Callable[[Reference, float], Array]] = {
    "none": lambda told, _: told.qpos,
    "velocity": swung_on,
    "velocity, limbs braked": lambda told, ahead: predicted(told, ahead, SKELETON).qpos,
}


def humanoids(clip: MotionClip, rays: Sequence[RayBundle | None]) -> Iterator[Row]:
    """The humanoid when its state is told, with images that are late, and with as much predicted."""
    runs = {steps: followed(rays, clip.fps, steps) for steps in (0, *DELAYS)}
    for late in (0, *DELAYS):
        for ahead in dict.fromkeys((0, late)):
            yield told_row(
                clip, runs[ahead], late, f"{100 * late // 3} ms late, {'predicted' if ahead else 'as it is'}"
            )


def followed(rays: Sequence[RayBundle | None], fps: float, ahead: int) -> list[Estimate]:
    """What a new humanoid makes of the rays, carried forward by so many control steps."""
    control = ControlPipeline(ControlConfig())
    return [control.step(round(1e9 * frame / fps), one, ahead * TICK_NS) for frame, one in enumerate(rays)]


def told_row(clip: MotionClip, run: Sequence[Estimate], late: int, method: str) -> Row:
    """Errors from the meeting on; what is told of frame f is heard when the person does frame f + `late`."""
    first = next(index for index, one in enumerate(run) if one.status is not Status.SEARCHING)
    end = min(len(run), len(clip.qpos) - late)
    truth = clip.qpos[first + late : end + late]
    qpos = np.stack([one.state.qpos for one in run[first:end]])
    counters = run[-1].counters
    mishaps = {"falls": counters["falls"], "new_starts": counters["reinitialisations"] - 1}
    found = row(method, late, qpos, truth) | mishaps
    found["success"] = float(found["within"] == 1.0 and not counters["falls"])
    return found | {"jitter": jitter(forward_kinematics(qpos, SKELETON)[0], clip.fps)}


def row(method: str, steps: int, qpos: Array, truth: Array) -> Row:
    """Errors in mm of poses (T, 76) after `steps`, and the share of the time in which they are near the truth."""
    bodies, wanted = (forward_kinematics(one, SKELETON)[0] for one in (qpos, truth))
    near = np.linalg.norm(bodies - wanted, axis=-1).mean(1) <= SUCCESS_DISTANCE
    return {
        "method": method, "ahead_ms": round(1e3 * steps / CONTROL_HZ), "g_mpjpe": g_mpjpe(bodies, wanted),
        "mpjpe": mpjpe(bodies, wanted, (0,)), "within": float(near.mean()),
    }  # fmt: skip


MEASURES = {"reference": references, "humanoid": humanoids}
ENCODER = TokenEncoder(find_model("encoder"), SKELETON)

if __name__ == "__main__":
    main()
