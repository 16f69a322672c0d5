"""PD targets: the stated lag is the compiled one, and the law does what its equation says."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from physhmr.body.humanoid_mjcf import build_model  # noqa: E402
from physhmr.body.skeleton import BALANCE_HINGES, HINGE_NAMES, Skeleton  # noqa: E402
from physhmr.policy.action import (  # noqa: E402
    DAMPING_TIME,
    NUM_ACTIONS,
    RESIDUAL_SCALE,
    on_all_hinges,
    residual_target,
)


def test_damping_time_is_the_compiled_one() -> None:
    model = build_model()
    kp, kd = model.actuator_gainprm[:, 0], -model.actuator_biasprm[:, 2]
    np.testing.assert_allclose(kd / kp, DAMPING_TIME, rtol=1e-12)


def test_without_correction_or_motion_the_target_is_the_reference() -> None:
    reference = torch.randn(3, 69)
    torch.testing.assert_close(residual_target(torch.zeros(3, 69), reference, torch.zeros(3, 69)), reference)


def test_each_action_moves_its_own_hinge_by_the_scale() -> None:
    zero = torch.zeros(NUM_ACTIONS, 69)
    moved = residual_target(on_all_hinges(torch.eye(NUM_ACTIONS)), zero, zero)
    expected = torch.zeros(NUM_ACTIONS, 69)
    expected[range(NUM_ACTIONS), BALANCE_HINGES] = RESIDUAL_SCALE
    torch.testing.assert_close(moved, expected)


def test_balance_needs_both_legs_alike() -> None:
    names = {HINGE_NAMES[index] for index in BALANCE_HINGES}
    assert len(names) == NUM_ACTIONS
    assert {name.replace("L_", "R_") for name in names if name.startswith("L_")} < names


def test_rate_term_cancels_the_pd_laws_lag() -> None:
    """tau = kp (target - q) - kd qd is zero on a reference that is followed exactly, however fast it moves."""
    rng, (kp, kd, _) = np.random.default_rng(1), Skeleton().gains.T
    angle, rate = torch.tensor(rng.normal(size=(1, 69))).float(), torch.tensor(rng.normal(size=(1, 69))).float()
    target = residual_target(torch.zeros(1, 69), angle, rate)
    torque = torch.tensor(kp) * (target - angle) - torch.tensor(kd) * rate
    assert torque.abs().max() < 1e-3
