"""Where the camera stands: known, configured, or calibrated on the standing person, in this order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from physhmr.config import CameraConfig
from physhmr.geometry.calibration import StandingCalibration
from physhmr.geometry.camera import camera_pose
from physhmr.types import Array, CameraModel, Keypoints2d


class CameraPose:
    """Gives each frame's camera a pose, and says in `status` where that pose came from."""

    def __init__(self, config: CameraConfig, person_height: float) -> None:
        """`person_height` in m, 0 if unknown."""
        self._calibration = StandingCalibration(person_height or None)
        self._T_wc: Array | None = None
        self.status = "camera pose: waiting for the first person"
        if config.height > 0.0:
            angles = np.radians([config.pitch_deg, config.roll_deg])
            self._T_wc = camera_pose(config.height, *angles)
            self.status = f"camera pose: {config.height:g} m high, {config.pitch_deg:g} deg down, as configured"

    def place(self, camera: CameraModel, keypoints: Keypoints2d) -> CameraModel | None:
        """The camera with its pose; None while it is still being calibrated with these keypoints."""
        if camera.T_wc is not None:
            self.status = "camera pose: given with the images"
            return camera
        if self._T_wc is None and self._calibration.add(keypoints):
            estimate = self._calibration.solve(camera)
            self._T_wc, self.status = estimate.T_wc, f"camera pose: calibrated; {estimate.assumptions}"
        elif self._T_wc is None:
            reason = self._calibration.reason or "stand still a while"
            self.status = f"camera pose: calibrating, {100 * self._calibration.progress:.0f} %; {reason}"
        return None if self._T_wc is None else replace(camera, T_wc=self._T_wc)
