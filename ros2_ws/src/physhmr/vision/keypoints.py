"""The project's keypoints, and what every keypoint model promises."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from physhmr.geometry.camera import pixels_to_rays
from physhmr.inference.choose import Choice
from physhmr.types import KEYPOINTS, Array, CameraModel, Frame, Keypoints2d
from physhmr.vision.landmarks import Landmarks
from physhmr.vision.person import Person
from physhmr.vision.selection import Selection

BLAZEPOSE_ROWS: dict[str, tuple[int, ...]] = {
    "L_Shoulder": (11,), "R_Shoulder": (12,), "L_Elbow": (13,), "R_Elbow": (14,), "L_Wrist": (15,), "R_Wrist": (16,),
    "L_Hip": (23,), "R_Hip": (24,), "L_Knee": (25,), "R_Knee": (26,), "L_Ankle": (27,), "R_Ankle": (28,),
    "Nose": (0,), "L_Ear": (7,), "R_Ear": (8,), "L_Heel": (29,), "R_Heel": (30,), "L_Toe": (31,), "R_Toe": (32,),
    "L_Hand": (17, 19), "R_Hand": (18, 20),
}  # fmt: skip
"""Rows of BlazePose's 33 landmarks whose mean is the keypoint; a hand is the middle of its knuckles."""

_FIRST = np.array([BLAZEPOSE_ROWS[name][0] for name in KEYPOINTS])
_LAST = np.array([BLAZEPOSE_ROWS[name][-1] for name in KEYPOINTS])
_LEFT_HIP, _RIGHT_HIP = 23, 24


class KeypointModel(Protocol):
    """Follows one person through a stream of frames."""

    @property
    def choice(self) -> Choice:
        """What runs the networks, and why."""

    @property
    def stage_ms(self) -> dict[str, float]:
        """Milliseconds that each stage of the last step took."""

    @property
    def people(self) -> tuple[Person, ...]:
        """Everybody who is known to be in view, the followed person first."""

    def step(self, frame: Frame) -> Keypoints2d | None:
        """Return the person's keypoints in the newest frame, or None while nobody is found."""

    def look_around(self, everybody: bool = False) -> None:
        """Do what may wait until the keypoints were handed on, and on demand look for `everybody` in view.

        If nobody calls this, the next step does what it needs itself.
        """

    def select(self, selection: Selection) -> None:
        """Forget the person, and choose anew by `selection`."""

    def reset(self) -> None:
        """Forget the person."""

    def close(self) -> None:
        """Free the networks."""


def to_keypoints(stamp_ns: int, landmarks: Landmarks, camera: CameraModel) -> Keypoints2d:
    """Select the project's keypoints; a score is visibility times presence.

    The network takes every crop for the middle of a picture. The landmarks are therefore turned from
    the line of sight to the hips into the camera's optical axes.
    """
    score = landmarks.visibility * landmarks.presence
    hips = landmarks.xy[[_LEFT_HIP, _RIGHT_HIP]].mean(0)
    return Keypoints2d(
        stamp_ns=stamp_ns,
        xy=_mean_rows(landmarks.xy),
        score=np.minimum(score[_FIRST], score[_LAST]),
        landmarks_c=_mean_rows(landmarks.world_c) @ turn_to(pixels_to_rays(camera, hips)[0]).T,
    )


def turn_to(direction: Array) -> Array:
    """Return the smallest rotation (3, 3) that takes the z axis to a unit `direction` (3,) with z > -1."""
    x, y, z = direction
    return np.array(
        [
            [1 - x * x / (1 + z), -x * y / (1 + z), x],
            [-x * y / (1 + z), 1 - y * y / (1 + z), y],
            [-x, -y, z],
        ]
    )


def _mean_rows(values: Array) -> Array:
    return 0.5 * (values[_FIRST] + values[_LAST])
