"""How tall the person is: as somebody said, or as the floor tells below a camera that knows where it is.

A person who is taller than assumed is lifted too near, and so stands too high: the floor that lifting finds under their
feet is not the camera's. One camera's word is drawn towards an average person as far as it leaves doubt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from physhmr.geometry.calibration import ASSUMED_HEIGHT
from physhmr.types import Array


@dataclass(frozen=True)
class BodyHeightCfg:
    """What to believe beforehand, and how long to look. Deviations are standard deviations."""

    average: float = ASSUMED_HEIGHT
    """m."""
    people: float = 0.08
    """m, of people about the average."""
    proportions: float = 0.032
    """Of the height, by which lifting errs for one person; measured on synthetic views."""
    tilt_deg: float = 0.7
    """Of the camera's pose."""
    steps: tuple[int, int] = (30, 150)
    """Images after which the height is told for the first time, and after which it stays."""
    farthest: float = 0.35
    """m from the average: what differs more stands on another floor than the camera's pose says."""


class BodyHeight:
    """Its state is what the first seconds of a person told."""

    def __init__(self, told: float = 0.0, cfg: BodyHeightCfg | None = None) -> None:
        """`told` m, 0 if nobody said."""
        self._cfg, self._told = cfg or BodyHeightCfg(), told
        self.reset()

    def reset(self) -> None:
        """Somebody else is looked at."""
        self._seen: list[float] = []
        self._doubts: list[float] = []
        self.height = self._told or self._cfg.average
        """m, the best there is so far."""

    @property
    def measured(self) -> bool:
        """Whether anybody or anything has told it."""
        return bool(self._told) or len(self._seen) >= self._cfg.steps[0]

    def look(self, camera_w: Array, root_w: Array, floor: float, size: float) -> None:
        """Count another image of a person who was lifted as `size` m tall, over a floor `floor` m above the camera's.

        `camera_w` and `root_w` (3,) m in any scale; `camera_w` is above that floor.
        """
        cfg, above = self._cfg, float(camera_w[2]) - floor
        if self._told or len(self._seen) >= cfg.steps[1] or above <= 0.0:
            return
        # Seen from the camera everything may grow or shrink; it does until the floor is where the camera says.
        height = size * float(camera_w[2]) / above
        if abs(height - cfg.average) > cfg.farthest:
            return
        self._seen.append(height)
        by_tilt = np.radians(cfg.tilt_deg) * _leverage(camera_w, root_w)
        self._doubts.append(height * float(np.hypot(cfg.proportions, by_tilt)))
        if self.measured:
            doubt = float(np.median(self._doubts))
            share = cfg.people**2 / (cfg.people**2 + doubt**2)
            self.height = cfg.average + share * (float(np.median(self._seen)) - cfg.average)


def _leverage(camera_w: Array, root_w: Array) -> float:
    """Relative error of the distance to a point on the floor below `root_w`, for each radian of the camera's tilt."""
    along, down = float(np.linalg.norm(camera_w[:2] - root_w[:2])), float(camera_w[2])
    return along / down + down / max(along, 1e-3)
