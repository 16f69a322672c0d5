"""A worker runs one chain over parts of a clip, as it is asked on its standard input, and tells times and keypoints.

It may run in another environment than the asker: nothing here needs more than numpy and OpenCV.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable

import cv2
import numpy as np

FRAME_NS = 33_333_000
"""MediaPipe's Python interface stamps frames so far apart, whatever the file says."""
Step = Callable[[np.ndarray, int], "np.ndarray | None"]
"""RGB image and stamp in ns -> 33 landmarks (33, 2) px, or None."""


def serve(step: Step, library: str, clip: str, core: int, width: int) -> None:
    """Answer each line `first last` with the times and landmarks of these frames, as one line of JSON."""
    os.sched_setaffinity(0, {core})
    cv2.setNumThreads(1)
    frames = read_frames(clip, width)
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    # What libraries print must not come between the answers.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    print(
        json.dumps({"library": library, "frames": len(frames), "size": frames[0].shape[1::-1]}), file=answer, flush=True
    )
    for line in sys.stdin:
        first, last = map(int, line.split())
        rows = [_timed(step, frames[index % len(frames)], index * FRAME_NS) for index in range(first, last)]
        print(json.dumps(rows), file=answer, flush=True)


def read_frames(clip: str, width: int) -> list[np.ndarray]:
    """Return the RGB frames of a clip, shrunk to `width` if they are wider."""
    capture, frames = cv2.VideoCapture(clip), []
    while (found := capture.read())[0]:
        image = cv2.cvtColor(found[1], cv2.COLOR_BGR2RGB)
        scale = min(1.0, width / image.shape[1])
        frames.append(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    return frames


def _timed(step: Step, image: np.ndarray, stamp_ns: int) -> tuple[float, float, list | None]:
    """Wall ms, CPU ms of all threads, landmarks."""
    wall, cpu = time.perf_counter(), time.process_time()
    landmarks = step(image, stamp_ns)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return 1e3 * wall, 1e3 * cpu, None if landmarks is None else landmarks.tolist()
