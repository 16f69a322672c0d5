"""How far off a person's pose is after so many images, by the camera's rate: what lifting waits for. Prints only.

python benchmarks/first_pose.py out/motion/library.npz
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import Skeleton
from physhmr.eval.report import markdown_table
from physhmr.inference.model_files import find_model
from physhmr.lifting.encoded_lifter import EncodedLifter, EncodedLifterCfg
from physhmr.motion.library import load_library
from physhmr.motion.synthetic_camera import KeypointErrors, Views, watch
from physhmr.policy.token_encoder import TokenEncoder
from physhmr.types import MotionClip

STEADY = Views(errors=KeypointErrors(slow_view=0.0, dropped=0.0, gap_view=0.0))
FRAMES, STARTS, IMAGES = 62, 3, (3, 4, 5, 6, 8)
"""Control steps that are watched, from so many random frames of each clip; images whose pose is told."""
SKELETON = Skeleton()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path, help="made by `physhmr data build`")
    clips = load_library(parser.parse_args().library, "validation", "core")
    rows = [["camera", *(f"image {count}" for count in IMAGES)]]
    for every, blind in ((1, True), (3, True), (6, True), (3, False), (6, False)):
        found = defaultdict(list)
        for start, clip in cuts(clips):
            for count, errors in errors_of(clip, every, blind, np.random.default_rng([every, start])):
                found[count].append(errors)
        told = ("{:.0f} / {:.0f}".format(*np.mean(found[count], 0)) for count in IMAGES)
        rows.append([f"{30 // every} Hz" + ("" if blind else ", no steps in between"), *told])
        print(rows[-1], flush=True)
    print("\nMean distance of the 24 bodies, mm: in the world / relative to the pelvis\n\n" + markdown_table(rows))


def cuts(clips: list[MotionClip]) -> Iterator[tuple[int, MotionClip]]:
    """Parts of the clips, each with a number of its own."""
    for index, clip in enumerate(clips):
        for cut in range(STARTS if len(clip.qpos) >= FRAMES else 0):
            start = int(np.random.default_rng([index, cut]).integers(0, len(clip.qpos) - FRAMES + 1))
            yield STARTS * index + cut, replace(clip, qpos=clip.qpos[start : start + FRAMES])


def errors_of(
    clip: MotionClip, every: int, blind: bool, random: np.random.Generator
) -> Iterator[tuple[int, tuple[float, float]]]:
    """Images so far, and the errors of the pose then, of a camera that takes every so-many-th step."""
    lifter = EncodedLifter(TOKENS, SKELETON, EncodedLifterCfg(settling=(1, 1)))
    lifter.reset()
    for frame, rays in enumerate(watch(clip, SKELETON, random, STEADY)):
        if frame % every:
            if blind:
                lifter.coast(round(1e9 * frame / clip.fps))
            continue
        told = lifter.step(rays) if rays is not None else None
        if told is not None and frame + 1 < len(clip.qpos):
            apart = forward_kinematics(told.qpos, SKELETON)[0] - forward_kinematics(clip.qpos[frame + 1], SKELETON)[0]
            errors = (apart, apart - apart[0])
            yield frame // every + 1, tuple(1e3 * float(np.linalg.norm(one, axis=1).mean()) for one in errors)


TOKENS = TokenEncoder(find_model("encoder"), SKELETON)

if __name__ == "__main__":
    main()
