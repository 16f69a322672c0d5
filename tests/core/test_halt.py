"""A reference comes to rest: where, how, and with velocities that are its own."""

from __future__ import annotations

import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import CONTROL_HZ, standing_qpos
from physhmr.body.skeleton import Skeleton
from physhmr.body.soles import corner_positions
from physhmr.body.tangent import pose_difference
from physhmr.geometry.rotation import quat_multiply, rotvec_to_quat, yaw_of, yaw_quat
from physhmr.halt import KEPT, LEANING, can_wait, halting, halting_motion, lean, moderated
from physhmr.types import NV, Reference

SKELETON = Skeleton()


def striding(speed: float) -> Reference:
    """In the middle of a step, leaning, along y."""
    qpos, qvel = standing_qpos(SKELETON), np.zeros(NV)
    qpos[:2] = 3.0, -1.0
    qpos[3:7] = rotvec_to_quat(np.array([0.1, 0.05, 1.2]))
    qpos[7:] += 0.3 * np.sin(np.arange(69))
    qvel[1] = speed
    return Reference(7, qpos, qvel)


@pytest.mark.parametrize("speed", [0.0, 1.2])
def test_it_ends_standing_as_far_on_as_the_speed_carries(speed: float) -> None:
    first = reference = striding(speed)
    for _ in range(150):
        reference = halting(reference, SKELETON)
    stance = standing_qpos(SKELETON)
    np.testing.assert_allclose(reference.qpos[7:], stance[7:], atol=1e-4)
    assert yaw_of(reference.qpos[3:7]) == pytest.approx(yaw_of(first.qpos[3:7]), abs=1e-3)
    np.testing.assert_allclose(reference.qvel, 0.0, atol=1e-3)
    way = KEPT * speed / CONTROL_HZ / (1.0 - KEPT)
    np.testing.assert_allclose(reference.qpos[:2] - first.qpos[:2], [0.0, way], atol=1e-3)


def test_who_stops_can_wait() -> None:
    reference = striding(1.2)
    assert not can_wait(reference) and can_wait(striding(0.1))
    for _ in range(40):
        reference = halting(reference, SKELETON)
    assert can_wait(reference)


@pytest.mark.parametrize("axis", [(1.0, 0.0, 0.0), (0.6, 0.8, 0.0)])
@pytest.mark.parametrize("heading", [0.0, 2.0])
def test_who_leans_too_far_cannot_wait(axis: tuple[float, ...], heading: float) -> None:
    reference = striding(0.0)
    for tilt in (0.0, 0.9 * LEANING, 1.1 * LEANING, 3.0):
        reference.qpos[3:7] = quat_multiply(yaw_quat(np.array(heading)), rotvec_to_quat(tilt * np.array(axis)))
        assert can_wait(reference) == (tilt < LEANING)


@pytest.mark.parametrize("tilt", [0.0, 0.9 * LEANING, 1.5 * LEANING, 2.5, np.pi])
def test_who_bows_low_is_followed_as_far_as_anybody_learned(tilt: float) -> None:
    bowing = striding(0.5)
    bowing.qpos[3:7] = quat_multiply(yaw_quat(np.array(2.0)), rotvec_to_quat(np.array([0.0, tilt, 0.0])))
    told, share = moderated(bowing, SKELETON), min(1.0, LEANING / max(tilt, 1e-9))
    assert lean(told) == pytest.approx(min(tilt, LEANING))
    assert tilt == np.pi or yaw_of(told.qpos[3:7]) == pytest.approx(2.0)
    stance = standing_qpos(SKELETON)[7:]
    np.testing.assert_allclose(told.qpos[7:], stance + share * (bowing.qpos[7:] - stance))
    np.testing.assert_array_equal(told.qvel[:2], bowing.qvel[:2])
    if share < 1.0:
        assert corner_positions(told.qpos, SKELETON)[..., 2].min() == pytest.approx(0.0, abs=1e-9)
    else:
        assert told is bowing


def test_its_velocity_is_what_it_moves_by() -> None:
    before = striding(0.8)
    after = halting(before, SKELETON)
    np.testing.assert_allclose(after.qvel, CONTROL_HZ * pose_difference(before.qpos, after.qpos), atol=1e-9)
    assert after.stamp_ns == before.stamp_ns


def test_many_come_to_a_halt_as_one_does() -> None:
    many = [striding(0.8), striding(0.0), halting(striding(1.5), SKELETON)]
    together = halting_motion(np.stack([one.qpos for one in many]), np.stack([one.qvel for one in many]), SKELETON)
    for index, one in enumerate(many):
        after = halting(one, SKELETON)
        np.testing.assert_allclose(together[0][index], after.qpos, atol=1e-12)
        np.testing.assert_allclose(together[1][index], after.qvel, atol=1e-9)
