"""Where the camera stands: known, configured, calibrated on the standing person, or assumed, in this order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from physhmr.config import CameraConfig
from physhmr.geometry.calibration import StandingCalibration, assume_level
from physhmr.geometry.camera import camera_pose, with_up
from physhmr.types import Array, CameraModel, Keypoints2d

PATIENCE = 5.0
"""s of a person whose feet are not in view, after which a level camera is assumed."""


class CameraPose:
    """Gives each frame's camera a pose, and says in `status` where that pose came from."""

    def __init__(self, config: CameraConfig, person_height: float) -> None:
        """`person_height` in m, 0 if unknown."""
        self._calibration = StandingCalibration(person_height or None)
        self._person_height = person_height or None
        self._T_wc: Array | None = None
        self._first_ns: int | None = None
        self.assumed = False
        """The pose is a guess, because the person's feet are not in view."""
        self.status = "camera pose: waiting for the first person"
        if config.height > 0.0:
            angles = np.radians([config.pitch_deg, config.roll_deg])
            self._T_wc = camera_pose(config.height, *angles)
            self.status = f"camera pose: {config.height:g} m high, {config.pitch_deg:g} deg down, as configured"

    def place(self, camera: CameraModel, keypoints: Keypoints2d, up_c: Array | None = None) -> CameraModel | None:
        """The camera with its pose; None while it is still being calibrated with these keypoints.

        `up_c` (3,) is the vertical in the camera's axes at this frame, if an IMU tells it; the height stays the same.
        """
        if camera.T_wc is not None:
            self.status = "camera pose: given with the images"
            return camera
        if self._T_wc is None or self.assumed:
            self._calibrate(camera, keypoints, up_c)
        if self._T_wc is None:
            return None
        return replace(camera, T_wc=self._T_wc if up_c is None else with_up(self._T_wc, up_c))

    def _calibrate(self, camera: CameraModel, keypoints: Keypoints2d, up_c: Array | None) -> None:
        """Collect frames of an upright person; guess when there have been none for `PATIENCE`."""
        if self._first_ns is None or self._calibration.progress > 0.0:
            self._first_ns = keypoints.stamp_ns
        if self._calibration.add(keypoints):
            estimate = self._calibration.solve(camera, up_c)
            self._T_wc, self.assumed = estimate.T_wc, False
            self.status = f"camera pose: calibrated; {estimate.assumptions}"
        elif self._T_wc is None and 1e-9 * (keypoints.stamp_ns - self._first_ns) > PATIENCE:
            estimate = assume_level([keypoints], camera, self._person_height, up_c)
            self._T_wc, self.assumed = estimate.T_wc, True
            self.status = f"camera pose: assumed; {estimate.assumptions}"
        elif self._T_wc is None:
            reason = self._calibration.reason or "stand still a while"
            self.status = f"camera pose: calibrating, {100 * self._calibration.progress:.0f} %; {reason}"
