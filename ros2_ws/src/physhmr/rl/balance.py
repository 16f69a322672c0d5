"""Where a moving body is about to come to rest: the earliest sign that it topples.

A body on its feet falls like an inverted pendulum. What grows in a fall is not its centre of mass but the extrapolated
one, xi = c + c' / omega with omega = sqrt(g / height) (Hof et al. 2005; "capture point" in robotics): who has it over
their feet can stop. Body distances tell of a fall a second after it can be seen here.
"""

from __future__ import annotations

import torch
from torch import Tensor

from physhmr.body.humanoid_mjcf import FOOT_BODIES, mass_centers
from physhmr.body.skeleton import BODY_INDEX, Skeleton
from physhmr.geometry.gravity import STANDARD
from physhmr.policy.kinematics import BodyMotion, rotate

LOWEST = 0.3
"""m; a centre of mass below it is not balanced any more."""
FEET = [BODY_INDEX[body] for body in FOOT_BODIES]


class Balance:
    """The extrapolated centre of mass of a skeleton, seen from its feet."""

    def __init__(self, skeleton: Skeleton) -> None:
        self._centers = torch.tensor(mass_centers(skeleton), dtype=torch.float32)
        masses = torch.tensor(skeleton.masses, dtype=torch.float32)
        self._shares = (masses / masses.sum())[:, None]

    def center_of_mass(self, body: BodyMotion) -> tuple[Tensor, Tensor]:
        """(N, 3) m and (N, 3) m/s, in the world."""
        arm = rotate(body.rot, self._centers)
        velocity = body.linvel + torch.linalg.cross(body.angvel, arm)
        return (self._shares * (body.pos + arm)).sum(1), (self._shares * velocity).sum(1)

    def __call__(self, body: BodyMotion) -> Tensor:
        """(N, 2) m from the middle of both feet, along the floor."""
        center, velocity = self.center_of_mass(body)
        middle = body.pos[:, FEET].mean(1)
        height = (center - middle)[:, 2:].clamp_min(LOWEST)
        return (center - middle)[:, :2] + velocity[:, :2] * torch.sqrt(height / STANDARD)
