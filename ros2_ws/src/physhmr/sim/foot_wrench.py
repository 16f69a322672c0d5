"""The floor's push on each foot, as a sensor between shin and foot would feel it."""

from __future__ import annotations

import numpy as np

from physhmr.body.skeleton import BODY_INDEX
from physhmr.types import Array, HumanoidState

FEET = ("L_Ankle", "R_Ankle")
"""Bodies whose frames the wrenches are given in; a foot's toes count with it."""
_ANKLES = [BODY_INDEX[name] for name in FEET]
_FOOT_OF = {name: foot for foot, side in enumerate("LR") for name in (f"{side}_Ankle", f"{side}_Toe")}


def foot_wrenches(state: HumanoidState, ankle_rot_w: Array) -> Array:
    """Return (2, 6): force N and torque N m about the ankle on left and right foot, in the ankle's axes.

    `ankle_rot_w` is (2, 3, 3), the orientation of `FEET` that `state` has as quaternions.
    """
    wrench_w = np.zeros((2, 2, 3))
    for contact in state.contacts:
        foot = _FOOT_OF[contact.body]
        wrench_w[foot, 0] += contact.force_w
        wrench_w[foot, 1] += contact.torque_w
        if contact.body not in FEET:
            lever = state.body_pos_w[BODY_INDEX[contact.body]] - state.body_pos_w[_ANKLES[foot]]
            wrench_w[foot, 1] += _cross(lever, contact.force_w)
    return (wrench_w @ ankle_rot_w).reshape(2, 6)


def _cross(a: Array, b: Array) -> list[float]:
    """A tenth of np.cross's time for two vectors (3,)."""
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx]
