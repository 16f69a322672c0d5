"""BlazePose end to end: a stream of frames in, the keypoints of one person out."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter

from physhmr.errors import ShapeError
from physhmr.inference.choose import ENGINES_ON_GPU, Choice, EngineConfig, open_engines
from physhmr.inference.engine import InferenceEngine
from physhmr.inference.engine_cache import EngineCache
from physhmr.inference.model_files import find_model
from physhmr.inference.picture_engine import PictureEngine
from physhmr.types import Frame, Keypoints2d
from physhmr.vision.detector import BOX_MARGIN, DetectorConfig, PeopleDetector, PersonDetector
from physhmr.vision.detector import FRONT as DETECTOR_FRONT
from physhmr.vision.identity import IdentityConfig, IdentityGuard
from physhmr.vision.keypoints import to_keypoints
from physhmr.vision.landmarks import FRONT as LANDMARKS_FRONT
from physhmr.vision.landmarks import REGION_POINTS, LandmarkNetwork, Landmarks, decode
from physhmr.vision.multipose import FRONT as MULTIPOSE_FRONT
from physhmr.vision.multipose import MultiPoseDetector
from physhmr.vision.people import PeopleConfig, PeopleTracker
from physhmr.vision.person import Person
from physhmr.vision.preprocess import box_from_points
from physhmr.vision.selection import Selection
from physhmr.vision.smoothing import LandmarkSmoother, SmoothingConfig
from physhmr.vision.tracker import PersonTracker, TrackerConfig

_log = logging.getLogger(__name__)
BLAZEPOSE_DETECTOR = "blazepose_detector"
STAGES = ("find", "crop", "landmarks", "decode", "guard")
"""Keys of `BlazePose.stage_ms`."""


@dataclass(frozen=True)
class BlazePoseConfig:
    """Which network to run, and how to follow a person."""

    detector_model: str = BLAZEPOSE_DETECTOR
    """What finds people: BlazePose's own, or a network of several people that the manifest knows."""
    landmark_model: str = "full"
    """`full`, `lite`, or the path of an ONNX file (such as the heavy variant)."""
    engine: EngineConfig = field(default_factory=EngineConfig)
    """What runs the networks."""
    crop_on_gpu: bool = False
    """Whether a GPU that runs the networks also cuts the crops out of the pictures."""
    min_person_score: float = 0.5
    """Below it the region holds no person, and the search begins."""
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    identity: IdentityConfig = field(default_factory=IdentityConfig)
    people: PeopleConfig = field(default_factory=PeopleConfig)
    smoothing: SmoothingConfig | None = field(default_factory=SmoothingConfig)
    """None leaves the landmarks as the network gives them."""


class BlazePose:
    """A `KeypointModel` that detects once and then tracks."""

    def __init__(
        self,
        detector: InferenceEngine,
        landmarks: InferenceEngine,
        config: BlazePoseConfig | None = None,
        choice: Choice | None = None,
    ) -> None:
        """Use two loaded engines, and say that `choice` chose them; `load_blazepose` makes them from the files.

        Raises `EngineError` if one of them does not hold a network of BlazePose.
        """
        self.choice = choice or Choice(landmarks.name, "given")
        self._config = config or BlazePoseConfig()
        self._engines = (detector, landmarks)
        finder: PeopleDetector = (
            PersonDetector(detector, self._config.detector)
            if self._config.detector_model == BLAZEPOSE_DETECTOR
            else MultiPoseDetector(detector)
        )
        self._tracker = PersonTracker(finder, self._config.tracker)
        self._guard = IdentityGuard(finder, self._config.identity)
        self._people = PeopleTracker(finder, self._config.people)
        self._network = LandmarkNetwork(landmarks)
        self._smoother = LandmarkSmoother(self._config.smoothing) if self._config.smoothing else None
        self._stage_ms = dict.fromkeys(STAGES, 0.0)

    @property
    def tracking(self) -> bool:
        """Whether the last frame showed the person."""
        return self._tracker.tracking

    @property
    def people(self) -> tuple[Person, ...]:
        """Everybody who is known to be in view, the followed person first."""
        return self._people.people

    @property
    def stage_ms(self) -> dict[str, float]:
        """Milliseconds of the last step by stage; 0 for a stage that did not run."""
        return dict(self._stage_ms)

    def warm_up(self) -> None:
        """Run each network once, so that the first frame is as fast as the others."""
        for engine in self._engines:
            engine.warm_up()

    def step(self, frame: Frame) -> Keypoints2d | None:
        """Return the person's keypoints, or None while nobody is found.

        Raises `ShapeError` if the image does not have its camera's size.
        """
        expected = (frame.camera.height, frame.camera.width)
        if frame.image.shape[:2] != expected:
            raise ShapeError("image", f"{expected} as its camera says", frame.image.shape[:2])
        landmarks = self._look(frame)
        if landmarks is None:
            self._lose()
            self._people.step(frame.image, frame.stamp_ns, None)
            return None
        if self._smoother is not None:
            landmarks = self._smoother(frame.stamp_ns, landmarks)
        center, edge = landmarks.xy[REGION_POINTS]
        box = box_from_points(center, edge, BOX_MARGIN, landmarks.score)
        with self._timed("guard"):
            truly = self._guard.check(frame.image, box, frame.stamp_ns)
        self._tracker.follow(truly, frame.stamp_ns)
        self._people.step(frame.image, frame.stamp_ns, truly)
        if truly is not box and self._smoother is not None:
            self._smoother.reset()
        return to_keypoints(frame.stamp_ns, landmarks, frame.camera)

    def look_around(self, everybody: bool = False) -> None:
        """Take a look for whoever may cross the person's way, or on demand for everybody in view, if one is due."""
        if not self._guard.look() and everybody:
            self._people.look()

    def select(self, selection: Selection) -> None:
        """Forget the person, and choose anew by `selection`."""
        self._forget()
        self._tracker.select(selection)

    def reset(self) -> None:
        """Forget the person, and everybody else."""
        self._forget()
        self._people.reset()

    def close(self) -> None:
        """Free the networks."""
        for engine in self._engines:
            engine.close()

    def _look(self, frame: Frame) -> Landmarks | None:
        self._stage_ms = dict.fromkeys(STAGES, 0.0)
        with self._timed("find"):
            box = self._tracker.locate(frame.image, frame.stamp_ns)
        if box is None:
            return None
        with self._timed("crop"):
            tensor = self._network.crop(frame.image, box)
        with self._timed("landmarks"):
            outputs = self._network.infer(tensor)
        with self._timed("decode"):
            landmarks = decode(outputs, box)
        return landmarks if landmarks.score >= self._config.min_person_score else None

    def _forget(self) -> None:
        self._tracker.reset()
        self._guard.reset()
        self._people.release()
        if self._smoother is not None:
            self._smoother.reset()

    def _lose(self) -> None:
        self._tracker.lose()
        self._guard.reset()
        if self._smoother is not None:
            self._smoother.reset()

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = perf_counter()
        yield
        self._stage_ms[stage] = 1e3 * (perf_counter() - start)


def load_blazepose(config: BlazePoseConfig | None = None, models: Path | None = None) -> BlazePose:
    """Return BlazePose on the chosen engines with the verified files under `models` (default: the shipped ones).

    Raises `ModelFileError` or `UnknownNameError` if a file cannot be used, `EngineError` if no engine can.
    """
    config = config or BlazePoseConfig()
    files = blazepose_files(config.landmark_model, models, config.detector_model)
    (detector, landmarks), choice = open_engines(files, config.engine)
    if config.crop_on_gpu:
        detector, landmarks = _cropping(config, files, (detector, landmarks), choice)
    pose = BlazePose(detector, landmarks, config, choice)
    pose.warm_up()
    return pose


def _cropping(
    config: BlazePoseConfig, files: Sequence[Path], engines: Sequence[InferenceEngine], choice: Choice
) -> Sequence[InferenceEngine]:
    """The same networks on whole pictures; on a CPU they stay as they are, which is faster there."""
    if choice.engine not in ENGINES_ON_GPU:
        _log.warning("crop_on_gpu: %s runs on the CPU, which crops faster outside of the network", choice.engine)
        return engines
    own = replace(config.engine, engine=choice.engine)
    folder = EngineCache(own.cache).directory / "pictures"
    fronts = (DETECTOR_FRONT if config.detector_model == BLAZEPOSE_DETECTOR else MULTIPOSE_FRONT, LANDMARKS_FRONT)
    return [
        PictureEngine(engine, file, front, lambda path: open_engines([path], own)[0][0], folder)
        for engine, file, front in zip(engines, files, fronts, strict=True)
    ]


def blazepose_files(
    landmark_model: str, models: Path | None = None, detector_model: str = BLAZEPOSE_DETECTOR
) -> tuple[Path, Path]:
    """Return the verified files of the detector and of a landmark network, as `BlazePoseConfig` names them.

    Raises `UnknownNameError`, and `ModelFileError` for a file that cannot be used.
    """
    own = landmark_model.endswith(".onnx")
    landmarks = Path(landmark_model) if own else find_model(f"blazepose_{landmark_model}", models)
    return find_model(detector_model, models), landmarks
