"""What retargeting wants to know of the human: bodies in the world, and which parts of the feet stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physhmr.body.humanoid_mjcf import FOOT_BODIES
from physhmr.body.kinematics import forward_kinematics
from physhmr.body.points import place_points
from physhmr.body.skeleton import Skeleton
from physhmr.body.soles import sole_corners
from physhmr.errors import NonFiniteError, ShapeError
from physhmr.geometry.rotation import quat_to_matrix
from physhmr.types import NUM_BODIES, Array, HumanoidState, MotionClip

CONTACT_FORCE = 15.0
"""N upwards on a part of a foot, above which it stands."""
NEAR_FLOOR = 0.025
"""m; without contact forces, a part of a foot stands when it is lower and"""
STILL = 0.25
"""m/s, slower than this."""


@dataclass(frozen=True)
class HumanFrame:
    """The human at one instant."""

    stamp_ns: int
    pos_w: Array
    """(24, 3) m, joints in MuJoCo order."""
    rot_w: Array
    """(24, 3, 3)."""
    contact: NDArray[np.bool_]
    """(2, 2): left and right foot; heel and toe stand on the floor."""

    def __post_init__(self) -> None:
        for name, shape in (("pos_w", (NUM_BODIES, 3)), ("rot_w", (NUM_BODIES, 3, 3)), ("contact", (2, 2))):
            value = np.asarray(getattr(self, name))
            if value.shape != shape:
                raise ShapeError(name, shape, value.shape)
            bad = int((~np.isfinite(value)).sum())
            if bad:
                raise NonFiniteError(name, bad)
            object.__setattr__(self, name, value)


def human_from_state(state: HumanoidState) -> HumanFrame:
    """The simulated humanoid with its simulated contacts."""
    contact = standing_parts({contact.body: float(contact.force_w[2]) for contact in state.contacts})
    return HumanFrame(state.stamp_ns, state.body_pos_w, quat_to_matrix(state.body_quat_w), contact)


def standing_parts(push: Mapping[str, float]) -> NDArray[np.bool_]:
    """(2, 2) as in `HumanFrame.contact`, from the floor's push on each body that it touches, N upwards."""
    return np.array([push.get(body, 0.0) > CONTACT_FORCE for body in FOOT_BODIES]).reshape(2, 2)


def human_from_clip(clip: MotionClip, skeleton: Skeleton) -> list[HumanFrame]:
    """The frames of a clip, which has no forces: what is near the floor and still stands."""
    pos, rot = forward_kinematics(clip.qpos, skeleton)
    contact = guess_contact(pos, rot, clip.fps, skeleton)
    stamps = np.round(np.arange(len(pos)) * 1e9 / clip.fps).astype(np.int64).tolist()
    return [HumanFrame(*frame) for frame in zip(stamps, pos, rot, contact, strict=True)]


def facing_forward(human: HumanFrame) -> HumanFrame:
    """The same pose seen from the pelvis' heading, pelvis at the origin."""
    x, y = human.rot_w[0, :2, 0]
    length = max(float(np.hypot(x, y)), 1e-6)
    turn = np.array([[x, y, 0.0], [-y, x, 0.0], [0.0, 0.0, length]]) / length
    return HumanFrame(human.stamp_ns, (human.pos_w - human.pos_w[0]) @ turn.T, turn @ human.rot_w, human.contact)


def guess_contact(pos: Array, rot: Array, fps: float, skeleton: Skeleton) -> NDArray[np.bool_]:
    """(T, 2, 2) from bodies (T, 24, 3) m and (T, 24, 3, 3): heel and toe of left and right foot stand."""
    parts = place_points(sole_corners(skeleton), pos, rot).reshape(len(pos), 2, 2, 4, 3)
    low = parts[..., 2].min(-1) < NEAR_FLOOR
    speed = np.linalg.norm(np.gradient(parts.mean(-2), axis=0)[..., :2], axis=-1) * fps
    return low & (speed < STILL)
