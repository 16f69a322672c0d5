"""`physhmr evaluate`: accuracy, physics and speed of the chain on real clips, or of a tracking policy on motion."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from physhmr.body.skeleton import Skeleton
from physhmr.config import ControlConfig, PerceptionConfig
from physhmr.errors import ConfigError, MotionFileError, UnknownNameError
from physhmr.eval.clips import Catalogue, ClipFrames, RealClip, open_clip, real_clips
from physhmr.eval.datasets import DatasetName, dataset_clips
from physhmr.eval.evaluate import Chain, ClipRecord, Look, run_clip
from physhmr.eval.pose2sim import load_qca_cameras, load_trc
from physhmr.eval.provenance import provenance
from physhmr.eval.report import EvaluationResult, markdown, write_result
from physhmr.eval.tracking import ClipScore, track_clips
from physhmr.eval.tracking_report import tracking_markdown, views_markdown, write_tracking, write_views
from physhmr.eval.unsteady import Seen, count_falls, unsteady
from physhmr.eval.views import ViewScore, follow_view
from physhmr.follower import make_driver, make_lifter
from physhmr.inference.model_files import find_model
from physhmr.motion.library import LibraryClip, load_labelled
from physhmr.motion.loop import loop_clip
from physhmr.motion.synthetic_camera import watch
from physhmr.perception import PerceptionPipeline
from physhmr.pipeline import ControlPipeline
from physhmr.policy.runtime import TrackingPolicy
from physhmr.sim.humanoid_sim import HumanoidSim
from physhmr.view.film import Film
from physhmr.view.snapshot import take_snapshot
from physhmr.view.video_writer import VideoWriter

TELL_EVERY = 2.0
"""Seconds between two lines of progress."""


def main(
    data: Path = Path("../shared/data"),
    only: tuple[str, ...] = (),
    dataset: DatasetName | None = None,
    body: str = "",
    video: tuple[Path, ...] = (),
    truth: Path | None = None,
    calibration: Path | None = None,
    camera: str = "",
    person_height: float = 0.0,
    model: str = "full",
    policy: Path | None = None,
    lifting: Literal["encoder", "solver"] = "encoder",
    clips: Path | None = None,
    category: Literal["core", "wide", "all"] = "all",
    split: Literal["train", "validation", "all"] = "all",
    loop: float = 0.0,
    views: int = 0,
    methods: tuple[Literal["two_stage", "vision"], ...] = ("vision",),
    unsteady_runs: int = 0,
    film: bool = False,
    out: Path = Path("out/evaluation"),
) -> None:
    """Evaluate the chain and print and write the results.

    Args:
        data: Folder with pose2sim/ and video/; what is not there is listed as missing.
        only: Evaluate only the clips of these names.
        dataset: Evaluate this public data set instead, whose original files are in `data`.
        body: With dataset: SMPL's or SMPL-X's body (npz) where it holds no joints; braces take the gender.
        video: Evaluate these videos instead, each with its sidecar if there is one.
        truth: TRC table with the true joints of the one `video`.
        calibration: Qualisys calibration (.qca.txt) of the one `video`, with `camera` the name of one in it.
        camera: Name of the camera in `calibration`.
        person_height: Metres; 0 takes the sidecar's, else an average person.
        model: BlazePose landmark network: full, lite, or the path of an ONNX file.
        policy: ONNX file of the policy of the one method; the shipped one if not given.
        lifting: From rays to a reference pose: learned, or by inverse kinematics.
        clips: Motion library (.npz): track its clips with the policy instead of evaluating videos.
        category: With clips: only those of this category.
        split: With clips: only those of this split.
        loop: With clips: repeat the most cyclic part of each for so many seconds.
        views: With clips: follow them by what so many random cameras show of each, kinematics beside every method.
        methods: Who drives the humanoid; real clips are evaluated with the first.
        unsteady_runs: Follow each real clip again so many times, 10 % of its images late and 10 % lost: count falls.
        film: Write an overlay video of each clip.
        out: Folder for evaluation.json, evaluation.md and the films.
    """
    if clips is not None:
        chosen = _library(clips, category, split, only, loop)
        if views > 0:
            _follow_views(chosen, clips, views, methods, policy, lifting, out)
        else:
            _track(chosen, clips, policy or find_model("expert"), out)
        return
    if dataset is not None:
        if video:
            raise ConfigError("dataset", "excludes 'video'", dataset)
        catalogue = dataset_clips(dataset, data, body, only)
        only = ()
    elif video:
        catalogue = _own_clips(video, truth, calibration, camera)
    else:
        catalogue = real_clips(data)
    films = out if film else None
    config = ControlConfig(clock="frame", policy=methods[0], lifting=lifting)
    records = [
        _evaluate(clip, person_height, model, policy, config, unsteady_runs, films) for clip in _chosen(catalogue, only)
    ]
    files = [find_model("blazepose_detector"), _landmark_file(model), *_control_files(config, policy)]
    result = EvaluationResult(provenance(files), tuple(records), catalogue.missing)
    paths = write_result(result, out)
    print(markdown(result))
    print(f"written: {', '.join(map(str, paths))}")


def _own_clips(videos: Sequence[Path], truth: Path | None, calibration: Path | None, camera: str) -> Catalogue:
    names = [video.stem for video in videos]
    if len(set(names)) < len(names):
        raise ConfigError("video", "each needs a name of its own", ", ".join(names))
    if len(videos) > 1 and (truth is not None or calibration is not None):
        raise ConfigError("video", "truth and calibration belong to one video", ", ".join(names))
    known = None
    if calibration is not None:
        cameras = load_qca_cameras(calibration)
        if camera not in cameras:
            raise UnknownNameError("camera", camera, cameras)
        known = cameras[camera]
    true_joints = None if truth is None else load_trc(truth)
    return Catalogue(tuple(RealClip(video.stem, video, known, true_joints) for video in videos), ())


def _chosen(catalogue: Catalogue, only: tuple[str, ...]) -> tuple[RealClip, ...]:
    names = [clip.name for clip in catalogue.clips]
    for name in only:
        if name not in names:
            raise UnknownNameError("clip", name, names)
    for line in catalogue.missing:
        print(f"missing: {line}", file=sys.stderr)
    return tuple(clip for clip in catalogue.clips if not only or clip.name in only)


def _library(path: Path, category: str, split: str, only: tuple[str, ...], loop: float) -> list[LibraryClip]:
    """The clips that are asked for, made longer if that is asked for."""
    entries = {
        entry.clip.name: entry
        for entry in load_labelled(path)
        if category in ("all", entry.category) and split in ("all", entry.split)
    }
    for name in only:
        if name not in entries:
            raise UnknownNameError("clip", name, entries)
    chosen = [entries[name] for name in only] or list(entries.values())
    if not chosen:
        raise MotionFileError(f"{path} holds no {category} {split} clips")
    return [replace(entry, clip=loop_clip(entry.clip, loop)) for entry in chosen] if loop else chosen


def _track(entries: Sequence[LibraryClip], library: Path, policy: Path, out: Path) -> None:
    """Roll the policy out over clips."""
    skeleton, started = Skeleton(), time.monotonic()

    def tell(score: ClipScore) -> None:
        _tell(started, score.name, score)

    scores = track_clips(TrackingPolicy(policy, skeleton), [entry.clip for entry in entries], skeleton, tell)
    origin, groups = provenance([policy, library]), [_group(entry) for entry in entries]
    paths = write_tracking(scores, groups, origin, out)
    print(tracking_markdown(scores, groups, origin))
    print(f"written: {', '.join(map(str, paths))}")


def _group(entry: LibraryClip) -> str:
    """What a clip is counted with; what others were multiplied to is counted apart from them."""
    varied = re.search(r" (x|style )\d", entry.clip.name)
    kinds = {"x": ", at other tempi", "style ": ", in other styles"}
    return f"{entry.category}, {entry.split}{kinds[varied[1]] if varied else ''}"


def _tell(started: float, what: str, score: ClipScore | ViewScore) -> None:
    """A line of progress."""
    verdict = "followed" if score.success else f"lost after {score.survived:.1f} of"
    print(f"{time.monotonic() - started:6.1f} s  {what}: {verdict} {score.seconds:.1f} s", file=sys.stderr)


def _follow_views(
    entries: Sequence[LibraryClip],
    library: Path,
    count: int,
    methods: Sequence[str],
    policy: Path | None,
    lifting: str,
    out: Path,
) -> None:
    """Every method on the same rays."""
    skeleton, scores = Skeleton(), list[ViewScore]()
    sim, started = HumanoidSim(skeleton.shape), time.monotonic()
    if policy is not None and len(methods) > 1:
        raise ConfigError("policy", "is one method's: give one of --methods with it", str(policy))
    configs = {method: ControlConfig(policy=method, lifting=lifting) for method in methods}
    drivers = {method: make_driver(config, skeleton, policy) for method, config in configs.items()}
    lifter = make_lifter(lifting, skeleton)
    for index, entry in enumerate(entries):
        for random in np.random.default_rng([0, index]).spawn(count):
            rays = list(watch(entry.clip, skeleton, random))
            found = follow_view(entry.clip, rays, lifter, drivers, sim, skeleton)
            scores += found
            for score in found[1:]:
                _tell(started, f"{score.method} {entry.clip.name}", score)
    files = {file for config in configs.values() for file in _control_files(config, policy)}
    origin = provenance([*sorted(files), library])
    paths = write_views(scores, origin, out)
    print(views_markdown(scores, origin))
    print(f"written: {', '.join(map(str, paths))}")


def _control_files(config: ControlConfig, policy: Path | None) -> list[Path]:
    """The networks between rays and humanoid."""
    driver = policy or find_model("vision" if config.policy == "vision" else "expert")
    encoded = config.policy == "vision" or config.lifting == "encoder"
    return [driver, *([find_model("encoder")] if encoded else [])]


def _evaluate(
    clip: RealClip,
    person_height: float,
    model: str,
    policy: Path | None,
    config: ControlConfig,
    unsteady_runs: int,
    films: Path | None,
) -> ClipRecord:
    """A fresh chain for each clip, a fresh humanoid for each unsteady run."""
    source = open_clip(clip)
    height = person_height or source.person_height
    perception = PerceptionPipeline(PerceptionConfig(model=model, person_height=height))
    config = replace(config, person_height=height)
    try:
        with _Watcher(clip, source, films) as watcher:
            record = run_clip(clip, source, Chain(perception, ControlPipeline(config, policy)), watcher)
    finally:
        perception.close()
    for run in range(unsteady_runs):
        images = unsteady(watcher.images, np.random.default_rng([0, run]))
        record.unsteady_falls.append(count_falls(images, ControlPipeline(config, policy)))
    return record


class _Watcher:
    """Tells the progress, keeps what was seen, and films if asked to."""

    def __init__(self, clip: RealClip, source: ClipFrames, films: Path | None) -> None:
        self._name, self._count, self._seen, self._told = clip.name, source.count, 0, time.monotonic()
        self._film = Film()
        self.images: list[Seen] = []
        self._file = None if films is None else VideoWriter(films / f"{clip.name}.mp4", source.fps)

    def __call__(self, look: Look) -> None:
        self._seen += 1
        self.images.append((look.frame.stamp_ns, look.rays))
        if time.monotonic() - self._told > TELL_EVERY:
            self._told = time.monotonic()
            print(f"{self._name}: frame {self._seen} of {self._count}", file=sys.stderr)
        if self._file is not None:
            snapshot = take_snapshot(
                look.frame, look.camera, look.keypoints, look.rays, look.estimate, dict(look.stage_ms)
            )
            self._file.write(self._film.draw(snapshot))

    def __enter__(self) -> _Watcher:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def _landmark_file(model: str) -> Path:
    return Path(model) if model.endswith(".onnx") else find_model(f"blazepose_{model}")
