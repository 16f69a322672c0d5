"""The camera image with what the chain sees and does: keypoints, simulated humanoid, wanted pose."""

from __future__ import annotations

import cv2
import numpy as np

from physhmr.body.skeleton import BODY_NAMES, PARENTS, Skeleton
from physhmr.types import KEYPOINTS, Array, Keypoints2d
from physhmr.view import palette
from physhmr.view.canvas import Canvas
from physhmr.view.figure import FigureMaker
from physhmr.view.hud import draw_status
from physhmr.view.snapshot import Image, Snapshot

KEYPOINT_BONES: tuple[tuple[str, str], ...] = (
    ("L_Shoulder", "R_Shoulder"), ("L_Hip", "R_Hip"), ("L_Shoulder", "L_Hip"), ("R_Shoulder", "R_Hip"),
    *(
        (f"{side}_{a}", f"{side}_{b}")
        for side in "LR"
        for a, b in (("Shoulder", "Elbow"), ("Elbow", "Wrist"), ("Wrist", "Hand"), ("Hip", "Knee"),
                     ("Knee", "Ankle"), ("Ankle", "Heel"), ("Heel", "Toe"), ("Ankle", "Toe"))
    ),
    ("Nose", "L_Ear"), ("Nose", "R_Ear"),
)  # fmt: skip
"""Lines between the keypoints of the project."""

MIN_SCORE = 0.2
"""Keypoints less certain than this are not drawn."""
FIGURE_SHARE = 0.62
"""Opacity of the humanoid over the camera image."""
_SHIFT = 4
_BONES = [(KEYPOINTS.index(a), KEYPOINTS.index(b)) for a, b in KEYPOINT_BONES]


class Overlay:
    """Draws snapshots over their camera images."""

    def __init__(self, skeleton: Skeleton) -> None:
        """Use the shapes of `skeleton`."""
        self._make_figure = FigureMaker(skeleton)

    def draw(self, snapshot: Snapshot) -> Image:
        """Return a copy of the snapshot's image with everything on it that is there.

        The humanoid needs the camera's pose. Without an image the picture is a dark 4:3 one.
        """
        if snapshot.image is None:
            image = np.full((480, 640, 3), palette.SKY, np.uint8)
        else:
            image = snapshot.image.copy()
            self._draw_bodies(image, snapshot)
        if snapshot.keypoints is not None and snapshot.image is not None:
            draw_keypoints(image, snapshot.keypoints)
        draw_status(image, snapshot.readings.status, snapshot.readings.reason)
        return image

    def _draw_bodies(self, image: Image, snapshot: Snapshot) -> None:
        camera = snapshot.camera
        if camera is None or camera.T_wc is None:
            return
        if snapshot.qpos is not None:
            layer = image.copy()
            Canvas(layer, camera).figure(self._make_figure(snapshot.qpos))
            cv2.addWeighted(layer, FIGURE_SHARE, image, 1.0 - FIGURE_SHARE, 0.0, dst=image)
        if snapshot.reference_qpos is not None:
            draw_reference(Canvas(image, camera), self._make_figure(snapshot.reference_qpos).joints_w)


def draw_keypoints(image: Image, keypoints: Keypoints2d) -> None:
    """Draw keypoints and the bones between them, in place; red where doubtful, green where certain."""
    width = max(round(image.shape[0] / 320), 1)
    colours = [palette.mix(palette.DOUBTED, palette.SEEN, 2.0 * score - 0.8) for score in keypoints.score]
    # Far outside is where int32 ends, and where nothing is to be seen.
    pixels = np.round(np.clip(keypoints.xy, -1e5, 1e5) * (1 << _SHIFT)).astype(np.int32)
    for a, b in _BONES:
        worse = a if keypoints.score[a] < keypoints.score[b] else b
        if keypoints.score[worse] >= MIN_SCORE:
            cv2.line(image, pixels[a], pixels[b], colours[worse], width, cv2.LINE_AA, _SHIFT)
    for point, score, colour in zip(pixels, keypoints.score, colours, strict=True):
        if score >= MIN_SCORE:
            cv2.circle(image, point, (width + 1) << _SHIFT, colour, -1, cv2.LINE_AA, _SHIFT)


def draw_reference(canvas: Canvas, joints_w: Array) -> None:
    """Draw the wanted pose (24, 3) m as thin lines."""
    child = np.arange(1, len(BODY_NAMES))
    parent = np.array(PARENTS[1:])
    canvas.segments(joints_w[parent], joints_w[child], [palette.REFERENCE] * len(child))
