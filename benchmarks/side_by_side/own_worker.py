"""Our chain: `worker CLIP CORE WIDTH ENGINE`."""

from __future__ import annotations

import sys

import numpy as np
from protocol import serve

from physhmr.geometry.camera import camera_from_fov
from physhmr.inference.choose import EngineConfig
from physhmr.types import KEYPOINTS, Frame
from physhmr.vision.blazepose import BlazePoseConfig, load_blazepose
from physhmr.vision.keypoints import BLAZEPOSE_ROWS
from physhmr.vision.smoothing import MEDIAPIPE


def main() -> None:
    """Serve BlazePose full; landmarks that are no keypoint of the project stay NaN."""
    pose = load_blazepose(BlazePoseConfig(engine=EngineConfig(sys.argv[4]), smoothing=MEDIAPIPE))

    def step(image: np.ndarray, stamp_ns: int) -> np.ndarray | None:
        height, width = image.shape[:2]
        seen = pose.step(Frame(image, stamp_ns, camera_from_fov(width, height, 1.0)))
        if seen is None:
            return None
        landmarks = np.full((33, 2), np.nan)
        for xy, name in zip(seen.xy, KEYPOINTS, strict=True):
            if len(BLAZEPOSE_ROWS[name]) == 1:
                landmarks[BLAZEPOSE_ROWS[name]] = xy
        return landmarks

    serve(step, pose.choice.engine, sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))


if __name__ == "__main__":
    main()
