"""SMPL's 22 body joints, which SMPL-H and SMPL-X share: rest pose from shape, positions from axis angles.

SMPL (Loper et al. 2015): the body stands in a T-pose, x left, y up, z forward; joint centres are a linear
function of the shape; a pose is one rotation vector a joint, in its parent; the root joint lies at its place
in the rest pose plus `trans`. The model's numbers are the user's to get (smpl.is.tue.mpg.de, not for commerce);
without them our own bones stand for the performer's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from physhmr.body.skeleton import BODY_NAMES, PARENTS, SMPL_TO_MUJOCO, Skeleton
from physhmr.errors import MotionFileError, ShapeError
from physhmr.geometry.rotation import Y_UP_TO_Z_UP, quat_to_matrix, rotvec_to_quat
from physhmr.motion.array_file import numbers, read_arrays
from physhmr.motion.source import SourceMotion, chain
from physhmr.types import Array

NUM_JOINTS = 22
_MUJOCO = SMPL_TO_MUJOCO[:NUM_JOINTS]
JOINTS: tuple[str, ...] = tuple(BODY_NAMES[body] for body in _MUJOCO)
"""Our names of SMPL's joints, in its order; its hands follow the wrists here."""
JOINT_PARENTS: tuple[int, ...] = (-1, *(_MUJOCO.index(PARENTS[body]) for body in _MUJOCO[1:]))
MAX_SHAPES = 16
"""Shape parameters that are used; SMPL-X lists expressions after its 300."""


@dataclass(frozen=True)
class SmplBody:
    """Joint centres of a body in its rest pose, SMPL's axes, as a function of its shape."""

    template: Array
    """(22, 3) m, of the mean shape."""
    directions: Array
    """(22, 3, B) m for each shape parameter; B may be 0."""

    def __post_init__(self) -> None:
        if self.template.shape != (NUM_JOINTS, 3):
            raise ShapeError("template", (NUM_JOINTS, 3), self.template.shape)
        if self.directions.ndim != 3 or self.directions.shape[:2] != (NUM_JOINTS, 3):
            raise ShapeError("directions", f"({NUM_JOINTS}, 3, B)", self.directions.shape)

    def rest_joints(self, betas: Array) -> Array:
        """(22, 3) m for shape parameters (N,); what one side has more of counts as zero."""
        used = min(len(betas), self.directions.shape[2])
        return self.template + self.directions[..., :used] @ betas[:used]


def own_body(skeleton: Skeleton) -> SmplBody:
    """Our bones in SMPL's axes, the root at the origin; shape changes nothing."""
    points = skeleton.rest_points[list(_MUJOCO)]
    return SmplBody((points - points[0]) @ Y_UP_TO_Z_UP, np.zeros((NUM_JOINTS, 3, 0)))


def load_smpl_body(path: Path) -> SmplBody:
    """Read a model's npz (SMPL-H's model.npz, SMPLX_*.npz, or one made of SMPL's pickle, see docs/mesh.md).

    It needs v_template (V, 3), shapedirs (V, 3, B) and a dense J_regressor (J, V); raises `MotionFileError`.
    """
    keys = ("v_template", "shapedirs", "J_regressor")
    try:
        found = read_arrays(str(path), path.read_bytes(), keys)
    except OSError as error:
        raise MotionFileError(f"there is no body model at {path}: {error}") from error
    missing = [key for key in keys if key not in found]
    if missing:
        raise MotionFileError(f"{path} is not a body model: it lacks {', '.join(missing)}")
    vertices = numbers(str(path), "v_template", found["v_template"], (None, 3))
    shapes = numbers(str(path), "shapedirs", found["shapedirs"], (len(vertices), 3, None))[..., :MAX_SHAPES]
    regressor = numbers(str(path), "J_regressor", found["J_regressor"], (None, len(vertices)))[:NUM_JOINTS]
    return SmplBody(regressor @ vertices, np.einsum("jv,vcb->jcb", regressor, shapes))


def smpl_motion(
    name: str, fps: float, body: SmplBody, rotvecs: Array, betas: Array, trans: Array, source: str, up: str = "z"
) -> SourceMotion:
    """Joint poses for axis angles (T, J, 3) rad, J of 22 or more, and trans (T, 3) m in a world whose `up` is y or z.

    Raises `ShapeError` or `MotionFileError` for other shapes.
    """
    if rotvecs.ndim != 3 or rotvecs.shape[1] < NUM_JOINTS or rotvecs.shape[2] != 3:
        raise ShapeError("rotvecs", f"(T, {NUM_JOINTS} or more, 3)", rotvecs.shape)
    rest = body.rest_joints(betas)
    local = quat_to_matrix(rotvec_to_quat(rotvecs[:, :NUM_JOINTS]))
    root = trans + rest[0]
    if up == "z":
        # `chain` turns world and body alike from y up to z up; this world is z up already.
        local[:, 0], root = Y_UP_TO_Z_UP.T @ local[:, 0], root @ Y_UP_TO_Z_UP
    offsets = rest - rest[list(JOINT_PARENTS)]
    return chain(name, fps, JOINTS, list(JOINT_PARENTS), offsets, root, local, source)


def smpl_points(body: SmplBody, rotvecs: Array, betas: Array, trans: Array) -> Array:
    """(T, 22, 3) m joint centres in the world of the file itself, whichever its axes; raises like `smpl_motion`."""
    return smpl_motion("", 1.0, body, rotvecs, betas, trans, "", up="y").pos_w @ Y_UP_TO_Z_UP
