"""One picture that tells it all: camera image with overlay on the left, side view on the right."""

from __future__ import annotations

import numpy as np

from physhmr.body.skeleton import Skeleton
from physhmr.view.overlay import Overlay
from physhmr.view.scene import SideView
from physhmr.view.snapshot import Image, Snapshot, fit_image, letterbox

HEIGHT = 480
"""px of the picture unless asked otherwise."""


WIDEST = 16 / 9
"""Of the camera image; wider ones get dark margins above and below."""


class Film:
    """Draws snapshots as frames of one size, for a video."""

    def __init__(self, skeleton: Skeleton | None = None, height: int = HEIGHT) -> None:
        """Frames are `height` px high (even); the side view is 4:3, the camera image keeps its shape."""
        self._height, self._width = height, 2 * round(0.5 * height * WIDEST)
        self._reserved = 0
        """px that the camera image takes, once there was one."""
        skeleton = skeleton or Skeleton()
        self._overlay = Overlay(skeleton)
        self._side = SideView(skeleton, 2 * (height * 2 // 3), height)

    def draw(self, snapshot: Snapshot) -> Image:
        """Return (height, W, 3) RGB; the first image decides W, later ones of another shape get margins."""
        left = self._overlay.draw(fit_image(snapshot, self._width, self._height))
        left = letterbox(left, self._reserved, self._height)
        self._width = self._reserved = left.shape[1]
        return np.hstack([left, self._side.draw(snapshot)])
