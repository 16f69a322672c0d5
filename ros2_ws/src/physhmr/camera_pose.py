"""Where the camera stands: known, configured, calibrated on the standing person, or guessed, in this order.

A guess is there after half a second, so that somebody who never stands still is followed, too; the calibration takes
its place as soon as there is one. The camera then glides to its new pose: a jump would throw the humanoid about.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from physhmr.config import CameraConfig
from physhmr.errors import CalibrationError
from physhmr.geometry.calibration import (
    FIRST_GUESS,
    CameraPoseEstimate,
    StandingCalibration,
    assume_level,
    calibrate_standing,
    whole_body,
)
from physhmr.geometry.camera import CameraTilt, camera_pose, with_up
from physhmr.types import Array, CameraModel, Keypoints2d

GUESS_AFTER = 0.5
"""s of a person, after which their first frames have to do."""
STILL = 0.2
"""Progress of the calibration by then, above which the person stands still and is believed to stand upright."""
PATIENCE = 1.0
"""s of a person whose feet are not in view, after which a level camera is assumed."""
GLIDE = 1.5
"""s from a guess to the calibrated pose."""


class CameraPose:
    """Gives each frame's camera a pose, and says in `status` where that pose came from."""

    def __init__(self, config: CameraConfig, person_height: float) -> None:
        """`person_height` in m, 0 if unknown."""
        self._calibration = StandingCalibration(person_height or None)
        self._person_height = person_height or None
        self._tilt: CameraTilt | None = None
        self._before: tuple[CameraTilt, int] | None = None
        """The guess that `_tilt` took the place of, and when, ns."""
        self._first_ns: int | None = None
        self._whole: list[Keypoints2d] = []
        """The first frames that show a whole body."""
        self.assumed = False
        """The pose is a guess: nobody has stood still yet, or their feet are not in view."""
        self.known = False
        """The pose came with the last image, exact to a degree: more than what is configured or found by a person."""
        self.status = "camera pose: waiting for the first person"
        if config.height > 0.0:
            self._tilt = CameraTilt(config.height, *np.radians([config.pitch_deg, config.roll_deg]).tolist())
            self.status = f"camera pose: {config.height:g} m high, {config.pitch_deg:g} deg down, as configured"

    def place(self, camera: CameraModel, keypoints: Keypoints2d, up_c: Array | None = None) -> CameraModel | None:
        """The camera with its pose; None while there is none yet, not even a guess.

        `up_c` (3,) is the vertical in the camera's axes at this frame, if an IMU tells it; the height stays the same.
        """
        self.known = camera.T_wc is not None
        if self.known:
            self.status = "camera pose: given with the images"
            return camera
        if self._tilt is None or self.assumed:
            self._calibrate(camera, keypoints, up_c)
        if self._tilt is None:
            return None
        T_wc = self._pose(self._tilt, keypoints.stamp_ns)
        return replace(camera, T_wc=T_wc if up_c is None else with_up(T_wc, up_c))

    def _pose(self, tilt: CameraTilt, stamp_ns: int) -> Array:
        """(4, 4) of the camera, on its way from the guess."""
        if self._before is None:
            return camera_pose(tilt.height, tilt.pitch, tilt.roll)
        guess, since_ns = self._before
        share = float(np.clip(1e-9 * (stamp_ns - since_ns) / GLIDE, 0.0, 1.0))
        if share == 1.0:
            self._before = None
        ends = np.array([[end.height, end.pitch, end.roll] for end in (guess, tilt)])
        return camera_pose(*((1.0 - share) * ends[0] + share * ends[1]))

    def _calibrate(self, camera: CameraModel, keypoints: Keypoints2d, up_c: Array | None) -> None:
        """Collect frames of an upright person; guess from the first ones until there are enough."""
        if self._calibration.add(keypoints):
            estimate = self._calibration.solve(camera, up_c)
            if self._tilt is not None:
                self._before = self._tilt, keypoints.stamp_ns
            self._tilt, self.assumed = estimate.tilt, False
            self.status = f"camera pose: calibrated; {estimate.assumptions}"
        elif self._tilt is None:
            self._guess(camera, keypoints, up_c)

    def _guess(self, camera: CameraModel, keypoints: Keypoints2d, up_c: Array | None) -> None:
        """Make do with the first frames, or with what is known of cameras."""
        if self._first_ns is None or keypoints.stamp_ns < self._first_ns:
            self._first_ns, self._whole = keypoints.stamp_ns, []
        if whole_body(keypoints, FIRST_GUESS):
            self._whole.append(keypoints)
        age = 1e-9 * (keypoints.stamp_ns - self._first_ns)
        estimate: CameraPoseEstimate | None = None
        if age > GUESS_AFTER and self._whole:
            estimate = self._from_first_frames(camera, up_c)
        if estimate is None and age > PATIENCE:
            estimate = assume_level([keypoints], camera, self._person_height, up_c)
        if estimate is None:
            reason = self._calibration.reason or "stand still a while"
            self.status = f"camera pose: calibrating, {100 * self._calibration.progress:.0f} %; {reason}"
            return
        self._tilt, self._whole, self.assumed = estimate.tilt, [], True
        self.status = f"camera pose: a guess, stand still for a second to get a better one; {estimate.assumptions}"

    def _from_first_frames(self, camera: CameraModel, up_c: Array | None) -> CameraPoseEstimate | None:
        """None where the feet come out above the camera."""
        still = self._calibration.progress > STILL
        try:
            return calibrate_standing(self._whole, camera, self._person_height, None if still else FIRST_GUESS, up_c)
        except CalibrationError:
            return None
