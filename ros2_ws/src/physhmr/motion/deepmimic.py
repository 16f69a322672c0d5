"""DeepMimic's humanoid clips: JSON, 44 numbers a frame: duration, root, then each joint's quaternion or angle.

Peng et al. 2018. Axes: x forward, y up, z right; arms and legs hang down at rest.
"""

from __future__ import annotations

import json

import numpy as np

from physhmr.errors import MotionFileError
from physhmr.geometry.rotation import quat_to_matrix, rotvec_to_quat
from physhmr.motion.source import SourceMotion, chain
from physhmr.types import Array

SOURCE = "DeepMimic (Peng et al. 2018) as shipped with pybullet_data; zlib licence"
AXES = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""x forward, y up, z right -> x forward, y left, z up."""
_TREE: tuple[tuple[str, int, tuple[float, float, float], int], ...] = (
    ("root", -1, (0, 0, 0), 4),
    ("chest", 0, (0, 0.236151, 0), 4), ("neck", 1, (0, 0.223894, 0), 4),
    ("right_hip", 0, (0, 0, 0.084887), 4), ("right_knee", 3, (0, -0.421546, 0), 1),
    ("right_ankle", 4, (0, -0.409870, 0), 4),
    ("right_shoulder", 1, (-0.02405, 0.24350, 0.18311), 4), ("right_elbow", 6, (0, -0.274788, 0), 1),
    ("left_hip", 0, (0, 0, -0.084887), 4), ("left_knee", 8, (0, -0.421546, 0), 1),
    ("left_ankle", 9, (0, -0.409870, 0), 4),
    ("left_shoulder", 1, (-0.02405, 0.24350, -0.18311), 4), ("left_elbow", 11, (0, -0.274788, 0), 1),
    ("right_wrist", 7, (0, -0.258947, 0), 0), ("left_wrist", 12, (0, -0.258947, 0), 0),
)  # fmt: skip
"""Name, parent, offset in m, and how many numbers a frame holds for it (4: quaternion, 1: angle about z)."""
JOINT_OF = {
    "Pelvis": "root", "Chest": "chest", "Head": "neck",
    "L_Hip": "left_hip", "L_Knee": "left_knee", "L_Ankle": "left_ankle",
    "L_Shoulder": "left_shoulder", "L_Elbow": "left_elbow", "L_Wrist": "left_wrist",
    "R_Hip": "right_hip", "R_Knee": "right_knee", "R_Ankle": "right_ankle",
    "R_Shoulder": "right_shoulder", "R_Elbow": "right_elbow", "R_Wrist": "right_wrist",
}  # fmt: skip
"""Our bodies -> joints of this format."""


def load_deepmimic(name: str, content: bytes) -> SourceMotion:
    """Read one clip; raises `MotionFileError` when it is not JSON with 44 finite numbers a frame."""
    try:
        rows = np.array(json.loads(content)["Frames"], float)
    except (ValueError, KeyError, TypeError) as error:
        raise MotionFileError(f"{name} is not a DeepMimic clip: {error}") from error
    if rows.ndim != 2 or rows.shape[1] != 44 or not np.isfinite(rows).all():
        raise MotionFileError(f"{name} must hold 44 finite numbers a frame, got {rows.shape}")
    joints = tuple(joint for joint, *_ in _TREE)
    parents = [parent for _, parent, *_ in _TREE]
    offsets = np.array([offset for *_, offset, _ in _TREE], float)
    return chain(name, 1.0 / rows[0, 0], joints, parents, offsets, rows[:, 1:4], _local(rows), SOURCE, AXES)


def _local(rows: Array) -> Array:
    """(T, J, 3, 3) local rotations."""
    local = np.tile(np.eye(3), (len(rows), len(_TREE), 1, 1))
    column = 4
    for joint, (_, _, _, width) in enumerate(_TREE):
        numbers = rows[:, column : column + width]
        if width:
            local[:, joint] = quat_to_matrix(numbers if width == 4 else rotvec_to_quat(numbers * np.eye(3)[2]))
        column += width
    return local
