"""BlazePose finds, follows and gives depth; a second network says more exactly where in the image the joints are."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

import numpy as np

from physhmr.errors import ModelFileError
from physhmr.inference.choose import Choice, open_engines
from physhmr.inference.model_files import find_model, known_model
from physhmr.types import KEYPOINTS, Frame, Keypoints2d
from physhmr.vision.blazepose import BlazePose, BlazePoseConfig, load_blazepose
from physhmr.vision.keypoint_network import KeypointNetwork, keypoint_spec
from physhmr.vision.keypoints import KeypointModel
from physhmr.vision.one_euro import OneEuroFilter
from physhmr.vision.person import Person
from physhmr.vision.selection import Selection
from physhmr.vision.smoothing import SmoothingConfig

STAGE = "refine"
"""Key of the second network's milliseconds in `stage_ms`."""
MIN_SCORE = 0.3
"""Joints that the second network is less sure of stay where BlazePose sees them."""


class RefinedPose:
    """A `KeypointModel` of two networks."""

    def __init__(
        self, pose: BlazePose, network: KeypointNetwork, smoothing: SmoothingConfig | None, choice: Choice
    ) -> None:
        """Use both, and own them; `smoothing` is that of BlazePose's image landmarks, None for none.

        `choice` is what runs the second network.
        """
        self._pose, self._network = pose, network
        self.choice = _both(pose.choice, choice)
        """What runs the networks, and why."""
        self._rows = {KEYPOINTS.index(name): list(rows) for name, rows in network.joints.rows.items()}
        self._smooth = OneEuroFilter(smoothing.image) if smoothing else None
        self._refine_ms = 0.0

    @property
    def stage_ms(self) -> dict[str, float]:
        """BlazePose's stages and `STAGE`."""
        return {**self._pose.stage_ms, STAGE: self._refine_ms}

    @property
    def people(self) -> tuple[Person, ...]:
        """As BlazePose knows them."""
        return self._pose.people

    def step(self, frame: Frame) -> Keypoints2d | None:
        """Return the person's keypoints, or None while nobody is found; raises as `BlazePose.step` does."""
        self._refine_ms = 0.0
        seen = self._pose.step(frame)
        if seen is None:
            self._forget()
            return None
        start = perf_counter()
        refined = self._refined(frame, seen)
        self._refine_ms = 1e3 * (perf_counter() - start)
        return refined

    def look_around(self, everybody: bool = False) -> None:
        """As BlazePose does."""
        self._pose.look_around(everybody)

    def select(self, selection: Selection) -> None:
        """Forget the person, and choose anew by `selection`."""
        self._pose.select(selection)
        self._forget()

    def reset(self) -> None:
        """Forget the person."""
        self._pose.reset()
        self._forget()

    def close(self) -> None:
        """Free the networks."""
        self._pose.close()
        self._network.close()

    def _refined(self, frame: Frame, seen: Keypoints2d) -> Keypoints2d:
        low, high = seen.xy.min(0), seen.xy.max(0)
        xy, score = self._network.look(frame.image, low, high)
        found, sure = seen.xy.copy(), seen.score.copy()
        for keypoint, rows in self._rows.items():
            if score[rows].min() >= MIN_SCORE:
                found[keypoint], sure[keypoint] = xy[rows].mean(0), score[rows].min()
        if self._smooth is not None:
            found = self._smooth(seen.stamp_ns, found, max(float(np.linalg.norm(high - low)), 1.0))
        return replace(seen, xy=found, score=sure)

    def _forget(self) -> None:
        if self._smooth is not None:
            self._smooth.reset()


def _both(first: Choice, second: Choice) -> Choice:
    if first == second:
        return first
    return Choice(
        f"{first.engine}, {second.engine}", f"{first.reason}; {second.reason}", first.degraded or second.degraded
    )


def load_keypoint_model(config: BlazePoseConfig, refine: str = "", precision: str = "fp32") -> KeypointModel:
    """Return BlazePose, or with the name of a second network both; `precision` is that of the second one.

    Raises as `load_blazepose` does, and `ModelFileError` for a model that is no keypoint network.
    """
    if not refine:
        return load_blazepose(config)
    _, entry = known_model(refine)
    if entry.keypoints is None:
        raise ModelFileError(f"'{refine}' is no keypoint network; `physhmr models list` shows them")
    (second,), choice = open_engines([find_model(refine)], replace(config.engine, precision=precision))
    network, pose = KeypointNetwork(second, keypoint_spec(entry.keypoints)), load_blazepose(config)
    network.warm_up()
    return RefinedPose(pose, network, config.smoothing, choice)
