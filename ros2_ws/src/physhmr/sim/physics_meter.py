"""What the simulation knows of how the humanoid stands: wrenches on the feet, balance, sliding, penetration."""

from __future__ import annotations

import mujoco
import numpy as np

from physhmr.body.humanoid_mjcf import FOOT_BODIES
from physhmr.body.skeleton import Skeleton
from physhmr.body.soles import sole_corners
from physhmr.sim.foot_wrench import FEET, foot_wrenches
from physhmr.sim.support import support_polygon
from physhmr.types import Array, HumanoidState, Physics

TOUCH = 1e-3
"""m: a sole corner below this height is on the floor. The evaluation knows no forces and takes 20 mm."""
_MM = 1000.0


class PhysicsMeter:
    """Reads one simulation from time to time, best after every control step."""

    def __init__(self, model: mujoco.MjModel, skeleton: Skeleton) -> None:
        """`model` is that of `skeleton`."""
        self._feet = [model.body(name).id for name in FEET]
        self._soles = [model.body(name).id for name in FOOT_BODIES]
        self._floor = model.geom("floor").id
        self._corners_b = np.array([corner.offset_b for corner in sole_corners(skeleton)]).reshape(-1, 4, 3)
        self._before: Array | None = None

    def reset(self) -> None:
        """Forget where the feet were: the next reading tells of no sliding."""
        self._before = None

    def read(self, sim: mujoco.MjData, state: HumanoidState, steps: int) -> Physics:
        """Return what holds for `state`, which is that of `sim`, `steps` control steps after the last reading."""
        corners, com = self.corners(sim), sim.subtree_com[0].copy()
        skate, standing = (0.0, 0) if self._before is None else sliding(self._before, corners)
        self._before = corners
        support, margin = support_polygon(self._floor_points(sim), com[:2])
        wrench = foot_wrenches(state, sim.xmat[self._feet].reshape(2, 3, 3))
        depth = max(-_MM * float(corners[:, 2].min()), 0.0)
        return Physics(com, support, margin, wrench, skate / max(steps, 1), standing, depth)

    def corners(self, sim: mujoco.MjData) -> Array:
        """(16, 3) m, the soles' corners in the order of `sole_corners`."""
        rot = sim.xmat[self._soles].reshape(-1, 3, 3)
        return (self._corners_b @ rot.transpose(0, 2, 1) + sim.xpos[self._soles, None]).reshape(-1, 3)

    def _floor_points(self, sim: mujoco.MjData) -> Array:
        """(N, 2) m, where any body touches the floor."""
        if not sim.ncon:
            return np.zeros((0, 2))
        contact = sim.contact
        return contact.pos[(contact.geom == self._floor).any(1), :2]


def sliding(before: Array, after: Array) -> tuple[float, int]:
    """Return how far the sole corners (P, 3) m on the floor at both instants slid, mean in mm, and their number."""
    both = (before[:, 2] < TOUCH) & (after[:, 2] < TOUCH)
    count = int(np.count_nonzero(both))
    if not count:
        return 0.0, 0
    moved = after[both, :2] - before[both, :2]
    return _MM * float(np.hypot(moved[:, 0], moved[:, 1]).mean()), count
