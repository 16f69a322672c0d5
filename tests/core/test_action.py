"""PD targets: the stated lag is the compiled one, and the law does what its equation says."""

from __future__ import annotations

import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import build_model
from physhmr.body.skeleton import Skeleton
from physhmr.policy.action import DAMPING_TIME, RESIDUAL_SCALE, residual_target


def test_damping_time_is_the_compiled_one() -> None:
    model = build_model()
    kp, kd = model.actuator_gainprm[:, 0], -model.actuator_biasprm[:, 2]
    np.testing.assert_allclose(kd / kp, DAMPING_TIME, rtol=1e-12)


def test_without_correction_or_motion_the_target_is_the_reference() -> None:
    reference = np.random.default_rng(0).normal(size=(3, 69))
    np.testing.assert_array_equal(residual_target(np.zeros((3, 69)), reference, np.zeros((3, 69))), reference)


def test_one_unit_of_action_is_the_scale() -> None:
    zero = np.zeros((2, 69))
    np.testing.assert_allclose(residual_target(np.ones((2, 69)), zero, zero), RESIDUAL_SCALE)


def test_rate_term_cancels_the_pd_laws_lag() -> None:
    """tau = kp (target - q) - kd qd is zero on a reference that is followed exactly, however fast it moves."""
    rng, (kp, kd, _) = np.random.default_rng(1), Skeleton().gains.T
    angle, rate = rng.normal(size=69), rng.normal(size=69)
    target = residual_target(np.zeros(69), angle, rate)
    np.testing.assert_allclose(kp * (target - angle) - kd * rate, 0.0, atol=1e-9)


def test_arrays_and_tensors_agree() -> None:
    torch = pytest.importorskip("torch")
    rows = np.random.default_rng(2).normal(size=(3, 4, 69))
    np.testing.assert_allclose(residual_target(*torch.tensor(rows)).numpy(), residual_target(*rows), rtol=1e-12)
