"""What retargeting asks of a robot at one instant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from physhmr.errors import NonFiniteError, ShapeError
from physhmr.types import Array


@dataclass(frozen=True)
class RobotTarget:
    """A pose of the robot, with how it moves and whether it is what was wanted."""

    stamp_ns: int
    """Of the human's pose."""
    q: Array
    """(7 + J,) root position m, root quaternion wxyz, joints rad."""
    qvel: Array
    """(6 + J,) root velocity (world) m/s, root angular velocity (body) rad/s, joints rad/s."""
    pinned: NDArray[np.bool_]
    """(2, 4) corners of left and right sole that stand."""
    reason: str = ""
    """Why the pose is not what was wanted, for a person to read; empty: it is feasible."""

    def __post_init__(self) -> None:
        for name in ("q", "qvel"):
            value = np.asarray(getattr(self, name), float)
            bad = int((~np.isfinite(value)).sum())
            if bad:
                raise NonFiniteError(name, bad)
            object.__setattr__(self, name, value)
        if len(self.q) != len(self.qvel) + 1 or len(self.q) < 8:
            raise ShapeError("q", f"({len(self.qvel) + 1},) for qvel of {len(self.qvel)}", self.q.shape)

    def only(self, joints: Sequence[int]) -> RobotTarget:
        """The same target for some of the joints, by their indices."""
        q, qvel = [*range(7), *(7 + j for j in joints)], [*range(6), *(6 + j for j in joints)]
        return replace(self, q=self.q[q], qvel=self.qvel[qvel])

    @property
    def feasible(self) -> bool:
        """The robot can do what the human does."""
        return not self.reason

    @property
    def joints(self) -> Array:
        """(J,) rad."""
        return self.q[7:]

    @property
    def joint_velocities(self) -> Array:
        """(J,) rad/s."""
        return self.qvel[6:]
