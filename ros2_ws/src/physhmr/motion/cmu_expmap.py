"""CMU motion as text: 117 numbers a line, 120 Hz: root position, then 38 joints as exponential maps.

The format of Taylor et al. and its successors in motion prediction. Lengths are ASF units (1/0.45 inch). The stored
maps are those of the transposed (row vector) rotations, and that of the root was made of its three angles in another
order than CMU's: who turns by a quarter lies on their side there, until the angles are found again.
"""

from __future__ import annotations

import io

import numpy as np
from scipy.spatial.transform import Rotation

from physhmr.errors import MotionFileError
from physhmr.geometry.rotation import quat_to_matrix, rotvec_to_quat
from physhmr.motion.acclaim import FPS, INCH
from physhmr.motion.source import SourceMotion, chain
from physhmr.types import Array

ASF_UNIT = INCH / 0.45
SAME_TRIPLE = 0.1
"""What angles that jump by half a turn count for, against a rotation that does: where people face along the world's
axis both ways to read them are all but the same rotation."""
STANDING = 15.0
"""Percentile of the speeds of a foot: those at which it stands."""
SOURCE = "CMU Graphics Lab Motion Capture Database (mocap.cs.cmu.edu, NSF EIA-0196217); free use with credit"

SKELETON: tuple[tuple[str, int, tuple[float, float, float]], ...] = (
    ("root", -1, (0, 0, 0)),
    ("lhipjoint", 0, (0, 0, 0)), ("lfemur", 1, (1.65674, -1.80282, 0.62477)), ("ltibia", 2, (2.5972, -7.13576, 0)),
    ("lfoot", 3, (2.49236, -6.8477, 0)), ("ltoes", 4, (0.19704, -0.54136, 2.14581)), ("ltoes_end", 5, (0, 0, 1.11249)),
    ("rhipjoint", 0, (0, 0, 0)), ("rfemur", 7, (-1.6107, -1.80282, 0.62476)), ("rtibia", 8, (-2.59502, -7.12977, 0)),
    ("rfoot", 9, (-2.4678, -6.78024, 0)), ("rtoes", 10, (-0.23024, -0.63258, 2.13368)),
    ("rtoes_end", 11, (0, 0, 1.11569)),
    ("lowerback", 0, (0, 0, 0)), ("upperback", 13, (0.01961, 2.0545, -0.14112)),
    ("thorax", 14, (0.01021, 2.06436, -0.05921)), ("lowerneck", 15, (0, 0, 0)),
    ("upperneck", 16, (0.00713, 1.56711, 0.14968)), ("head", 17, (0.03429, 1.56041, -0.10006)),
    ("head_end", 18, (0.01305, 1.6256, -0.05265)),
    ("lclavicle", 15, (0, 0, 0)), ("lhumerus", 20, (3.54205, 0.90436, -0.17364)), ("lradius", 21, (4.86513, 0, 0)),
    ("lwrist", 22, (3.35554, 0, 0)), ("lhand", 23, (0, 0, 0)), ("lfingers", 24, (0.66117, 0, 0)),
    ("lfingers_end", 25, (0.53306, 0, 0)), ("lthumb", 23, (0, 0, 0)), ("lthumb_end", 27, (0.5412, 0, 0.5412)),
    ("rclavicle", 15, (0, 0, 0)), ("rhumerus", 29, (-3.49802, 0.75994, -0.32616)), ("rradius", 30, (-5.02649, 0, 0)),
    ("rwrist", 31, (-3.36431, 0, 0)), ("rhand", 32, (0, 0, 0)), ("rfingers", 33, (-0.73041, 0, 0)),
    ("rfingers_end", 34, (-0.58887, 0, 0)), ("rthumb", 32, (0, 0, 0)), ("rthumb_end", 36, (-0.59786, 0, 0.59786)),
)  # fmt: skip


def load_cmu_expmap(name: str, content: bytes) -> SourceMotion:
    """Read one text clip; raises `MotionFileError` when it is not 117 finite numbers a line."""
    try:
        rows = np.loadtxt(io.BytesIO(content), delimiter=",", ndmin=2)
    except ValueError as error:
        raise MotionFileError(f"{name} is not a table of numbers: {error}") from error
    if rows.shape[1] != 117 or not np.isfinite(rows).all():
        raise MotionFileError(f"{name} must hold 117 finite numbers a line, got {rows.shape[1]}")
    # The first line of these files is a calibration pose, not motion.
    rows = rows[1:]
    rotvec = rows[:, 3:].reshape(len(rows), 38, 3)
    joints = tuple(name for name, _, _ in SKELETON)
    offsets = ASF_UNIT * np.array([offset for _, _, offset in SKELETON], float)
    local = quat_to_matrix(rotvec_to_quat(-rotvec))
    parents = [parent for _, parent, _ in SKELETON]
    found = []
    for root in _as_measured(local[:, 0]):
        local[:, 0] = root
        root_pos = ASF_UNIT * rows[:, :3]
        found.append(chain(name, FPS, joints, parents, offsets, root_pos, local, SOURCE, feet_follow_shanks=True))
    return min(found, key=_sliding)


def _as_measured(stored: Array) -> list[Array]:
    """(T, 3, 3) what the root's rotations Rz Rx Ry may have been, Rz Ry Rx: two ways, from two triples of angles.

    A rotation tells two triples, which differ by half a turn; from one frame to the next it is the one of the smoother
    motion.
    """
    triple = Rotation.from_matrix(stored).as_euler("ZXY")
    other = triple * [1.0, -1.0, 1.0] + np.pi
    triples = np.stack([triple, other], 1)
    angles = triples[..., [0, 2, 1]].reshape(-1, 3)
    measured = Rotation.from_euler("ZYX", angles).as_matrix().reshape(-1, 2, 3, 3)
    return [_smoothest(triples, measured, start) for start in (0, 1)]


def _smoothest(triples: Array, rotations: Array, start: int) -> Array:
    """(T, 3, 3) those of two (T, 2, 3, 3) that go on smoothly from the frame before, beginning with number `start`."""
    turned = 3.0 - np.einsum("taij,tbij->tab", rotations[:-1], rotations[1:])
    changed = (1.0 - np.cos(triples[1:, None] - triples[:-1, :, None])).sum(-1)
    chosen = [start]
    for cost in turned + SAME_TRIPLE * changed:
        chosen.append(int(np.argmin(cost[chosen[-1]])))
    return np.asarray(rotations[np.arange(len(chosen)), chosen])


def _sliding(motion: SourceMotion) -> float:
    """m/s of feet and toes when they are slow."""
    feet = [motion.joint(name) for name in ("lfoot", "ltoes", "rfoot", "rtoes")]
    speed = motion.fps * np.linalg.norm(np.diff(motion.pos_w[:, feet], axis=0), axis=-1)
    return float(np.percentile(speed, STANDING, axis=0).mean())
