"""Square, rotated crops: the region of a person, its affine map, and the network's input image.

Pixel centres lie at integers. A crop coordinate is in [0, 1] of the box: (0, 0) its upper left
corner, (1, 1) its lower right one, before the rotation.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from physhmr.types import Array, PersonBox

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""RGB in [0, 1]."""


def box_to_image(box: PersonBox) -> Array:
    """Return the affine map (2, 3) from crop coordinates in [0, 1] to image pixels."""
    c, s = np.cos(box.rotation), np.sin(box.rotation)
    axes = box.size * np.array([[c, -s], [s, c]])
    return np.column_stack([axes, box.center - axes @ [0.5, 0.5]])


def pixels_to_image(box: PersonBox, side: int) -> Array:
    """Return the affine map (2, 3) from the pixels of a crop with `side` px to image pixels."""
    affine = box_to_image(box)
    affine[:, :2] /= side
    return affine


def apply_affine(affine: Array, points: Array) -> Array:
    """Map points (..., 2) by an affine (2, 3)."""
    return points @ affine[:, :2].T + affine[:, 2]


def crop(image: NDArray[np.uint8], box: PersonBox, side: int, replicate_border: bool) -> NDArray[np.uint8]:
    """Return the box's content as a (side, side, 3) image; outside it repeats the border or is black."""
    crop_to_image = pixels_to_image(box, side)
    border = cv2.BORDER_REPLICATE if replicate_border else cv2.BORDER_CONSTANT
    warped = cv2.warpAffine(
        image, crop_to_image, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=border
    )
    return np.asarray(warped, np.uint8)


def box_from_points(center: Array, edge: Array, margin: float, score: float) -> PersonBox:
    """Return the box around a person from two points (2,) px: mid hip, and a point on the circle around the body.

    The direction from the first to the second is the body's up; `margin` scales the circle's square.
    """
    dx, dy = edge - center
    up = np.arctan2(-dy, dx)
    rotation = (np.pi / 2 - up + np.pi) % (2 * np.pi) - np.pi
    size = max(2.0 * margin * float(np.hypot(dx, dy)), 1.0)
    return PersonBox(center=np.array(center, float), size=size, rotation=float(rotation), score=score)


def square_box(x: float, y: float, side: float) -> PersonBox:
    """Return an upright box whose upper left corner is (x, y) px."""
    return PersonBox(center=np.array([x + side / 2, y + side / 2]), size=side, rotation=0.0, score=1.0)


class Normaliser:
    """Makes the planes that a network takes of RGB pixels: mean off, over the deviation, both of RGB in [0, 1]."""

    def __init__(self, mean: tuple[float, float, float], std: tuple[float, float, float]) -> None:
        self._scale = np.array([1.0 / (255.0 * deviation) for deviation in std], np.float32)
        self._offset = np.array([-middle / deviation for middle, deviation in zip(mean, std, strict=True)], np.float32)

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W, 3) to (1, 3, H, W)."""
        return np.ascontiguousarray((pixels * self._scale + self._offset).transpose(2, 0, 1)[None])
