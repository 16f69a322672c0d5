"""What counts as a fall: relative to what was asked for, so that lying down on purpose is none."""

from __future__ import annotations

import numpy as np

from physhmr.geometry.rotation import up_axis
from physhmr.types import Array

MAX_SINK = 0.35
"""m, the pelvis below the reference's."""
MAX_TILT = np.radians(60.0)
"""rad, between the pelvis' up axis and the reference's."""


def has_fallen(qpos: Array, qpos_ref: Array) -> bool:
    """True when the pelvis of (76,) `qpos` sank or tipped away from that of `qpos_ref`."""
    upright = float(up_axis(qpos[3:7]) @ up_axis(qpos_ref[3:7]))
    return bool(qpos_ref[2] - qpos[2] > MAX_SINK or upright < np.cos(MAX_TILT))
