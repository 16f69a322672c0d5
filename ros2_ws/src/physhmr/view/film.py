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
        skeleton = skeleton or Skeleton()
        self._overlay = Overlay(skeleton)
        self._side = SideView(skeleton, 2 * (height * 2 // 3), height)

    def draw(self, snapshot: Snapshot) -> Image:
        """Return (height, W, 3) RGB; W is the same as long as the camera's image size is."""
        left = self._overlay.draw(fit_image(snapshot, self._width, self._height))
        return np.hstack([letterbox(left, 0, self._height), self._side.draw(snapshot)])
