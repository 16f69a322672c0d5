"""The first half of the chain without ROS: `PerceptionPipeline` makes a person's rays of camera frames.

A plain object with explicit state; it owns no thread and no clock.
"""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

from physhmr.camera_pose import CameraPose
from physhmr.config import PerceptionConfig
from physhmr.geometry.facing import FacingGuard
from physhmr.geometry.rays import pixel_as_ray
from physhmr.inference.choose import EngineConfig
from physhmr.types import CameraModel, Frame, Keypoints2d, RayBundle
from physhmr.vision.blazepose import BlazePoseConfig
from physhmr.vision.detector import DetectorConfig
from physhmr.vision.identity import IdentityConfig
from physhmr.vision.people import PeopleConfig
from physhmr.vision.person import Person
from physhmr.vision.refined_pose import load_keypoint_model
from physhmr.vision.selection import selection_of
from physhmr.vision.tracker import TrackerConfig


def engine_config(config: PerceptionConfig) -> EngineConfig:
    """Return what the parameters want of the engines."""
    cache = Path(config.engine_cache).expanduser() if config.engine_cache else None
    return EngineConfig(config.engine, config.precision, config.threads, cache)


class PerceptionPipeline:
    """Find, see, place the camera, lift to rays."""

    def __init__(self, config: PerceptionConfig) -> None:
        """Load the networks; raises `ModelFileError` for an unusable file, `EngineError` if nothing runs it."""
        self._selection = selection_of(config)
        self._keypoint_model = load_keypoint_model(
            BlazePoseConfig(
                detector_model=config.detector,
                landmark_model=config.model,
                engine=engine_config(config),
                crop_on_gpu=config.crop_on_gpu,
                min_person_score=config.min_tracking_score,
                detector=DetectorConfig(min_score=config.min_detection_score),
                tracker=TrackerConfig(self._selection),
                identity=IdentityConfig(every=config.look_for_others),
                people=PeopleConfig(every=config.look_for_everybody),
            ),
            config.refine,
            config.refine_precision,
        )
        self.choice = self._keypoint_model.choice
        """What runs the networks, and why."""
        self._facing, self._person = FacingGuard(), 0
        self._camera_pose = CameraPose(config.camera, config.person_height)
        self.keypoints: Keypoints2d | None = None
        """Of the last frame, also while the camera's pose is unknown."""
        self.camera: CameraModel | None = None
        """Of the last frame, with its pose once that is known."""
        self.stage_ms: dict[str, float] = {}

    @property
    def status(self) -> str:
        """What it is doing or has assumed."""
        return self._camera_pose.status

    @property
    def assumed(self) -> bool:
        """True while the camera's pose is a guess."""
        return self._camera_pose.assumed

    def step(self, frame: Frame) -> RayBundle | None:
        """The rays of the person in the image; None if there is nobody, or no camera pose yet."""
        self.keypoints, self.camera = self._keypoint_model.step(frame), None
        self.stage_ms = self._keypoint_model.stage_ms
        if self.keypoints is None:
            return None
        start = perf_counter()
        self.keypoints = self._facing.step(self.keypoints)
        self.camera = self._camera_pose.place(frame.camera, self.keypoints, frame.up_c)
        known = self._camera_pose.known
        rays = None if self.camera is None else pixel_as_ray(self.keypoints, self.camera, self._person, known)
        self.stage_ms["rays"] = 1e3 * (perf_counter() - start)
        return rays

    def select(self, config: PerceptionConfig) -> None:
        """Choose anew if the parameters now want somebody else to be followed."""
        if selection_of(config) != self._selection:
            self._selection = selection_of(config)
            self.choose_anew()

    def choose_anew(self) -> None:
        """Forget the person; who is found next counts as another one."""
        self._keypoint_model.select(self._selection)
        self._facing.reset()
        self._person += 1

    @property
    def people(self) -> tuple[Person, ...]:
        """Everybody who is known to be in view, the followed person first; others only if they were looked for."""
        return self._keypoint_model.people

    def look_around(self, everybody: bool = False) -> None:
        """Do what may wait until the rays were handed on, and on demand look for `everybody` in view."""
        self._keypoint_model.look_around(everybody)

    def close(self) -> None:
        """Free the networks."""
        self._keypoint_model.close()
