"""The values that travel between the rooms: frozen, validated, with shapes, units and frames.

Suffixes: ``_w`` world (z up), ``_c`` camera optical (z forward, x right, y down), ``_b`` body, ``_h`` heading.
Quaternions are wxyz. ``T_ab`` is the pose of b in a (4x4). Stamps are integer nanoseconds in the image's time base.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from physhmr.errors import CameraError, NonFiniteError, ShapeError

Array = NDArray[np.float64]

RAY_JOINTS: tuple[str, ...] = (
    "L_Shoulder", "R_Shoulder", "L_Elbow", "R_Elbow", "L_Wrist", "R_Wrist",
    "L_Hip", "R_Hip", "L_Knee", "R_Knee", "L_Ankle", "R_Ankle",
)  # fmt: skip
"""The 12 joints of the paper's ray observation, in our fixed order."""
KEYPOINTS: tuple[str, ...] = (
    *RAY_JOINTS,
    "Nose", "L_Ear", "R_Ear", "L_Heel", "R_Heel", "L_Toe", "R_Toe", "L_Hand", "R_Hand",
)  # fmt: skip
"""All keypoints of the project: the ray joints first, then face, feet and hands (21)."""
MIRRORED_KEYPOINTS: tuple[int, ...] = tuple(
    KEYPOINTS.index({"L": "R", "R": "L"}[name[0]] + name[1:] if name[1] == "_" else name) for name in KEYPOINTS
)
"""Index of each keypoint's counterpart on the other side."""

NUM_KEYPOINTS = len(KEYPOINTS)
FARTHEST_LANDMARK = 5.0
"""m from the hips; nobody is so large."""
NUM_BODIES = 24
NUM_HINGES = 69
NQ = 7 + NUM_HINGES
NV = 6 + NUM_HINGES

DISTORTION_LENGTHS = (0, 4, 5, 8)
"""Accepted distortion lengths: none, plumb bob (k1 k2 p1 p2 [k3]), rational (k1 k2 p1 p2 k3 k4 k5 k6)."""


@dataclass(frozen=True)
class CameraModel:
    """A pinhole camera with distortion and, if known, its pose in the world."""

    K: Array
    """(3, 3) intrinsics in pixels."""
    width: int
    height: int
    distortion: Array = field(default_factory=lambda: np.zeros(0))
    """(0 | 4 | 5 | 8,) plumb-bob or rational coefficients in CameraInfo's (= OpenCV's) order."""
    T_wc: Array | None = None
    """(4, 4) pose of the optical frame in the world, or None while unknown."""

    def __post_init__(self) -> None:
        K = _array(self, "K", (3, 3))
        if not (K[0, 0] > 0 and K[1, 1] > 0):
            raise CameraError(
                f"focal lengths must be positive, got fx={K[0, 0]:g}, fy={K[1, 1]:g}; "
                "an all-zero K means an uncalibrated camera: calibrate it or give a field of view"
            )
        if self.width < 2 or self.height < 2:
            raise CameraError(f"image size must be at least 2x2, got {self.width}x{self.height}")
        distortion = np.asarray(self.distortion, float).reshape(-1)
        if distortion.size not in DISTORTION_LENGTHS:
            raise CameraError(f"distortion needs {DISTORTION_LENGTHS} coefficients, got {distortion.size}")
        _finite("distortion", distortion)
        object.__setattr__(self, "distortion", distortion)
        if self.T_wc is not None:
            T_wc = _array(self, "T_wc", (4, 4))
            if not np.allclose(T_wc[:3, :3] @ T_wc[:3, :3].T, np.eye(3), atol=1e-5):
                raise CameraError("T_wc must hold a rotation matrix in its upper left 3x3 block")


@dataclass(frozen=True)
class Frame:
    """One camera image with its camera."""

    image: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    stamp_ns: int
    """Time of exposure, in the camera's time base."""
    camera: CameraModel
    up_c: Array | None = None
    """(3,) unit vector away from gravity in the camera's axes, as an IMU tells; None: nobody tells."""

    def __post_init__(self) -> None:
        if self.image.dtype != np.uint8 or self.image.ndim != 3 or self.image.shape[2] != 3:
            raise ShapeError("image", "(H, W, 3) uint8", f"{self.image.shape} {self.image.dtype}")
        if self.up_c is not None and abs(np.linalg.norm(_array(self, "up_c", (3,))) - 1.0) > 1e-3:
            raise ShapeError("up_c", "(3,) of unit length", self.up_c)


@dataclass(frozen=True)
class PersonBox:
    """A square, rotated region of interest around one person."""

    center: Array
    """(2,) px."""
    size: float
    """Side length, px."""
    rotation: float
    """Radians, clockwise in the image; 0 when the person is upright."""
    score: float
    """In [0, 1]."""

    def __post_init__(self) -> None:
        _array(self, "center", (2,))
        if not self.size > 0:
            raise ShapeError("size", "a positive length", self.size)


@dataclass(frozen=True)
class Keypoints2d:
    """What one image says about one person: pixels, and landmarks relative to the hips."""

    stamp_ns: int
    xy: Array
    """(21, 2) px in the original (distorted) image, in the order of `KEYPOINTS`."""
    score: Array
    """(21,) confidence in [0, 1]."""
    landmarks_c: Array
    """(21, 3) m, relative to the hip centre, axes of the camera's optical frame."""

    def __post_init__(self) -> None:
        _array(self, "xy", (NUM_KEYPOINTS, 2))
        _array(self, "score", (NUM_KEYPOINTS,))
        _array(self, "landmarks_c", (NUM_KEYPOINTS, 3))


@dataclass(frozen=True)
class RayBundle:
    """Keypoints lifted to world rays, with the landmarks as local pose cue."""

    stamp_ns: int
    origin_w: Array
    """(21, 3) m, the camera centre of each ray (several cameras may contribute)."""
    dir_w: Array
    """(21, 3) unit directions."""
    score: Array
    """(21,) confidence in [0, 1]; 0 = not seen."""
    landmarks_w: Array
    """(21, 3) m, relative to the hip centre, world axes."""
    person: int = 0
    """Whose they are: another number than before, and somebody else is followed."""
    camera_known: bool = False
    """Whether the camera's pose was measured (TF); else it was configured by hand, or found by the person."""
    others: tuple[RayBundle, ...] = ()
    """What other cameras saw of the same person at nearly the same time, each at its own stamp."""

    def __post_init__(self) -> None:
        _array(self, "origin_w", (NUM_KEYPOINTS, 3))
        direction = _array(self, "dir_w", (NUM_KEYPOINTS, 3))
        score = _array(self, "score", (NUM_KEYPOINTS,))
        landmarks = _array(self, "landmarks_w", (NUM_KEYPOINTS, 3))
        if np.abs(direction).max() > 1.1 or np.abs((direction**2).sum(1) - 1.0).max() > 4e-6:
            raise ShapeError("dir_w", "(21, 3) of unit length", "other lengths")
        if score.min() < 0.0 or score.max() > 1.0 + 1e-6:
            raise ShapeError("score", "(21,) between 0 and 1", f"{score.min():g} to {score.max():g}")
        if (reach := np.abs(landmarks).max()) > FARTHEST_LANDMARK:
            raise ShapeError("landmarks_w", f"(21, 3) within {FARTHEST_LANDMARK:g} m of the hips", f"{reach:g} m")


@dataclass(frozen=True)
class Reference:
    """The pose and velocity that a tracking policy is asked to be in at `stamp_ns`."""

    stamp_ns: int
    qpos: Array
    """(76,) MuJoCo order: root position m, root quaternion wxyz, 69 hinge angles rad."""
    qvel: Array
    """(75,) MuJoCo order: root linear velocity (world) m/s, root angular velocity (body) rad/s, hinge rates rad/s."""

    def __post_init__(self) -> None:
        _array(self, "qpos", (NQ,))
        _array(self, "qvel", (NV,))


@dataclass(frozen=True)
class MotionToken:
    """What a motion encoder makes of all frames up to this one."""

    stamp_ns: int
    token: Array
    """(H,), for networks."""
    ahead: Reference
    """The same for people: pose and velocity one control step after the frame."""
    contact: Array
    """(2,) how surely left and right foot stand, in [0, 1]."""

    def __post_init__(self) -> None:
        _finite("token", np.asarray(self.token, float))
        _array(self, "contact", (2,))


@dataclass(frozen=True)
class Contact:
    """The floor's push on one foot."""

    body: str
    force_w: Array
    """(3,) N, on the body."""
    torque_w: Array
    """(3,) N m about the body's origin."""

    def __post_init__(self) -> None:
        _array(self, "force_w", (3,))
        _array(self, "torque_w", (3,))


@dataclass(frozen=True)
class HumanoidState:
    """The simulated humanoid at one instant."""

    stamp_ns: int
    qpos: Array
    """(76,) as in `Reference`."""
    qvel: Array
    """(75,) as in `Reference`."""
    body_pos_w: Array
    """(24, 3) m, body origins (= joint centres) in MuJoCo order."""
    body_quat_w: Array
    """(24, 4) wxyz."""
    torque: Array
    """(69,) N m, what the PD actuators applied."""
    contacts: tuple[Contact, ...] = ()

    def __post_init__(self) -> None:
        _array(self, "qpos", (NQ,))
        _array(self, "qvel", (NV,))
        _array(self, "body_pos_w", (NUM_BODIES, 3))
        _array(self, "body_quat_w", (NUM_BODIES, 4))
        _array(self, "torque", (NUM_HINGES,))


@dataclass(frozen=True)
class Physics:
    """How the simulated humanoid stands on the floor at one instant."""

    com_w: Array
    """(3,) m, the centre of mass."""
    support_w: Array
    """(N, 2) m, corners of the support polygon: the hull of all points on the floor; empty in the air."""
    support_margin: float | None
    """m from the centre of mass' floor projection to the polygon's edge, positive inside; None in the air."""
    foot_wrench_b: Array
    """(2, 6) force N and torque N m about the ankle, on left and right foot, in the ankle's axes."""
    skate_mm: float
    """Mean way that the standing sole corners slid, for each control step since the last reading."""
    standing_corners: int
    """Sole corners, of 16, that are on the floor and were at the last reading; 0: `skate_mm` means nothing."""
    penetration_mm: float
    """How deep the lowest sole corner is below the floor."""

    def __post_init__(self) -> None:
        _array(self, "com_w", (3,))
        _array(self, "support_w", (len(self.support_w), 2))
        _array(self, "foot_wrench_b", (2, 6))
        if not math.isfinite(self.skate_mm + self.penetration_mm):
            raise NonFiniteError("skate_mm, penetration_mm", 1)
        if (self.support_margin is None) != (len(self.support_w) == 0):
            raise ShapeError("support_margin", "a number where something is on the floor, else None", self)


@dataclass(frozen=True)
class MotionClip:
    """A motion of the humanoid at constant frame rate."""

    name: str
    fps: float
    qpos: Array
    """(T, 76) as in `Reference`."""
    source: str
    """Where the motion came from, with its licence."""

    def __post_init__(self) -> None:
        qpos = np.asarray(self.qpos, float)
        if qpos.ndim != 2 or qpos.shape[1] != NQ or len(qpos) < 2:
            raise ShapeError("qpos", f"(T >= 2, {NQ})", qpos.shape)
        _finite("qpos", qpos)
        object.__setattr__(self, "qpos", qpos)

    @property
    def duration(self) -> float:
        """Seconds."""
        return (len(self.qpos) - 1) / self.fps


def _array(owner: object, name: str, shape: tuple[int, ...]) -> Array:
    """Coerce the field to a float array of exactly `shape`, all finite."""
    value = np.asarray(getattr(owner, name), float)
    if value.shape != shape:
        raise ShapeError(name, shape, value.shape)
    _finite(name, value)
    object.__setattr__(owner, name, value)
    return value


def _finite(name: str, value: Array) -> None:
    finite = np.isfinite(value)
    if not finite.all():
        raise NonFiniteError(name, int(value.size - finite.sum()))


class Status(enum.Enum):
    """What the live chain is doing."""

    SEARCHING = "searching"
    TRACKING = "tracking"
    STALE = "stale"
    LOST = "lost"
    FALLEN = "fallen"
    RECOVERING = "recovering"
    DIVERGED = "diverged"


@dataclass(frozen=True)
class Transition:
    """From one status to the next."""

    stamp_ns: int
    """Of the first state that was told with the new status."""
    before: Status
    after: Status
    reason: str
    """For a person to read."""


@dataclass(frozen=True)
class Estimate:
    """What one control step tells the world."""

    state: HumanoidState
    reference: Reference
    """What the policy was asked for."""
    status: Status
    reason: str
    """Why this status, for a person to read."""
    stage_ms: dict[str, float]
    counters: dict[str, int]
    """Since start: falls, divergences, reinitialisations, losses, recoveries, transitions, unliftable rays."""
    scale: float = 1.0
    """Humanoid height / person height: positions over it are metres of the person's world."""
    transition: Transition | None = None
    """What led to the status; None: nothing is known of it."""
