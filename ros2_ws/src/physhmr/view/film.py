"""One picture that tells it all: camera image with overlay on the left, side view on the right."""

from __future__ import annotations

import numpy as np

from physhmr.body.skeleton import Skeleton
from physhmr.view.overlay import Overlay
from physhmr.view.scene import SideView
from physhmr.view.snapshot import Image, Snapshot, shrink_image

HEIGHT = 480
"""px of the picture unless asked otherwise."""


class Film:
    """Draws snapshots as frames of one size, for a video."""

    def __init__(self, skeleton: Skeleton | None = None, height: int = HEIGHT) -> None:
        """Frames are `height` px high (even); the side view is 4:3, the camera image keeps its shape."""
        self._height = height
        skeleton = skeleton or Skeleton()
        self._overlay = Overlay(skeleton)
        self._side = SideView(skeleton, 2 * (height * 2 // 3), height)

    def draw(self, snapshot: Snapshot) -> Image:
        """Return (height, W, 3) RGB; W is the same as long as the camera's image size is."""
        left = self._overlay.draw(shrink_image(snapshot, self._height))
        return np.hstack([left, self._side.draw(snapshot)])
