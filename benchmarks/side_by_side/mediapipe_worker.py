"""MediaPipe's own graph (0.10.21), complexity 1, which is BlazePose full: `worker CLIP CORE WIDTH`."""

from __future__ import annotations

import sys

import mediapipe
import numpy as np
from protocol import serve


def main() -> None:
    """Serve MediaPipe."""
    pose = mediapipe.solutions.pose.Pose(model_complexity=1, smooth_landmarks=True)

    def step(image: np.ndarray, stamp_ns: int) -> np.ndarray | None:
        found = pose.process(image).pose_landmarks
        if found is None:
            return None
        height, width = image.shape[:2]
        return np.array([[point.x * width, point.y * height] for point in found.landmark])

    serve(step, f"mediapipe {mediapipe.__version__}", sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))


if __name__ == "__main__":
    main()
