"""When an episode ends early, as pure functions."""

from __future__ import annotations

from torch import Tensor

from physhmr.policy.kinematics import BodyMotion


def mean_body_distance(body: BodyMotion, reference: BodyMotion) -> Tensor:
    """(N,) m, mean over bodies of the distance to the reference."""
    return (body.pos - reference.pos).norm(dim=-1).mean(-1)


def lost_track(body: BodyMotion, reference: BodyMotion, limit: float) -> Tensor:
    """(N,) True where the mean body distance passes `limit` m (0.25 in training, 0.5 for PHC's success)."""
    return mean_body_distance(body, reference) > limit
