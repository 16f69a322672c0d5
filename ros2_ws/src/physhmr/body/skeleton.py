"""The 24-body skeleton: names, tree, bone offsets and segment masses of a body of given height and mass.

Body frames stand in the T-pose: x forward, y left, z up, all axes parallel. Lengths are fractions of
the standing height (Drillis & Contini 1966, as tabulated by Winter, Biomechanics and Motor Control),
masses fractions of the body mass (de Leva 1996). Bodies are in MuJoCo's depth-first order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from physhmr.errors import PhyshmrError
from physhmr.types import NUM_HINGES, Array

_LEFT_LEG = ("L_Hip", "L_Knee", "L_Ankle", "L_Toe")
_LEFT_ARM = ("L_Thorax", "L_Shoulder", "L_Elbow", "L_Wrist", "L_Hand")


def _mirrored(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.replace("L_", "R_", 1) for name in names)


BODY_NAMES: tuple[str, ...] = (
    "Pelvis", *_LEFT_LEG, *_mirrored(_LEFT_LEG),
    "Torso", "Spine", "Chest", "Neck", "Head", *_LEFT_ARM, *_mirrored(_LEFT_ARM),
)  # fmt: skip
BODY_INDEX = {name: index for index, name in enumerate(BODY_NAMES)}
SMPL_TO_MUJOCO: tuple[int, ...] = (0, 1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12, 14, 19, 13, 15, 20, 16, 21, 17, 22, 18, 23)
"""MuJoCo index of each SMPL joint (SMPL order is breadth first)."""
HINGE_NAMES: tuple[str, ...] = tuple(f"{body}_{axis}" for body in BODY_NAMES[1:] for axis in "xyz")

_PARENT_NAME = {
    "L_Hip": "Pelvis", "L_Knee": "L_Hip", "L_Ankle": "L_Knee", "L_Toe": "L_Ankle",
    "Torso": "Pelvis", "Spine": "Torso", "Chest": "Spine", "Neck": "Chest", "Head": "Neck",
    "L_Thorax": "Chest", "L_Shoulder": "L_Thorax", "L_Elbow": "L_Shoulder", "L_Wrist": "L_Elbow", "L_Hand": "L_Wrist",
}  # fmt: skip
_PARENT_NAME |= {c.replace("L_", "R_", 1): p.replace("L_", "R_", 1) for c, p in _PARENT_NAME.items()}
BALANCE_HINGES: tuple[int, ...] = tuple(
    HINGE_NAMES.index(f"{body}_{axis}")
    for body, axes in (
        ("L_Hip", "xyz"), ("L_Knee", "y"), ("L_Ankle", "xyz"), ("L_Toe", "y"),
        ("R_Hip", "xyz"), ("R_Knee", "y"), ("R_Ankle", "xyz"), ("R_Toe", "y"), ("Torso", "xyz"),
    )
    for axis in axes
)  # fmt: skip
"""Indices of the hinges that keep the body up: legs and lower trunk."""
PARENTS: tuple[int, ...] = (-1, *(BODY_INDEX[_PARENT_NAME[name]] for name in BODY_NAMES[1:]))

# Joint centres in the T-pose, fractions of height, (x, y, z) with the floor at z = 0; left side.
_REST_POINTS: dict[str, tuple[float, float, float]] = {
    "Pelvis": (0.0, 0.0, 0.570), "L_Hip": (0.0, 0.052, 0.530), "L_Knee": (0.0, 0.052, 0.285),
    "L_Ankle": (-0.010, 0.052, 0.045), "L_Toe": (0.070, 0.058, 0.014),
    "Torso": (-0.008, 0.0, 0.630), "Spine": (-0.008, 0.0, 0.700), "Chest": (-0.004, 0.0, 0.740),
    "Neck": (-0.008, 0.0, 0.845), "Head": (0.006, 0.0, 0.895),
    "L_Thorax": (-0.008, 0.043, 0.805), "L_Shoulder": (-0.010, 0.108, 0.815), "L_Elbow": (-0.014, 0.272, 0.815),
    "L_Wrist": (-0.014, 0.417, 0.815), "L_Hand": (-0.014, 0.467, 0.815),
}  # fmt: skip

_MASS_FRACTION: dict[str, float] = {
    "Pelvis": 0.1117, "Torso": 0.0813, "Spine": 0.0820, "Chest": 0.1096, "Neck": 0.0094, "Head": 0.0600,
    "L_Hip": 0.1416, "L_Knee": 0.0433, "L_Ankle": 0.0107, "L_Toe": 0.0030,
    "L_Thorax": 0.0250, "L_Shoulder": 0.0271, "L_Elbow": 0.0162, "L_Wrist": 0.0041, "L_Hand": 0.0020,
}  # fmt: skip

# kp N m/rad, kd N m s/rad, torque limit N m (method.md, "tracking humanoid conventions").
_GAINS: dict[str, tuple[float, float, float]] = {
    "Hip": (800, 80, 1000), "Knee": (800, 80, 1000), "Ankle": (800, 80, 1000), "Toe": (500, 50, 500),
    "Torso": (1000, 100, 500), "Spine": (1000, 100, 500), "Chest": (1000, 100, 500),
    "Neck": (500, 50, 250), "Head": (500, 50, 250), "Thorax": (500, 50, 1000), "Shoulder": (500, 50, 1000),
    "Elbow": (500, 50, 250), "Wrist": (300, 30, 250), "Hand": (300, 30, 250),
}  # fmt: skip

# Hinge ranges in degrees for the left side. Generous on purpose: an x-y-z triple needs more than anatomy
# where its axes do not coincide with the anatomical ones. Knee: +y flexes. Left elbow: -z flexes.
_RANGES_DEG: dict[str, tuple[tuple[float, float], ...]] = {
    "Hip": ((-60, 90), (-150, 80), (-90, 90)), "Knee": ((-20, 20), (-5, 160), (-45, 45)),
    "Ankle": ((-50, 50), (-60, 70), (-60, 60)), "Toe": ((-20, 20), (-70, 50), (-20, 20)),
    "Torso": ((-45, 45), (-45, 75), (-45, 45)), "Spine": ((-45, 45), (-45, 75), (-45, 45)),
    "Chest": ((-45, 45), (-45, 75), (-45, 45)), "Neck": ((-50, 50), (-50, 60), (-70, 70)),
    "Head": ((-50, 50), (-50, 60), (-70, 70)), "Thorax": ((-50, 60), (-40, 40), (-50, 50)),
    "Shoulder": ((-150, 150), (-120, 120), (-170, 120)), "Elbow": ((-45, 45), (-120, 120), (-165, 15)),
    "Wrist": ((-80, 80), (-100, 100), (-80, 80)), "Hand": ((-45, 45), (-45, 45), (-45, 45)),
}  # fmt: skip

MIN_HEIGHT, MAX_HEIGHT = 1.2, 2.2
MIN_MASS, MAX_MASS = 25.0, 200.0


@dataclass(frozen=True)
class Shape:
    """What may differ between two bodies."""

    height: float = 1.70
    """Standing height, m."""
    mass: float = 70.0
    """Body mass, kg."""

    def __post_init__(self) -> None:
        if not MIN_HEIGHT <= self.height <= MAX_HEIGHT:
            raise PhyshmrError(f"height must lie in [{MIN_HEIGHT}, {MAX_HEIGHT}] m, got {self.height:g}")
        if not MIN_MASS <= self.mass <= MAX_MASS:
            raise PhyshmrError(f"mass must lie in [{MIN_MASS}, {MAX_MASS}] kg, got {self.mass:g}")


@dataclass(frozen=True)
class Skeleton:
    """Bone offsets, masses, gains and ranges of one body."""

    shape: Shape = Shape()

    @cached_property
    def rest_points(self) -> Array:
        """(24, 3) m, joint centres in the T-pose, floor at z = 0."""
        return self.shape.height * np.array([_sided(_REST_POINTS, name) for name in BODY_NAMES])

    @cached_property
    def offsets(self) -> Array:
        """(24, 3) m, body origin in its parent's frame; the pelvis row is zero."""
        points = self.rest_points
        offsets = points - points[list(PARENTS)]
        offsets[0] = 0.0
        return offsets

    @cached_property
    def masses(self) -> Array:
        """(24,) kg."""
        return self.shape.mass * np.array([_MASS_FRACTION[_left(name)] for name in BODY_NAMES])

    @property
    def standing_root_height(self) -> float:
        """Pelvis height above the floor in the T-pose, m."""
        return float(self.rest_points[0, 2])

    @cached_property
    def gains(self) -> Array:
        """(69, 3) kp N m/rad, kd N m s/rad, torque limit N m per hinge."""
        return np.repeat([_GAINS[segment(name)] for name in BODY_NAMES[1:]], 3, axis=0).astype(float)

    @cached_property
    def ranges(self) -> Array:
        """(69, 2) rad per hinge."""
        rows = [_range_deg(name, axis) for name in BODY_NAMES[1:] for axis in range(3)]
        assert len(rows) == NUM_HINGES
        return np.radians(rows)


def mirror_name(name: str) -> str:
    """The body of the other side; bodies on the midline map to themselves."""
    if name.startswith("L_"):
        return "R_" + name[2:]
    return "L_" + name[2:] if name.startswith("R_") else name


def _left(name: str) -> str:
    return "L_" + name[2:] if name.startswith("R_") else name


def segment(name: str) -> str:
    """What body `name` is on either side: L_Knee and R_Knee are a Knee."""
    return name[2:] if name[1] == "_" else name


def _sided(table: dict[str, tuple[float, float, float]], name: str) -> tuple[float, float, float]:
    x, y, z = table[_left(name)]
    return (x, -y, z) if name.startswith("R_") else (x, y, z)


def _range_deg(name: str, axis: int) -> tuple[float, float]:
    """Mirroring in the x-z plane keeps rotations about y and negates those about x and z."""
    low, high = _RANGES_DEG[segment(name)][axis]
    return (-high, -low) if name.startswith("R_") and axis != 1 else (low, high)
