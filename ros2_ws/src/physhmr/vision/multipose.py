"""MoveNet MultiPose: up to six people in one look at the whole picture, with 17 joints each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physhmr.inference.engine import InferenceEngine, check_declared, tensor_spec
from physhmr.inference.image_front import ImageFront
from physhmr.types import Array, PersonBox
from physhmr.vision.crops import square_crops
from physhmr.vision.detector import BOX_MARGIN
from physhmr.vision.joint_sets import JOINT_SETS
from physhmr.vision.preprocess import apply_affine, box_from_points, box_to_image

SIDE, PEOPLE, COLUMNS = 256, 6, 56
MIN_SCORE = 0.2
"""Of a person; those of this network are lower than those of others."""
MIN_JOINT_SCORE = 0.2
FRONT = ImageFront(SIDE, SIDE, (1.0,) * 3, (0.0,) * 3, planes=False, replicate_border=False)
"""What the network is given: RGB from 0 to 255."""
_INPUT, _OUTPUT = "image", "people"
_NAMES = JOINT_SETS["coco17"].names
_HIPS = [_NAMES.index("left_hip"), _NAMES.index("right_hip")]
_SHOULDERS = [_NAMES.index("left_shoulder"), _NAMES.index("right_shoulder")]
_BEYOND = 1.1
"""From the hips to the ends of the body, over the way to the farthest joint."""


class MultiPoseDetector:
    """Finds several people at once; a `PeopleDetector`."""

    sees_all = True

    def __init__(self, engine: InferenceEngine) -> None:
        """Use `engine`; raises `EngineError` if it does not hold the model `movenet_multipose`."""
        self._crops = square_crops("MoveNet MultiPose", engine.inputs, _INPUT, FRONT)
        check_declared("MoveNet MultiPose", (tensor_spec(_OUTPUT, 1, PEOPLE, COLUMNS),), engine.outputs)
        self._engine = engine

    def detect(self, image: NDArray[np.uint8], region: PersonBox) -> list[PersonBox]:
        """Return the people that one look at `region` of the RGB image (H, W, 3) finds, best score first."""
        (rows,) = self._engine.infer(self._crops(image, region))[_OUTPUT]
        joints, scores, certainty = decode(rows)
        to_image, people = box_to_image(region), []
        for person in np.argsort(-certainty):
            seen = scores[person] >= MIN_JOINT_SCORE
            if certainty[person] >= MIN_SCORE and seen[_HIPS].any() and seen[_SHOULDERS].any():
                people.append(_box(apply_affine(to_image, joints[person]), seen, float(certainty[person])))
        return people


def decode(rows: NDArray[np.float32]) -> tuple[Array, Array, Array]:
    """Split rows (6, 56) into joints (6, 17, 2) in [0, 1] of the crop, x first, their scores, and the people's."""
    joints = rows[:, : 3 * len(_NAMES)].reshape(-1, len(_NAMES), 3).astype(float)
    return joints[..., 1::-1], joints[..., 2], rows[:, -1].astype(float)


def _box(xy: Array, seen: NDArray[np.bool_], score: float) -> PersonBox:
    """The square around a person's circle, as BlazePose draws it: around the hips, through the farthest end."""
    hips, shoulders = (xy[rows][seen[rows]].mean(0) for rows in (_HIPS, _SHOULDERS))
    radius = _BEYOND * float(np.linalg.norm(xy[seen] - hips, axis=1).max())
    up = (shoulders - hips) / max(float(np.linalg.norm(shoulders - hips)), 1e-9)
    return box_from_points(hips, hips + radius * up, BOX_MARGIN, score)
