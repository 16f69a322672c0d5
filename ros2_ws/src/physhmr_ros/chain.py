"""What the nodes need of the library's pipelines, and what they hand to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from physhmr.config import ControlConfig, PerceptionConfig
from physhmr.inference.choose import Choice
from physhmr.types import CameraModel, Estimate, Frame, Physics, RayBundle
from physhmr.vision.person import Person


@dataclass(frozen=True)
class Seen:
    """What perception says about one image."""

    stamp_ns: int
    rays: RayBundle | None
    """None: the image was looked at, nobody was in it."""
    arrived: float
    """`time.monotonic` seconds when this was handed over."""


class Perception(Protocol):
    """Images to rays; `physhmr.perception.PerceptionPipeline`."""

    stage_ms: dict[str, float]
    """Milliseconds of each stage of the last `step`."""
    camera: CameraModel | None
    """Of the last frame, with its pose once that is known."""

    choice: Choice
    """What runs the networks, and why."""

    @property
    def status(self) -> str:
        """Tell what it is doing or has assumed, for a person to read."""

    @property
    def assumed(self) -> bool:
        """Tell whether the camera's pose is a guess: a degraded mode."""

    @property
    def people(self) -> tuple[Person, ...]:
        """Everybody who is known to be in view, the followed person first; others only if they were looked for."""

    def step(self, frame: Frame) -> RayBundle | None:
        """Return the rays of the person in the image, None if there is nobody."""

    def select(self, config: PerceptionConfig) -> None:
        """Choose anew if the parameters now want somebody else to be followed."""

    def choose_anew(self) -> None:
        """Forget the person."""

    def look_around(self, everybody: bool = False) -> None:
        """Do what may wait until the rays were handed on, and on demand look for `everybody` in view."""

    def close(self) -> None:
        """Free the networks."""


class Control(Protocol):
    """Rays to the simulated humanoid; `physhmr.pipeline.ControlPipeline`."""

    def step(self, stamp_ns: int, rays: RayBundle | None, ahead_ns: int = 0) -> Estimate:
        """Make one control step on the timer clock, with the newest rays; None if there are no new ones.

        What it tells is for `ahead_ns` after `stamp_ns`.
        """

    def advance(self, stamp_ns: int, rays: RayBundle | None) -> Estimate | None:
        """Simulate up to `stamp_ns` (frame clock); None while less than one control step has passed."""

    def physics(self) -> Physics:
        """Return how the humanoid stands; once for each state, after that was handed on."""

    def set_up(self) -> None:
        """Put the humanoid on its goal at once: beside the person, or into the stance."""


def make_perception(config: PerceptionConfig) -> Perception:
    """Return the library's perception; loads its networks."""
    from physhmr.perception import PerceptionPipeline

    return PerceptionPipeline(config)


def make_control(config: ControlConfig) -> Control:
    """Return the library's control; loads the policy and the humanoid."""
    from physhmr.pipeline import ControlPipeline

    return ControlPipeline(config)
