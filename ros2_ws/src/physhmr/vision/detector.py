"""BlazePose's person detector: anchors, decoding, weighted non-maximum suppression, boxes.

Constants are those of MediaPipe's pose_detection module (SSD anchors, 224 px input).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from physhmr.inference.engine import InferenceEngine, check_declared, tensor_spec
from physhmr.inference.image_front import ImageFront
from physhmr.types import Array, PersonBox
from physhmr.vision.crops import square_crops
from physhmr.vision.preprocess import apply_affine, box_from_points, box_to_image

SIDE = 224
BOX_MARGIN = 1.25
"""The region of a person is this much larger than the circle the network was taught."""

_INPUT, _BOXES, _SCORES = "input_1", "Identity", "Identity_1"
FRONT = ImageFront(SIDE, SIDE, (2 / 255.0,) * 3, (-1.0,) * 3, planes=False, replicate_border=False)
"""What the network is given: RGB from -1 to 1; what sticks out of the picture is black."""
_GRIDS = ((28, 2), (14, 2), (7, 6))  # cells per side, anchors per cell
_LOGIT_LIMIT = 100.0


@dataclass(frozen=True)
class DetectorConfig:
    """Thresholds of the detector."""

    min_score: float = 0.5
    """Detections below it are dropped."""
    min_overlap: float = 0.3
    """Detections with a higher intersection over union are merged into one."""


class PeopleDetector(Protocol):
    """Whatever finds people in a square region of an image."""

    sees_all: bool
    """Whether one look at the whole picture shows everybody; else parts of it have to be looked at."""

    def detect(self, image: NDArray[np.uint8], region: PersonBox) -> list[PersonBox]:
        """Return the people that one look at `region` of the RGB image (H, W, 3) finds, best score first."""


class PersonDetector:
    """BlazePose's, which is made for one person and blends those who are near each other; a `PeopleDetector`."""

    sees_all = False

    def __init__(self, engine: InferenceEngine, config: DetectorConfig | None = None) -> None:
        """Use `engine`; raises `EngineError` if it does not hold the BlazePose detector."""
        self._crops = square_crops("the person detector", engine.inputs, _INPUT, FRONT)
        rows = len(_ANCHORS)
        check_declared(
            "the person detector", (tensor_spec(_BOXES, 1, rows, 12), tensor_spec(_SCORES, 1, rows, 1)), engine.outputs
        )
        self._engine = engine
        self._config = config or DetectorConfig()

    def detect(self, image: NDArray[np.uint8], region: PersonBox) -> list[PersonBox]:
        """Return the people that one look at `region` of the RGB image (H, W, 3) finds, best score first."""
        outputs = self._engine.infer(self._crops(image, region))
        rows, score = decode(outputs[_BOXES][0], outputs[_SCORES][0, :, 0], self._config.min_score)
        to_image = box_to_image(region)
        people = []
        for row, confidence in suppress(rows, score, self._config.min_overlap):
            center, edge = apply_affine(to_image, row[4:8].reshape(2, 2))
            people.append(box_from_points(center, edge, BOX_MARGIN, confidence))
        return people


def anchors() -> Array:
    """Return the anchor centres (2254, 2) in [0, 1], row by row, coarse grids last."""
    centers = []
    for cells, per_cell in _GRIDS:
        axis = (np.arange(cells) + 0.5) / cells
        x, y = np.meshgrid(axis, axis)
        centers.append(np.repeat(np.stack([x, y], -1).reshape(-1, 2), per_cell, axis=0))
    return np.concatenate(centers)


_ANCHORS = anchors()


def decode(raw: NDArray[np.float32], logits: NDArray[np.float32], min_score: float) -> tuple[Array, Array]:
    """Return the rows (n, 12) and scores (n,) of the anchors above `min_score`.

    A row is box centre, box size, then four points (mid hip, full-body edge, mid shoulder,
    upper-body edge), all in [0, 1] of the region.
    """
    score = 1.0 / (1.0 + np.exp(-np.clip(logits.astype(float), -_LOGIT_LIMIT, _LOGIT_LIMIT)))
    keep = np.flatnonzero(score >= min_score)
    rows = raw[keep].astype(float).reshape(-1, 6, 2) / SIDE
    rows[:, [0, 2, 3, 4, 5]] += _ANCHORS[keep, None]
    return rows.reshape(-1, 12), score[keep]


def suppress(rows: Array, score: Array, min_overlap: float) -> list[tuple[Array, float]]:
    """Merge overlapping rows (n, 12) into their score-weighted means, best first."""
    merged: list[tuple[Array, float]] = []
    left = np.argsort(-score)
    while left.size:
        best = left[0]
        close = overlap(rows[best], rows[left]) > min_overlap
        close[0] = True
        group = left[close]
        merged.append((score[group] @ rows[group] / score[group].sum(), float(score[best])))
        left = left[~close]
    return merged


def overlap(row: Array, rows: Array) -> Array:
    """Return the intersection over union (n,) of one box with others; columns are centre, size."""
    low = np.maximum(row[:2] - row[2:4] / 2, rows[:, :2] - rows[:, 2:4] / 2)
    high = np.minimum(row[:2] + row[2:4] / 2, rows[:, :2] + rows[:, 2:4] / 2)
    shared = np.clip(high - low, 0.0, None).prod(1)
    return shared / (row[2:4].prod() + rows[:, 2:4].prod(1) - shared)
