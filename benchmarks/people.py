"""What it costs to know everybody in view, one and six of them, and whether they keep their numbers.

    python benchmarks/people.py --out benchmarks/results/people.json

The six are the woman of the bundled walk, cut out at several times, some mirrored, in two rows: they cross and hide
each other. MoveNet MultiPose is measured too where it was added to the models.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np

from physhmr.errors import ModelFileError
from physhmr.eval.provenance import provenance
from physhmr.geometry.camera import camera_from_fov
from physhmr.inference.model_files import find_model, models_dir
from physhmr.types import Frame
from physhmr.vision.blazepose import BlazePoseConfig, load_blazepose
from physhmr.vision.people import PeopleConfig
from physhmr.vision.person import Person

DETECTORS = {"blazepose_detector": 4, "movenet_multipose": 8}
"""Detector -> frames between two looks."""
WARM_UP = 30
"""Frames that are not counted."""
SHIFTS = ((0, 30), (15, 50))
"""Of each row: frames by which its walk is ahead, and by which a third woman is ahead of the first."""


def walk() -> list[np.ndarray]:
    """RGB frames of the woman who walks by."""
    capture, frames = cv2.VideoCapture(str(models_dir() / "clips/walk.mp4")), []
    while (found := capture.read())[0]:
        frames.append(cv2.cvtColor(found[1], cv2.COLOR_BGR2RGB))
    return frames


def pasted(picture: np.ndarray, other: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """Put whoever differs from the `empty` scene in `other` in front of the picture."""
    other, empty = np.ascontiguousarray(other), np.ascontiguousarray(empty)
    moved = (cv2.absdiff(other, empty).max(-1) > 28).astype(np.uint8)
    person = cv2.dilate(cv2.morphologyEx(moved, cv2.MORPH_OPEN, np.ones((3, 3))), np.ones((7, 7))) > 0
    return np.where(person[..., None], other, picture)


def pictures(count: int) -> list[np.ndarray]:
    """The walk in the upper half of each picture: of one woman, or of six in both halves."""
    frames = walk()
    empty, number = np.median(frames[::8], axis=0).astype(np.uint8), len(frames)
    found = []
    for index in range(number - max(shift for _, shift in SHIFTS)):
        rows = []
        for ahead, far_ahead in SHIFTS:
            first, third = frames[(index + ahead) % number], frames[(index + far_ahead) % number]
            crowd = pasted(pasted(first, first[:, ::-1], empty[:, ::-1]), third, empty)
            rows.append(crowd if count == 6 else empty)
        if count == 1:
            rows[0] = frames[index]
        found.append(np.concatenate(rows))
    return found


def measure(detector: str, every: int, count: int) -> dict[str, float]:
    """Follow one of `count` people, and know all of them."""
    pose = load_blazepose(BlazePoseConfig(detector_model=detector, people=PeopleConfig(every)))
    step, look, known = [], [], []
    for index, image in enumerate(pictures(count)):
        frame = Frame(image, index * 33_333_333, camera_from_fov(*image.shape[1::-1], 1.0))
        start = time.process_time()
        pose.step(frame)
        middle = time.process_time()
        pose.look_around(everybody=True)
        look.append(1e3 * (time.process_time() - middle))
        step.append(1e3 * (middle - start))
        known.append(pose.people)
    pose.close()
    return {
        "people": count, "every": every, "step_cpu_ms_mean": float(np.mean(step[WARM_UP:])),
        "looks_cpu_ms_mean": float(np.mean(look[WARM_UP:])), "looks_cpu_ms_max": float(np.max(look[WARM_UP:])),
        **told(known[WARM_UP:]),
    }  # fmt: skip


def told(known: list[tuple[Person, ...]]) -> dict[str, float]:
    """How many people are known at a time, and how many numbers were given altogether."""
    return {
        "known_mean": float(np.mean([len(people) for people in known])),
        "numbers": len({person.id for people in known for person in people}),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    rows, models = [], [find_model("blazepose_full")]
    for detector, every in DETECTORS.items():
        try:
            models.append(find_model(detector))
        except ModelFileError as missing:
            print(missing)
            continue
        one, six = (measure(detector, every, count) for count in (1, 6))
        ratio = {name: six[name] / one[name] for name in ("step_cpu_ms_mean", "looks_cpu_ms_mean")}
        rows.append({"detector": detector, "one": one, "six": six, "six_over_one": ratio})
        print(json.dumps(rows[-1], indent=1))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps({"provenance": provenance(models).as_dict(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
