"""From a policy's raw output to PD targets (works on numpy arrays and torch tensors alike).

target = q_ref + (kd / kp) qd_ref + scale * a: the rate term cancels the lag kd / kp = 0.1 s that a damped
PD law has behind a moving target, the residual is the policy's correction.
"""

from __future__ import annotations

from typing import TypeVar

RESIDUAL_SCALE = 0.4
"""rad per unit of action."""
DAMPING_TIME = 0.1
"""kd / kp of every hinge, s; a test proves it against the compiled gains."""

T = TypeVar("T")


def residual_target(action: T, hinge_ref: T, rate_ref: T) -> T:
    """(..., 69) PD targets, rad, from actions, reference angles (rad) and reference rates (rad/s)."""
    return hinge_ref + DAMPING_TIME * rate_ref + RESIDUAL_SCALE * action  # type: ignore[operator, return-value]
