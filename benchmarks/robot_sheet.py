"""All robots at the same walk, squat and gestures: docs/images/robots.jpg, and beside it robots/<name>.png of each.

python benchmarks/robot_sheet.py --out docs/images/robots.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from physhmr.body.humanoid_mjcf import build_model
from physhmr.body.skeleton import Skeleton
from physhmr.geometry.rotation import yaw_of
from physhmr.motion.onto_humanoid import onto_humanoid
from physhmr.motion.procedural import generate
from physhmr.retarget.human import human_from_clip
from physhmr.retarget.proportions import skeleton_proportions
from physhmr.retarget.retargeter import Retargeter
from physhmr.retarget.robot import load_robot
from physhmr.types import Array
from physhmr.view.model_picture import Image, ModelPicture, View

ROBOTS = ("unitree_g1", "unitree_h1", "booster_t1", "apptronik_apollo", "robotis_op3", "berkeley_humanoid")
SHOWN = {("walk", 1): (60, 100, 140), ("squat", 0): (75, 110, 150), ("gesture", 0): (60, 105, 150)}
SECONDS = 5.2
"""Recipe and seed -> frames."""
CELL = (130, 170)
"""px."""
COLOURS = 24
"""Greys of a PNG, which keep it small."""


def main() -> None:
    """Draw the human and below it every robot, each at its own scale."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images/robots.jpg"))
    out, skeleton = parser.parse_args().out, Skeleton()
    clips = onto_humanoid([generate(recipe, seed, skeleton, SECONDS) for recipe, seed in SHOWN], skeleton)
    frames = list(SHOWN.values())
    poses = [clip.qpos[list(chosen)] for clip, chosen in zip(clips, frames, strict=True)]
    rows = [row("human", ModelPicture(build_model()), np.concatenate(poses), skeleton.standing_root_height)]
    for name in ROBOTS:
        robot, followed = load_robot(name), []
        retargeter = Retargeter(robot, skeleton_proportions(skeleton))
        for clip, chosen in zip(clips, frames, strict=True):
            retargeter.reset()
            q = [retargeter.step(human).q for human in human_from_clip(clip, skeleton)]
            followed += [q[frame] for frame in chosen]
        # Seen at the size that its legs have beside the human's.
        root = retargeter.goal_maker.scale * skeleton.standing_root_height
        rows.append(row(robot.cfg.name, ModelPicture(robot.model), np.array(followed), root))
        alone = out.parent / "robots" / f"{name}.png"
        alone.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(alone), few_colours(rows[-1])[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    cv2.imwrite(str(out), np.vstack(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])


def few_colours(image: Image) -> Image:
    """The image in few levels, without noise between them."""
    step = 256 // COLOURS
    return (image // step * step + step // 2).astype(np.uint8)


def row(name: str, draw: ModelPicture, poses: Array, root: float) -> Image:
    """Poses (N, nq) side by side, from the front left of each; `root` m is the height to scale by."""
    height = 2.25 * root
    cells = [
        draw(q, View((q[0], q[1], 0.47 * height), height, azimuth=-0.6 + float(yaw_of(q[3:7]))), CELL) for q in poses
    ]
    image = np.hstack(cells)
    cv2.putText(image, name, (6, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (40, 44, 52), 1, cv2.LINE_AA)
    return image


if __name__ == "__main__":
    main()
