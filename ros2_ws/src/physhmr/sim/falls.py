"""What counts as a fall: relative to what was asked for, so that lying down on purpose is none."""

from __future__ import annotations

import numpy as np

from physhmr.geometry.rotation import quat_to_matrix
from physhmr.types import Array

MAX_SINK = 0.35
"""m, the pelvis below the reference's."""
MAX_TILT = np.radians(60.0)
"""rad, between the pelvis' up axis and the reference's."""


def has_fallen(qpos: Array, qpos_ref: Array) -> bool:
    """True when the pelvis of (76,) `qpos` sank or tipped away from that of `qpos_ref`."""
    up, up_ref = quat_to_matrix(np.stack([qpos[3:7], qpos_ref[3:7]]))[..., 2]
    tilt = np.arccos(np.clip(up @ up_ref, -1.0, 1.0))
    return bool(qpos_ref[2] - qpos[2] > MAX_SINK or tilt > MAX_TILT)
