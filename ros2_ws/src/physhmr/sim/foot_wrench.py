"""The floor's push on each foot, as a sensor between shin and foot would feel it."""

from __future__ import annotations

import numpy as np

from physhmr.body.skeleton import BODY_INDEX
from physhmr.geometry.rotation import quat_to_matrix
from physhmr.types import Array, HumanoidState

FEET = ("L_Ankle", "R_Ankle")
"""Bodies whose frames the wrenches are given in; a foot's toes count with it."""
_ANKLES = [BODY_INDEX[name] for name in FEET]
_FOOT_OF = {name: foot for foot, side in enumerate("LR") for name in (f"{side}_Ankle", f"{side}_Toe")}


def foot_wrenches(state: HumanoidState) -> tuple[Array, Array]:
    """Return the forces (2, 3) N on left and right foot and the torques (2, 3) N m about the ankle, in its axes."""
    force, torque = np.zeros((2, 3)), np.zeros((2, 3))
    for contact in state.contacts:
        foot = _FOOT_OF[contact.body]
        force[foot] += contact.force_w
        torque[foot] += contact.torque_w
        if contact.body not in FEET:
            lever = state.body_pos_w[BODY_INDEX[contact.body]] - state.body_pos_w[_ANKLES[foot]]
            torque[foot] += _cross(lever, contact.force_w)
    rot = quat_to_matrix(state.body_quat_w[_ANKLES])
    return (force[:, None] @ rot)[:, 0], (torque[:, None] @ rot)[:, 0]


def _cross(a: Array, b: Array) -> list[float]:
    """A tenth of np.cross's time for two vectors (3,)."""
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx]
