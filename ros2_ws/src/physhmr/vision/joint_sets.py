"""The joints that published keypoint networks tell of, and which of them are the project's keypoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from physhmr.errors import ConfigError, UnknownNameError
from physhmr.types import KEYPOINTS


@dataclass(frozen=True)
class JointSet:
    """Rows of a network's output by name, and which rows make up a keypoint of the project."""

    names: tuple[str, ...]
    rows: Mapping[str, tuple[int, ...]]
    """Keypoint of `KEYPOINTS` -> rows whose mean it is; keypoints that the network does not know are absent."""

    def __post_init__(self) -> None:
        for keypoint, rows in self.rows.items():
            if keypoint not in KEYPOINTS:
                raise UnknownNameError("keypoint", keypoint, KEYPOINTS)
            if not rows or not all(0 <= row < len(self.names) for row in rows):
                raise ConfigError(f"rows of {keypoint}", f"must be rows of {len(self.names)} joints", rows)

    @property
    def flip_pairs(self) -> tuple[tuple[int, int], ...]:
        """(left row, right row) of joints that change places in a mirrored image."""
        place = {name: row for row, name in enumerate(self.names)}
        return tuple(
            (row, place["right" + name.removeprefix("left")]) for name, row in place.items() if name.startswith("left_")
        )


_BODY = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
_BODY_ROWS = {
    "Nose": (0,), "L_Ear": (3,), "R_Ear": (4,), "L_Shoulder": (5,), "R_Shoulder": (6,), "L_Elbow": (7,),
    "R_Elbow": (8,), "L_Wrist": (9,), "R_Wrist": (10,), "L_Hip": (11,), "R_Hip": (12,), "L_Knee": (13,),
    "R_Knee": (14,), "L_Ankle": (15,), "R_Ankle": (16,),
}  # fmt: skip
_FEET = ("left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel")
# The face is not mirrored by name: nothing here flips it, and the project has no use for it.
_FACE = tuple(f"face_{number}" for number in range(68))
_HANDS = tuple(f"{side}_hand_{number}" for side in ("left", "right") for number in range(21))
_INDEX, _PINKY = 5, 17  # knuckles, as BlazePose's middle of a hand

JOINT_SETS: dict[str, JointSet] = {
    "coco17": JointSet(_BODY, _BODY_ROWS),
    "halpe26": JointSet(
        (
            *_BODY, "head", "neck", "hip", "left_big_toe", "right_big_toe", "left_small_toe", "right_small_toe",
            "left_heel", "right_heel",
        ),
        {**_BODY_ROWS, "L_Toe": (20,), "R_Toe": (21,), "L_Heel": (24,), "R_Heel": (25,)},
    ),
    "wholebody133": JointSet(
        (*_BODY, *_FEET, *_FACE, *_HANDS),
        {
            **_BODY_ROWS, "L_Toe": (17,), "L_Heel": (19,), "R_Toe": (20,), "R_Heel": (22,),
            "L_Hand": (91 + _INDEX, 91 + _PINKY), "R_Hand": (112 + _INDEX, 112 + _PINKY),
        },
    ),
}  # fmt: skip
"""COCO (17), Halpe's body with feet (26), COCO-WholeBody (133)."""
