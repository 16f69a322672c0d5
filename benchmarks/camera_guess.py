"""How a camera stands of which only the lens is known: Pose2Sim's four, against their calibration.

    python benchmarks/camera_guess.py <folder with pose2sim/>

What the chain finds after half a second of the person; the clips are too short for a calibration. Prints only.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from physhmr.config import PerceptionConfig
from physhmr.eval.clips import POSE2SIM_CAMERAS, RealClip, open_clip, real_clips
from physhmr.eval.report import markdown_table
from physhmr.geometry.camera import camera_tilt, require_pose
from physhmr.perception import PerceptionPipeline
from physhmr.types import Array, CameraModel


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    catalogue = real_clips(parser.parse_args(arguments).folder)
    names = [f"pose2sim_{name}" for name in POSE2SIM_CAMERAS]
    clips = [clip for clip in catalogue.clips if clip.name in names]
    if not clips:
        raise SystemExit("nothing to look at; " + "; ".join(catalogue.missing))
    rows = [["camera", "", "pitch deg", "roll deg", "height m"]]
    for clip in clips:
        assert clip.camera is not None
        truth = _tilt(clip.camera)
        rows.append([clip.name, "truth", *_told(truth)])
        rows.append([clip.name, "found", *_told(_found(clip), truth)])
    print(markdown_table(rows))
    return 0


def _found(clip: RealClip) -> Array:
    """The tilt once there is one."""
    perception = PerceptionPipeline(PerceptionConfig())
    try:
        for frame in open_clip(clip).frames:
            perception.step(replace(frame, camera=replace(frame.camera, T_wc=None)))
            if perception.camera is not None:
                return _tilt(perception.camera)
    finally:
        perception.close()
    raise SystemExit(f"{clip.name}: no pose was found; {perception.status}")


def _tilt(camera: CameraModel) -> Array:
    """Pitch and roll in degrees, height in m."""
    tilt = camera_tilt(require_pose(camera))
    return np.array([np.rad2deg(tilt.pitch), np.rad2deg(tilt.roll), tilt.height])


def _told(tilt: Array, truth: Array | None = None) -> list[str]:
    told = [f"{value:.{digits}f}" for value, digits in zip(tilt, (1, 1, 2), strict=True)]
    if truth is None:
        return told
    return [f"{one} ({error:+.{digits}f})" for one, error, digits in zip(told, tilt - truth, (1, 1, 2), strict=True)]


if __name__ == "__main__":
    raise SystemExit(main())
