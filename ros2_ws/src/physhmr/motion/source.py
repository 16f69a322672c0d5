"""Motion before it is ours: a performer's joint poses, and what they ask of our bodies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from physhmr.errors import MotionFileError, ShapeError
from physhmr.geometry.rotation import Y_UP_TO_Z_UP
from physhmr.types import NUM_BODIES, Array


@dataclass(frozen=True)
class SourceMotion:
    """Joint poses of a captured performer; at the rest pose all rotations are the identity."""

    name: str
    fps: float
    joints: tuple[str, ...]
    rest_w: Array
    """(J, 3) m, joint centres in the rest pose, root at the origin."""
    pos_w: Array
    """(T, J, 3) m."""
    rot_w: Array
    """(T, J, 3, 3)."""
    source: str
    feet_follow_shanks: bool = False
    """Feet are flat where shanks are upright, not in the rest pose, where legs are splayed."""

    def __post_init__(self) -> None:
        count = len(self.joints)
        if self.rest_w.shape != (count, 3):
            raise ShapeError("rest_w", (count, 3), self.rest_w.shape)
        if self.rot_w.shape != (len(self.pos_w), count, 3, 3) or self.pos_w.shape[1:] != (count, 3):
            raise ShapeError("rot_w", (len(self.pos_w), count, 3, 3), self.rot_w.shape)
        if len(self.pos_w) < 2 or not self.fps > 0:
            raise MotionFileError(f"{self.name} needs two frames and a positive rate, got {len(self.pos_w)} frames")

    def joint(self, name: str) -> int:
        """Index of joint `name`."""
        try:
            return self.joints.index(name)
        except ValueError:
            raise MotionFileError(f"{self.name} has no joint '{name}'; it has: {', '.join(self.joints)}") from None


@dataclass(frozen=True)
class PoseStream:
    """What our 24 bodies are asked to do, at the control rate, whether or not the hinges allow it."""

    name: str
    root_w: Array
    """(T, 3) m, the pelvis."""
    rot_w: Array
    """(T, 24, 3, 3)."""
    source: str

    def __post_init__(self) -> None:
        if self.rot_w.shape != (len(self.root_w), NUM_BODIES, 3, 3):
            raise ShapeError("rot_w", (len(self.root_w), NUM_BODIES, 3, 3), self.rot_w.shape)


def chain(
    name: str, fps: float, joints: tuple[str, ...], parents: list[int], offsets: Array,
    root_pos: Array, local_rot: Array, source: str, turn: Array = Y_UP_TO_Z_UP, feet_follow_shanks: bool = False,
) -> SourceMotion:  # fmt: skip
    """Forward kinematics of a hierarchy: offsets (J, 3) m, root (T, 3) m, local rotations (T, J, 3, 3).

    `turn` (3, 3) takes the hierarchy's axes to ours. Parents come before their children, the root has -1.
    """
    shifts = np.tile(offsets, (len(local_rot), 1, 1))
    shifts[:, [parent < 0 for parent in parents]] = root_pos[:, None]
    pos, rot = along_chain(parents, shifts, local_rot)
    rest = np.zeros_like(offsets)
    for j, parent in enumerate(parents):
        if parent >= 0:
            rest[j] = rest[parent] + offsets[j]
    return SourceMotion(name, fps, joints, rest @ turn.T, pos @ turn.T, turn @ rot @ turn.T, source, feet_follow_shanks)


def along_chain(parents: list[int], shifts: Array, local_rot: Array) -> tuple[Array, Array]:
    """(T, J, 3) places and (T, J, 3, 3) rotations, in the world, of joints at `shifts` (T, J, 3) in their parents.

    Parents come before their children, the root has -1.
    """
    pos, rot = shifts.copy(), local_rot.copy()
    for j, parent in enumerate(parents):
        if parent >= 0:
            pos[:, j] = pos[:, parent] + (rot[:, parent] @ shifts[:, j, :, None])[..., 0]
            rot[:, j] = rot[:, parent] @ local_rot[:, j]
    return pos, rot
