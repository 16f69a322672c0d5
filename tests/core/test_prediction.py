"""Carrying a person forward: exact over the floor, with their rays, and never beyond what bodies do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.keypoints import keypoints_of
from physhmr.body.skeleton import HINGE_NAMES, Skeleton
from physhmr.body.soles import on_floor
from physhmr.config import ControlConfig
from physhmr.geometry.rays import ray_residual
from physhmr.geometry.rotation import yaw_of
from physhmr.lifting.prediction import REST, carried_along, predicted
from physhmr.pipeline import TICK_NS, ControlPipeline
from physhmr.types import NUM_KEYPOINTS, NV, Array, Estimate, RayBundle, Reference, Status

SKELETON = Skeleton()
ELBOW = HINGE_NAMES.index("L_Elbow_y")
CAMERA_W = np.array([-3.5, 0.4, 1.3])
STANCE = on_floor(standing_qpos(SKELETON), SKELETON)


def moving(**velocity: float) -> Reference:
    """Who stands, at m/s along x and y, rad/s about z, and rad/s of a hinge of the left elbow."""
    qvel = np.zeros(NV)
    for name, value in velocity.items():
        qvel[{"x": 0, "y": 1, "z": 2, "turn": 5, "hinge": 6 + ELBOW}[name]] = value
    return Reference(0, STANCE, qvel)


def seen(qpos: Array, stamp_ns: int = 0) -> RayBundle:
    points_w = keypoints_of(qpos, SKELETON)
    direction = points_w - CAMERA_W
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return RayBundle(
        stamp_ns, np.tile(CAMERA_W, (NUM_KEYPOINTS, 1)), direction, np.ones(NUM_KEYPOINTS),
        points_w - points_w[6:8].mean(0),
    )  # fmt: skip


def test_no_time_changes_nothing() -> None:
    reference, rays = moving(x=1.0, hinge=2.0), seen(STANCE)
    assert predicted(reference, 0.0, SKELETON) is reference
    assert carried_along(rays, reference, reference, SKELETON) is rays


@given(st.floats(0.001, 0.3), st.floats(-2.0, 2.0), st.floats(-2.0, 2.0))
def test_a_walk_of_constant_velocity_is_predicted_exactly(seconds: float, x: float, y: float) -> None:
    reference = moving(x=x, y=y)
    later = predicted(reference, seconds, SKELETON)
    np.testing.assert_allclose(later.qpos[:2] - STANCE[:2], [seconds * x, seconds * y], atol=1e-12)
    np.testing.assert_allclose(later.qpos[2:], STANCE[2:], atol=1e-12)
    np.testing.assert_array_equal(later.qvel, reference.qvel)
    assert later.stamp_ns == round(1e9 * seconds)


@given(st.floats(-2.0, 2.0), st.floats(-3.0, 3.0))
def test_limbs_and_turns_go_on_as_they_began_and_are_braked(turn: float, hinge: float) -> None:
    begun, ended = (predicted(moving(turn=turn, hinge=hinge), by, SKELETON).qpos for by in (1e-4, 10.0))
    for qpos, seconds in ((begun, 1e-4), (ended, REST)):
        assert qpos[7 + ELBOW] - STANCE[7 + ELBOW] == pytest.approx(seconds * hinge, rel=1e-3, abs=1e-12)
        assert yaw_of(qpos[3:7]) - yaw_of(STANCE[3:7]) == pytest.approx(seconds * turn, rel=1e-3, abs=1e-9)


def test_nobody_bends_further_than_joints_do() -> None:
    later = predicted(moving(hinge=100.0), 0.3, SKELETON)
    assert later.qpos[7 + ELBOW] == SKELETON.ranges[ELBOW, 1]


def test_rays_that_are_carried_along_miss_the_later_pose_as_they_missed_the_one_before() -> None:
    before, rays = moving(x=1.5, y=-0.5, hinge=3.0), seen(STANCE + np.r_[0.05, -0.03, np.zeros(74)])
    after = predicted(before, 0.2, SKELETON)
    carried = carried_along(rays, before, after, SKELETON)
    missed = [
        ray_residual(one.origin_w, one.dir_w, keypoints_of(pose.qpos, SKELETON))
        for one, pose in ((rays, before), (carried, after))
    ]
    assert np.linalg.norm(missed[0], axis=1).max() > 0.02
    np.testing.assert_allclose(missed[1], missed[0], atol=1e-12)


def glide(control: ControlPipeline, ahead_ns: int, steps: int = 40) -> list[Estimate]:
    """Somebody who glides sideways at 0.3 m/s without moving a limb."""
    estimates = []
    for k in range(steps):
        qpos = STANCE.copy()
        qpos[1] += 0.01 * k
        estimates.append(control.step(k * TICK_NS, seen(qpos, k * TICK_NS), ahead_ns))
    return estimates


def test_the_state_is_told_for_later_and_followed_there() -> None:
    """The solver's velocities are those of its poses, so that the two can be compared."""
    config = ControlConfig(policy="two_stage", lifting="solver")
    now, later = (glide(ControlPipeline(config), ahead_ns) for ahead_ns in (0, 6 * TICK_NS))
    assert [one.state.stamp_ns for one in later] == [one.state.stamp_ns + 6 * TICK_NS for one in now]
    assert later[-1].transition is not None and later[-1].transition.stamp_ns in {o.state.stamp_ns for o in later}
    ahead = [two.reference.qpos[1] - one.reference.qpos[1] for one, two in zip(now[20:], later[20:], strict=True)]
    assert np.mean(ahead) == pytest.approx(0.06, abs=0.02)
    # How old the images are decides who is lost, not for when the state is told.
    assert {one.status for one in later[15:]} == {Status.TRACKING}


def test_a_run_that_is_predicted_is_repeated_bit_for_bit() -> None:
    one, other = (glide(ControlPipeline(ControlConfig()), 4 * TICK_NS, 20) for _ in range(2))
    assert all(np.array_equal(a.state.qpos, b.state.qpos) for a, b in zip(one, other, strict=True))


def test_the_frame_clock_predicts_nothing_whatever_is_allowed() -> None:
    told = []
    for predict in (0.0, 0.3):
        control = ControlPipeline(ControlConfig(clock="frame", predict=predict))
        told.append([control.advance(k * TICK_NS, seen(STANCE, k * TICK_NS)) for k in range(15)])
    for one, other in zip(*told, strict=True):
        assert one is not None and other is not None
        assert one.state.stamp_ns == other.state.stamp_ns
        np.testing.assert_array_equal(one.state.qpos, other.state.qpos)


def test_what_would_end_beyond_all_numbers_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    control = ControlPipeline(ControlConfig(policy="two_stage", lifting="solver"))
    glide(control, TICK_NS, 20)
    qvel = np.zeros(NV)
    qvel[0] = 1e308
    with monkeypatch.context() as patch:
        patch.setattr(control._lifter, "step", lambda rays: Reference(rays.stamp_ns, STANCE, qvel))
        spoilt = [control.step(k * TICK_NS, seen(STANCE, k * TICK_NS), 10**11) for k in range(20, 25)]
    assert spoilt[-1].counters["unliftable"] == 5
    assert all(np.isfinite(one.state.qpos).all() and np.isfinite(one.reference.qpos).all() for one in spoilt)
