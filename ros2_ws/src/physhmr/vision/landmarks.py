"""BlazePose's landmark network: one crop in, 33 body landmarks and the next region out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physhmr.inference.engine import InferenceEngine, Tensors, check_declared, tensor_spec
from physhmr.inference.image_front import ImageFront
from physhmr.types import Array, PersonBox
from physhmr.vision.crops import square_crops
from physhmr.vision.preprocess import apply_affine, box_to_image

SIDE = 256
NUM_LANDMARKS = 33
REGION_POINTS = slice(33, 35)
"""Rows of the mid hip and of the point on the circle around the body, from which the next region follows."""

_INPUT, _LANDMARKS, _PRESENCE, _HEATMAP, _WORLD = "input_1", "Identity", "Identity_1", "Identity_3", "Identity_4"
_OUTPUTS = (
    tensor_spec(_LANDMARKS, 1, 195), tensor_spec(_PRESENCE, 1, 1), tensor_spec(_HEATMAP, 1, 64, 64, 39),
    tensor_spec(_WORLD, 1, 117),
)  # fmt: skip
FRONT = ImageFront(SIDE, SIDE, (1 / 255.0,) * 3, (0.0,) * 3, planes=False, replicate_border=True)
"""What the network is given: RGB from 0 to 1."""
_REACH = 3  # cells around a landmark that refine it
_MIN_PEAK = 0.5  # weaker heatmaps do not refine


@dataclass(frozen=True)
class Landmarks:
    """What the network says about one crop."""

    xy: Array
    """(35, 2) px in the image: the body landmarks, then the two `REGION_POINTS`."""
    world_c: Array
    """(33, 3) m, relative to the hip centre; x right, y down, z away from the camera, crop rotation undone."""
    visibility: Array
    """(33,) in [0, 1], not hidden by something."""
    presence: Array
    """(33,) in [0, 1], inside the picture."""
    score: float
    """In [0, 1], that the crop shows a person at all."""


class LandmarkNetwork:
    """BlazePose lite, full or heavy on an inference engine."""

    def __init__(self, engine: InferenceEngine) -> None:
        """Use `engine`; raises `EngineError` if it does not hold a BlazePose landmark network."""
        self._crops = square_crops("the landmark network", engine.inputs, _INPUT, FRONT)
        check_declared("the landmark network", _OUTPUTS, engine.outputs)
        self._engine = engine

    def crop(self, image: NDArray[np.uint8], box: PersonBox) -> Tensors:
        """Return the network's inputs for one box of the RGB image (H, W, 3)."""
        return self._crops(image, box)

    def infer(self, tensors: Tensors) -> dict[str, NDArray[Any]]:
        """Run the network on one crop."""
        return self._engine.infer(tensors)


def decode(outputs: dict[str, NDArray[Any]], box: PersonBox) -> Landmarks:
    """Turn the network's outputs for the crop of `box` into image pixels and camera axes."""
    rows = outputs[_LANDMARKS].reshape(39, 5).astype(float)
    xy = refine(rows[: REGION_POINTS.stop, :2] / SIDE, outputs[_HEATMAP][0, :, :, : REGION_POINTS.stop])
    c, s = np.cos(box.rotation), np.sin(box.rotation)
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return Landmarks(
        xy=apply_affine(box_to_image(box), xy),
        world_c=outputs[_WORLD].reshape(39, 3)[:NUM_LANDMARKS].astype(float) @ turn.T,
        visibility=sigmoid(rows[:NUM_LANDMARKS, 3]),
        presence=sigmoid(rows[:NUM_LANDMARKS, 4]),
        score=float(outputs[_PRESENCE].item()),
    )


def refine(xy: Array, logits: NDArray[np.float32]) -> Array:
    """Move each landmark (n, 2), in [0, 1], to the centroid of its heatmap (H, W, n) nearby.

    Landmarks outside the map, and those with a weak peak, stay.
    """
    height, width, count = logits.shape
    column, row = (xy * [width, height]).astype(int).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height) & (xy >= 0).all(1)
    steps = np.arange(-_REACH, _REACH + 1)
    rows, columns = row[:, None, None] + steps[:, None], column[:, None, None] + steps
    on_map = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    window = logits[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1), np.arange(count)[:, None, None]]
    weight = np.where(on_map, sigmoid(window), 0.0)
    total = weight.sum((1, 2))
    centroid = np.stack([(weight * columns).sum((1, 2)), (weight * rows).sum((1, 2))], -1)
    centroid /= np.maximum(total, 1e-12)[:, None] * [width, height]
    refined = inside & (weight.max((1, 2)) >= _MIN_PEAK)
    return np.where(refined[:, None], centroid, xy)


def sigmoid(x: NDArray[Any]) -> Array:
    """Logistic function without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)), float)
