"""What one method said about one clip, frame by frame, and the scores that follow from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from physhmr.eval import physics_metrics, pose_metrics
from physhmr.types import RAY_JOINTS, Array

HIPS = [RAY_JOINTS.index("L_Hip"), RAY_JOINTS.index("R_Hip")]
ANKLES = [RAY_JOINTS.index("L_Ankle"), RAY_JOINTS.index("R_Ankle")]
REFERENCE_FPS = 30.0
"""Motions per frame are given per 1/30 s, whatever the clip's rate."""

ACCURACY: dict[str, str] = {
    "pa_mpjpe": "PA-MPJPE mm",
    "mpjpe": "MPJPE mm",
    "g_mpjpe": "G-MPJPE mm",
    "wa_mpjpe_100": "WA-MPJPE100 mm",
    "w_mpjpe_100": "W-MPJPE100 mm",
    "rte": "RTE %",
    "accel": "Accel m/s^2",
    "foot_sliding": "sliding mm/frame",
}
"""Metrics that need a truth, with their names and units."""
PLAUSIBILITY: dict[str, str] = {
    "reprojection": "reprojection px",
    "jitter": "jitter 10 m/s^3",
    "skate": "skate mm/frame",
    "penetration": "penetration mm",
    "float": "float mm",
    "frames": "frames",
}
"""Metrics that need none."""
METRICS = ACCURACY | PLAUSIBILITY


@dataclass
class Recording:
    """Rows of one method; frames in which it said nothing have none."""

    clearance: float
    """m; foot points lower than this touch the floor."""
    index: list[int] = field(default_factory=list)
    """Frame numbers."""
    joints_w: list[Array] = field(default_factory=list)
    """Each (12, 3) m, `RAY_JOINTS`."""
    feet_w: list[Array] = field(default_factory=list)
    """Each (P, 3) m."""
    reprojection: list[float] = field(default_factory=list)
    """px, mean distance of the projected joints from the detected keypoints; NaN where none was seen."""

    def add(self, index: int, joints_w: Array, feet_w: Array, reprojection: float) -> None:
        """Append one frame."""
        self.index.append(index)
        self.joints_w.append(joints_w)
        self.feet_w.append(feet_w)
        self.reprojection.append(reprojection)


def scores(recording: Recording, fps: float, truth_w: Array | None) -> dict[str, float]:
    """Return every metric of `METRICS` by name, NaN where there is nothing to measure.

    `truth_w` (F, 12, 3) m holds every frame of the clip; accuracy leaves out those that are NaN. Averages over
    poses take all recorded frames; what needs neighbours takes the longest run without a gap. Joints are those of
    `RAY_JOINTS`, the root is the middle of the hips, feet slide at the ankles. Without truth a foot counts as down
    in every frame.
    """
    found = dict.fromkeys(METRICS, float("nan")) | {"frames": float(len(recording.index))}
    if not recording.index:
        return found
    run = longest_run(recording.index)
    index, joints = np.array(recording.index), np.array(recording.joints_w)
    seen = np.array(recording.reprojection)[np.isfinite(recording.reprojection)]
    found["reprojection"] = float(seen.mean()) if seen.size else float("nan")
    found |= _physics(recording, run, fps, None if truth_w is None else truth_w[index])
    if len(joints[run]) >= 4:
        found["jitter"] = pose_metrics.jitter(joints[run], fps)
    if truth_w is not None:
        known = np.isfinite(truth_w[index]).all((1, 2))
        if known.any():
            found |= _accuracy(joints[known], truth_w[index][known], longest_run(index[known]), fps)
    return found


def longest_run(index: Iterable[int]) -> slice:
    """Return the longest stretch of consecutive numbers in a rising sequence; the first of equals."""
    numbers = np.fromiter(index, int)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(numbers) != 1) + 1])
    lengths = np.diff(np.concatenate([starts, [len(numbers)]]))
    best = int(np.argmax(lengths))
    return slice(int(starts[best]), int(starts[best] + lengths[best]))


def _accuracy(joints: Array, truth: Array, run: slice, fps: float) -> dict[str, float]:
    found = {
        "pa_mpjpe": pose_metrics.pa_mpjpe(joints, truth),
        "mpjpe": pose_metrics.mpjpe(joints, truth, HIPS),
        "g_mpjpe": pose_metrics.g_mpjpe(joints, truth),
    }
    estimate, wanted = joints[run], truth[run]
    if len(estimate) >= 3:
        rate = fps / REFERENCE_FPS
        found["wa_mpjpe_100"] = pose_metrics.wa_mpjpe_100(estimate, wanted)
        found["w_mpjpe_100"] = pose_metrics.w_mpjpe_100(estimate, wanted)
        found["rte"] = pose_metrics.rte(_root(estimate), _root(wanted))
        found["accel"] = pose_metrics.accel(estimate, wanted, fps)
        found["foot_sliding"] = rate * physics_metrics.foot_sliding(estimate[:, ANKLES], wanted[:, ANKLES])
    return found


def _root(joints: Array) -> Array:
    return joints[:, HIPS].mean(1)


def _physics(recording: Recording, run: slice, fps: float, truth: Array | None) -> dict[str, float]:
    feet = np.array(recording.feet_w)
    contact = physics_metrics.touching(feet, recording.clearance)
    return {
        "skate": fps / REFERENCE_FPS * physics_metrics.skate(feet[run], contact[run]),
        "penetration": physics_metrics.penetration(feet),
        "float": physics_metrics.floating(feet, np.ones(len(feet), bool) if truth is None else _down(truth, fps)),
    }


def _down(truth: Array, fps: float) -> np.ndarray:
    """(T,): frames in which a true ankle stands still."""
    if len(truth) < 2:
        return np.ones(len(truth), bool)
    step = np.linalg.norm(np.diff(truth[:, ANKLES], axis=0), axis=-1).min(1) * fps / REFERENCE_FPS
    still = step < physics_metrics.STILL
    return np.concatenate([still[:1], still])
