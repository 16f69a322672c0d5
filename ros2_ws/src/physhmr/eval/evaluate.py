"""Runs the chain over a real clip and records, frame by frame, what three methods say.

`landmarks` is the detector's own 3-D landmarks, put into the world by its rays; `lifted` the pose that causal
lifting makes of them; `humanoid` what the tracking policy and physics make of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from physhmr.body.kinematics import forward_kinematics
from physhmr.body.points import place_points
from physhmr.body.skeleton import BODY_INDEX, Skeleton
from physhmr.body.soles import sole_corners
from physhmr.errors import CameraError, PhyshmrError
from physhmr.eval.clips import ClipFrames, RealClip, truth_at
from physhmr.eval.kinematic import FOOT_LANDMARK_CLEARANCE, FOOT_LANDMARKS, place_landmarks
from physhmr.eval.recording import Recording, scores
from physhmr.geometry.camera import project
from physhmr.types import RAY_JOINTS, Array, CameraModel, Estimate, Frame, Keypoints2d, RayBundle, Reference, Status

_FOLLOWING = (Status.TRACKING, Status.FALLEN, Status.RECOVERING, Status.DIVERGED)

METHODS = ("landmarks", "lifted", "humanoid")
MIN_SCORE = 0.5
"""Only keypoints at least this certain count for the reprojection error."""
SOLE_CLEARANCE = 0.01
"""m; corners of the humanoid's soles below this touch the floor."""
_JOINTS = list(range(len(RAY_JOINTS)))
_BODIES = [BODY_INDEX[name] for name in RAY_JOINTS]


class Perception(Protocol):
    """The side of `perception.PerceptionPipeline` that is evaluated."""

    keypoints: Keypoints2d | None
    camera: CameraModel | None
    stage_ms: dict[str, float]

    @property
    def status(self) -> str:
        """What was assumed."""

    def step(self, frame: Frame) -> RayBundle | None:
        """Image to rays."""


class Control(Protocol):
    """The side of `pipeline.ControlPipeline` that is evaluated."""

    scale: float

    @property
    def goal(self) -> Reference:
        """Where the person was lifted to."""

    def advance(self, stamp_ns: int, rays: RayBundle | None) -> Estimate | None:
        """Rays to the humanoid, by the images' stamps."""


@dataclass(frozen=True)
class Chain:
    """A fresh chain."""

    perception: Perception
    control: Control


@dataclass(frozen=True)
class Look:
    """One frame as the chain saw it, for whoever wants to draw it."""

    frame: Frame
    camera: CameraModel | None
    keypoints: Keypoints2d | None
    rays: RayBundle | None
    estimate: Estimate | None
    stage_ms: Mapping[str, float]


@dataclass
class ClipRecord:
    """Everything that was recorded of one clip."""

    name: str
    fps: float
    note: str = ""
    frames: int = 0
    assumed: str = ""
    """Where the camera's pose came from."""
    methods: dict[str, Recording] = field(default_factory=dict)
    stage_ms: dict[str, list[float]] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    """Falls, divergences, ... as `Estimate.counters`."""
    unsteady_falls: list[int] = field(default_factory=list)
    """Of each run with late and lost images, see `eval.unsteady`."""
    truth_w: Array | None = None
    """(frames, 12, 3) m, NaN in frames whose truth nobody knows."""
    detector_px: list[float] = field(default_factory=list)
    """Distance of the detected keypoints from the projected truth, mean of each frame."""

    def scores(self) -> dict[str, dict[str, float]]:
        """Every metric by method."""
        return {name: scores(recording, self.fps, self.truth_w) for name, recording in self.methods.items()}


def run_clip(
    clip: RealClip, source: ClipFrames, chain: Chain, watch: Callable[[Look], None] = lambda look: None
) -> ClipRecord:
    """Send the frames of `source` through `chain`, by their stamps; `watch` sees each.

    Raises `PhyshmrError` if the clip has no frames or its truth does not cover it.
    """
    record = ClipRecord(clip.name, source.fps, clip.note)
    recorder = _Recorder(record, chain)
    stamps = []
    for frame in source.frames:
        look = _look(frame, chain)
        recorder.add(look)
        watch(look)
        stamps.append(frame.stamp_ns)
    if not stamps:
        raise PhyshmrError(f"{clip.video} has no frames")
    record.frames, record.assumed = len(stamps), chain.perception.status
    if clip.truth is not None:
        record.truth_w = truth_at(clip.truth, RAY_JOINTS, np.array(stamps, float))
        record.detector_px = recorder.detector_errors(record.truth_w)
    return record


def _look(frame: Frame, chain: Chain) -> Look:
    perception = chain.perception
    rays = perception.step(frame)
    estimate = chain.control.advance(frame.stamp_ns, rays)
    stage_ms = perception.stage_ms | (estimate.stage_ms if estimate else {})
    return Look(frame, perception.camera, perception.keypoints, rays, estimate, stage_ms)


class _Recorder:
    """Fills a `ClipRecord` frame by frame."""

    def __init__(self, record: ClipRecord, chain: Chain) -> None:
        self._record, self._control = record, chain.control
        self._skeleton = Skeleton()
        self._corners = sole_corners(self._skeleton)
        record.methods = {name: Recording(SOLE_CLEARANCE) for name in METHODS}
        record.methods["landmarks"].clearance = FOOT_LANDMARK_CLEARANCE
        self._seen: list[tuple[int, CameraModel, Keypoints2d]] = []
        self._index = -1
        self._started = False

    def add(self, look: Look) -> None:
        """Record one frame; the humanoid counts once it has a first person to follow, the others while there is one."""
        self._index += 1
        for stage, ms in look.stage_ms.items():
            self._record.stage_ms.setdefault(stage, []).append(ms)
        if look.rays is not None and look.camera is not None and look.keypoints is not None:
            self._seen.append((self._index, look.camera, look.keypoints))
            placed = place_landmarks(look.rays)
            self._add("landmarks", placed[_JOINTS], placed[FOOT_LANDMARKS], look)
            if look.estimate is not None and look.estimate.status in _FOLLOWING:
                self._add_pose("lifted", self._control.goal.qpos, look)
        self._started |= look.estimate is not None and look.estimate.status is not Status.SEARCHING
        if look.estimate is not None and self._started:
            self._record.counters = dict(look.estimate.counters)
            self._add_pose("humanoid", look.estimate.state.qpos, look)

    def detector_errors(self, truth_w: Array) -> list[float]:
        """px by frame: detected keypoints against the projected truth (F, 12, 3)."""
        known = set(np.flatnonzero(np.isfinite(truth_w).all((1, 2))).tolist())
        return [_pixel_error(truth_w[index], camera, seen) for index, camera, seen in self._seen if index in known]

    def _add_pose(self, method: str, qpos: Array, look: Look) -> None:
        """Our body is `scale` times the person's size, in a world scaled about its origin."""
        pos, rot = forward_kinematics(qpos, self._skeleton)
        feet = place_points(self._corners, pos, rot)
        scale = self._control.scale
        self._add(method, pos[_BODIES] / scale, feet / scale, look)

    def _add(self, method: str, joints_w: Array, feet_w: Array, look: Look) -> None:
        error = float("nan")
        if look.camera is not None and look.keypoints is not None:
            error = _pixel_error(joints_w, look.camera, look.keypoints)
        self._record.methods[method].add(self._index, joints_w, feet_w, error)


def _pixel_error(joints_w: Array, camera: CameraModel, keypoints: Keypoints2d) -> float:
    """Mean distance (px) of projected joints (12, 3) from certain keypoints; NaN if there is none, or behind."""
    certain = keypoints.score[_JOINTS] >= MIN_SCORE
    if not certain.any():
        return float("nan")
    try:
        pixels = project(camera, joints_w[certain])
    except CameraError:
        return float("nan")
    return float(np.linalg.norm(pixels - keypoints.xy[_JOINTS][certain], axis=1).mean())
