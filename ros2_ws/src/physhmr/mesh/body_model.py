"""A body model's arrays out of its npz file, never unpickled: SMPLX_*.npz, SMPL-H's model.npz, one made of SMPL's.

The files are the user's to get (smpl-x.is.tue.mpg.de, mano.is.tue.mpg.de, smpl.is.tue.mpg.de, not for commerce). The
first 22 joints of all of them are SMPL's; what comes after are hands (SMPL), or jaw, eyes and fingers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physhmr.errors import ModelFileError, MotionFileError
from physhmr.motion.array_file import numbers, read_arrays
from physhmr.motion.smpl import JOINT_PARENTS, JOINTS
from physhmr.types import Array

ANKLES = (JOINTS.index("L_Ankle"), JOINTS.index("R_Ankle"))
SHORTEST_LEG, LONGEST_LEG = 0.2, 2.0
"""m; beyond are other units or other axes."""
KEYS = ("v_template", "posedirs", "J_regressor", "kintree_table", "weights", "f")


@dataclass(frozen=True)
class BodyModel:
    """A mesh of V vertices that follow J joints, SMPL's axes (x left, y up, z ahead); the mean shape."""

    template: Array
    """(V, 3) m, the rest pose."""
    pose_directions: Array
    """(9 (J - 1), 3 V) m for each entry of the joints' rotation matrices less the identity, as smplx wants them."""
    regressor: Array
    """(J, V) joint centres in the rest pose from vertices."""
    parents: NDArray[np.int64]
    """(J,) of each joint, -1 of the root."""
    weights: Array
    """(V, J) how much a vertex follows each joint; rows sum to 1."""
    faces: NDArray[np.int64]
    """(F, 3) vertices of each triangle, anticlockwise from outside."""

    @property
    def rest_joints(self) -> Array:
        """(J, 3) m, joint centres in the rest pose."""
        return self.regressor @ self.template

    @property
    def leg(self) -> float:
        """From the ankles up to the pelvis in the rest pose, m."""
        height = self.rest_joints[:, 1]
        return float(height[0] - height[list(ANKLES)].mean())


def load_body_model(path: Path) -> BodyModel:
    """Read a body model; raises `ModelFileError` for what is no such file, saying what is wrong with it."""
    try:
        return _body_model(str(path), read_arrays(str(path), path.read_bytes(), KEYS))
    except OSError as error:
        raise ModelFileError(f"there is no body model at {path}: {error}") from error
    except MotionFileError as error:
        raise ModelFileError(f"{error}; docs/mesh.md says which body models are read") from error


def _body_model(name: str, found: dict[str, Any]) -> BodyModel:
    missing = [key for key in KEYS if key not in found]
    if missing:
        raise MotionFileError(f"{name} is not a body model: it lacks {', '.join(missing)}")
    template = numbers(name, "v_template", found["v_template"], (None, 3))
    vertices = len(template)
    regressor = numbers(name, "J_regressor", found["J_regressor"], (None, vertices))
    joints = len(regressor)
    pose = numbers(name, "posedirs", found["posedirs"], (vertices, 3, 9 * (joints - 1)))
    weights = numbers(name, "weights", found["weights"], (vertices, joints))
    if weights.min() < -1e-3 or np.abs(weights.sum(1) - 1.0).max() > 1e-3:
        raise MotionFileError(f"{name}: 'weights' of a vertex must be positive and sum to 1")
    parents = _parents(name, numbers(name, "kintree_table", found["kintree_table"], (2, joints)))
    faces = numbers(name, "f", found["f"], (None, 3))
    if not len(faces) or faces.min() < 0 or faces.max() >= vertices:
        raise MotionFileError(f"{name}: 'f' must name vertices from 0 to {vertices - 1}")
    pose = np.ascontiguousarray(pose.reshape(3 * vertices, -1).T)
    model = BodyModel(template, pose, regressor, parents, weights, faces.astype(np.int64))
    if not SHORTEST_LEG < model.leg < LONGEST_LEG:
        raise MotionFileError(f"{name}: the body must stand, y up, in metres; its legs measure {model.leg:g} m")
    return model


def _parents(name: str, table: Array) -> NDArray[np.int64]:
    """(J,) the first row of kintree_table; files tell the root's parent as -1 or as the largest number there is."""
    parents = np.concatenate([[-1.0], table[0, 1:]]).astype(np.int64)
    shared = len(JOINT_PARENTS)
    before = np.arange(len(parents))
    if tuple(parents[:shared]) != JOINT_PARENTS or (parents >= before).any() or (parents[1:] < 0).any():
        raise MotionFileError(f"{name}: 'kintree_table' must begin with the {shared} joints of SMPL's body")
    return parents
