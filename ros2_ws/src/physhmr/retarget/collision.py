"""Distances between a robot's own parts, as rows of a QP and as a check afterwards."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from physhmr.errors import UnknownNameError
from physhmr.retarget.geom_points import collides
from physhmr.retarget.robot import Robot, ancestors
from physhmr.retarget.roles import SIDES
from physhmr.types import Array

MARGIN = 0.006
"""m that the QP keeps between two parts."""
CUTOFF = 0.06
"""m; parts farther apart are not looked at."""
CLOSING = 0.7
"""Share of the room above the margin that one step may use up."""


class SelfCollision:
    """All pairs of shapes on different limbs that are apart while the robot stands."""

    def __init__(self, robot: Robot) -> None:
        """Raises `UnknownNameError` when the robot's file ignores a link that does not exist."""
        self._model = robot.model
        self.pairs = _pairs(robot)
        """(P, 2) geoms."""
        self._reach = robot.model.geom_rbound[self.pairs].sum(1) if len(self.pairs) else np.zeros(0)
        self._fromto, self._jac = np.zeros(6), np.zeros((2, 3, robot.model.nv))

    def rows(self, placed: mujoco.MjData) -> tuple[Array, Array]:
        """G (R, nv) and lower bounds (R,) with G dq >= lower, for the pairs that are near."""
        G, distances = self.gradients(placed)
        return G, -CLOSING * (distances - MARGIN)

    def gradients(self, placed: mujoco.MjData) -> tuple[Array, Array]:
        """(R, nv) how the distances (R,) m of the pairs that are near change; Jacobians need `mj_comPos`."""
        G, distances = [], []
        for first, second in self._near(placed):
            distance = self._distance(placed, first, second)
            span = self._fromto[3:] - self._fromto[:3]
            length = float(np.linalg.norm(span))
            # Touching exactly there is no direction; with the margin kept it does not happen.
            if distance >= CUTOFF or length < 1e-9:
                continue
            for side, (geom, point) in enumerate(((first, self._fromto[:3]), (second, self._fromto[3:]))):
                mujoco.mj_jac(self._model, placed, self._jac[side], None, point, self._model.geom_bodyid[geom])
            G.append(np.sign(distance) * span / length @ (self._jac[1] - self._jac[0]))
            distances.append(distance)
        return np.array(G).reshape(-1, self._model.nv), np.array(distances)

    def smallest(self, placed: mujoco.MjData, cutoff: float = CUTOFF) -> float:
        """m, the smallest distance of all pairs, at most `cutoff`; negative when parts overlap."""
        return min((self._distance(placed, a, b, cutoff) for a, b in self._near(placed, cutoff)), default=cutoff)

    def _near(self, placed: mujoco.MjData, cutoff: float = CUTOFF) -> list[list[int]]:
        """Pairs whose bounding spheres are within the cutoff."""
        centers = placed.geom_xpos[self.pairs]
        gap = np.linalg.norm(centers[:, 0] - centers[:, 1], axis=-1) - self._reach
        return self.pairs[gap < cutoff].tolist()

    def _distance(self, placed: mujoco.MjData, first: int, second: int, cutoff: float = CUTOFF) -> float:
        return float(mujoco.mj_geomDistance(self._model, placed, first, second, cutoff, self._fromto))


def _pairs(robot: Robot) -> NDArray[np.int64]:
    """Pairs on different limbs, not neighbours in the tree, not ignored, and apart while standing."""
    model, placed, fromto = robot.model, robot.placed(robot.stand), np.zeros(6)
    limb, ignored = _limbs(robot), _ignored(robot)
    geoms, found = collides(model), []
    for place, first in enumerate(geoms):
        for second in geoms[place + 1 :]:
            a, b = int(model.geom_bodyid[first]), int(model.geom_bodyid[second])
            if not a or not b or limb[a] == limb[b] or _neighbours(model, a, b) or frozenset((a, b)) in ignored:
                continue
            if mujoco.mj_geomDistance(model, placed, first, second, 1.0, fromto) > MARGIN:
                found.append((first, second))
    return np.array(found, np.int64).reshape(-1, 2)


def _limbs(robot: Robot) -> list[int]:
    """The limb of each body: the first body of its chain that is not on the way to another limb; 0 for the trunk."""
    model = robot.model
    ends = [
        robot.body[role]
        for role in ("head", *(f"{s}_{p}" for s in SIDES for p in ("hand", "foot")))
        if role in robot.body
    ]
    chains = [ancestors(model, end) for end in ends]
    trunk = {body for body in range(model.nbody) if sum(body in chain for chain in chains) > 1}
    limbs = []
    for body in range(model.nbody):
        outside = [above for above in ancestors(model, body) if above not in trunk]
        limbs.append(outside[-1] if outside else 0)
    return limbs


def _neighbours(model: mujoco.MjModel, a: int, b: int) -> bool:
    """Parent and child, or one body apart: their shapes meet at the joint by design."""
    up, other = ancestors(model, a), ancestors(model, b)
    return b in up[:3] or a in other[:3]


def _ignored(robot: Robot) -> set[frozenset[int]]:
    model = robot.model
    names = {model.body(index).name: index for index in range(model.nbody)}
    for link in (link for pair in robot.cfg.ignore for link in pair):
        if link not in names:
            raise UnknownNameError(f"link ignored by robot '{robot.cfg.name}'", link, names)
    excluded = {frozenset((int(s) >> 16, int(s) & 0xFFFF)) for s in model.exclude_signature}
    return excluded | {frozenset((names[a], names[b])) for a, b in robot.cfg.ignore}
