"""The chain without ROS: it follows, waits, comes back, and never says anything that is not finite."""

from __future__ import annotations

from dataclasses import replace

import mink
import mujoco
import numpy as np
import pytest

from physhmr.approach import LEASH, LOST_LEASH
from physhmr.body.humanoid_mjcf import build_model, standing_qpos
from physhmr.body.skeleton import Skeleton
from physhmr.body.soles import on_floor
from physhmr.config import ControlConfig
from physhmr.errors import ConfigError, DivergedError, ShapeError
from physhmr.geometry.rays import scaled_rays
from physhmr.lifting.lift_task import LiftTask
from physhmr.pipeline import AWAY_STEPS, TICK_NS, ControlPipeline
from physhmr.types import KEYPOINTS, NUM_KEYPOINTS, Array, Estimate, RayBundle, Status

SKELETON = Skeleton()
CAMERA_W = np.array([-3.5, 0.4, 1.3])


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    return build_model()


@pytest.fixture
def control() -> ControlPipeline:
    return ControlPipeline(ControlConfig(clock="frame"))


def standing_rays(model: mujoco.MjModel, stamp_ns: int, place: Array | None = None, person: int = 0) -> RayBundle:
    qpos = on_floor(standing_qpos(SKELETON), SKELETON)
    qpos[:2] += np.zeros(2) if place is None else place
    configuration = mink.Configuration(model)
    configuration.update(qpos)
    points = LiftTask(model, SKELETON).positions(configuration)
    direction = points - CAMERA_W
    hips = points[[KEYPOINTS.index("L_Hip"), KEYPOINTS.index("R_Hip")]].mean(0)
    return RayBundle(
        stamp_ns,
        np.tile(CAMERA_W, (NUM_KEYPOINTS, 1)),
        direction / np.linalg.norm(direction, axis=1, keepdims=True),
        np.ones(NUM_KEYPOINTS),
        points - hips,
        person,
    )


def run(control: ControlPipeline, model: mujoco.MjModel, frames: int, start: int = 0) -> list[Estimate]:
    stamps = [(start + frame) * TICK_NS for frame in range(frames)]
    found = [control.advance(stamp, standing_rays(model, stamp)) for stamp in stamps]
    return [estimate for estimate in found if estimate is not None]


def test_a_standing_person_is_stood_with(control: ControlPipeline, model: mujoco.MjModel) -> None:
    estimates = run(control, model, 60)
    assert len(estimates) == 60
    # Lifting needs a few frames to find a first pose.
    assert all(estimate.status is Status.SEARCHING for estimate in estimates[:2])
    assert all(estimate.status is Status.TRACKING for estimate in estimates[10:])
    assert estimates[-1].counters["falls"] == 0
    assert np.abs(estimates[-1].state.qpos[:3] - estimates[-1].reference.qpos[:3]).max() < 0.15


def test_the_stamp_travels_and_never_goes_back(control: ControlPipeline, model: mujoco.MjModel) -> None:
    stamps = [estimate.state.stamp_ns for estimate in run(control, model, 10)]
    assert stamps == sorted(stamps) and stamps[0] == 0


def test_who_is_taller_moves_the_humanoid_like_who_is_as_tall_as_it(model: mujoco.MjModel) -> None:
    qpos = []
    for person_height in (1.70, 1.90):
        control = ControlPipeline(ControlConfig(clock="frame", person_height=person_height))
        # The same person seen by the same camera, all of it larger.
        seen = [scaled_rays(standing_rays(model, frame * TICK_NS), 1 / control.scale) for frame in range(20)]
        estimates = [control.advance(rays.stamp_ns, rays) for rays in seen]
        assert estimates[-1] is not None
        qpos.append(estimates[-1].reference.qpos)
    np.testing.assert_allclose(qpos[1], qpos[0], atol=1e-6)


@pytest.mark.parametrize("known", [True, False])
def test_how_tall_somebody_is_is_found_where_the_camera_is_known(model: mujoco.MjModel, known: bool) -> None:
    control, size, estimates = ControlPipeline(ControlConfig(clock="frame")), 1.08, []
    for frame in range(240):
        rays = scaled_rays(standing_rays(model, frame * TICK_NS), size)
        estimates.append(control.advance(rays.stamp_ns, replace(rays, camera_known=known)))
    assert all(estimate is not None and not estimate.counters["falls"] for estimate in estimates)
    steps = np.abs(np.diff([estimate.scale for estimate in estimates if estimate is not None]))
    if not known:
        assert control.scale == 1.0
        return
    # About half of the way (`benchmarks/body_height.py`), and never so fast that the humanoid would have to run.
    assert 1.0 - 0.4 * (1.0 - 1.0 / size) > control.scale > 1.0 / size
    assert 0.0 < steps.max() < 0.004


def test_frame_clock_repeats_bit_for_bit(model: mujoco.MjModel) -> None:
    runs = [run(ControlPipeline(ControlConfig(clock="frame")), model, 20) for _ in range(2)]
    assert all(np.array_equal(a.state.qpos, b.state.qpos) for a, b in zip(*runs, strict=True))


def test_frame_clock_simulates_as_much_time_as_passed(control: ControlPipeline, model: mujoco.MjModel) -> None:
    slow = [control.advance(k * 6 * TICK_NS, standing_rays(model, k * 6 * TICK_NS)) for k in range(4)]
    assert all(slow)
    fast = ControlPipeline(ControlConfig(clock="frame"))
    half = [fast.advance(k * TICK_NS // 2, standing_rays(model, k * TICK_NS // 2)) for k in range(21)]
    assert sum(estimate is not None for estimate in half) == 11


def test_between_the_images_of_a_slow_camera_the_reference_goes_on(model: mujoco.MjModel) -> None:
    """A person who glides sideways, seen every third control step, is followed in every one."""
    control, places = ControlPipeline(ControlConfig(policy="two_stage", lifting="solver")), []
    for k in range(60):
        stamp, place = k * TICK_NS, np.array([0.0, 0.004 * k])
        rays = standing_rays(model, stamp, place) if k % 3 == 0 else None
        places.append(control.step(stamp, rays).reference.qpos[1])
    steps = np.diff(places[36:])
    assert steps.mean() == pytest.approx(0.004, abs=0.002)
    assert steps.std() < 0.004


def test_who_is_met_by_a_slow_camera_is_followed_from_the_fourth_image(model: mujoco.MjModel) -> None:
    """Also whoever comes back; the encoder's time goes on between the images, or four would not be enough."""
    control = ControlPipeline(ControlConfig())
    for start in (0, 120):
        steps = range(start, start + 36)
        said = [control.step(k * TICK_NS, standing_rays(model, k * TICK_NS) if k % 6 == 0 else None) for k in steps]
        first = next(index for index, one in enumerate(said) if one.status in (Status.TRACKING, Status.RECOVERING))
        assert first == 18
        lost = [control.step(k * TICK_NS, None) for k in range(start + 36, start + 120)]
        assert lost[-1].status is Status.LOST


def test_with_the_frame_clock_the_newest_of_too_many_images_counts(
    control: ControlPipeline, model: mujoco.MjModel
) -> None:
    """Images at 60 Hz from a camera whose every other image shows somebody elsewhere, and is overtaken."""
    twin = ControlPipeline(ControlConfig(clock="frame"))
    for k in range(40):
        first = k * TICK_NS - TICK_NS // 2 - 1
        if k:
            assert control.advance(first, standing_rays(model, first, np.array([1.0, 0.0]))) is None
        both = [one.advance(k * TICK_NS, standing_rays(model, k * TICK_NS)) for one in (control, twin)]
    assert both[0] is not None and both[1] is not None
    np.testing.assert_array_equal(both[0].state.qpos, both[1].state.qpos)


def test_the_vision_policy_is_not_driven_by_the_solver() -> None:
    with pytest.raises(ConfigError, match="must be encoder with policy vision"):
        ControlPipeline(ControlConfig(policy="vision", lifting="solver"))


def test_lost_person_leads_to_a_stance_and_the_return_is_followed(
    control: ControlPipeline, model: mujoco.MjModel
) -> None:
    run(control, model, 20)
    seen = {control.step((20 + k) * TICK_NS, None).status for k in range(45)}
    assert {Status.TRACKING, Status.STALE, Status.LOST} <= seen
    for k in range(70, 80):
        back = control.step(k * TICK_NS, standing_rays(model, k * TICK_NS))
    assert back.status is Status.TRACKING
    assert back.counters["losses"] == 1


def test_somebody_elsewhere_is_started_beside(control: ControlPipeline, model: mujoco.MjModel) -> None:
    run(control, model, 10)
    for k in range(45):
        control.step((10 + k) * TICK_NS, None)
    before = control.step(56 * TICK_NS, None).counters["reinitialisations"]
    for k in range(57, 67):
        far = control.step(k * TICK_NS, standing_rays(model, k * TICK_NS, np.array([1.5, 0.0])))
    assert far.counters["reinitialisations"] == before + 1
    assert np.linalg.norm(far.state.qpos[:2] - far.reference.qpos[:2]) < LEASH


def test_who_is_suddenly_far_away_is_not_run_after(control: ControlPipeline, model: mujoco.MjModel) -> None:
    """A film that starts again, another person who is taken for the first."""
    before = run(control, model, 10)[-1].counters
    # Lifting takes a sixth of a second, or a little more, to believe that somebody is a metre away.
    for k in range(10, 18 + AWAY_STEPS):
        far = control.step(k * TICK_NS, standing_rays(model, k * TICK_NS, np.array([2.5, 0.0])))
    assert far.counters["reinitialisations"] == before["reinitialisations"] + 1
    assert far.counters["falls"] == before["falls"]
    assert np.linalg.norm(far.state.qpos[:2] - control.goal.qpos[:2]) < LEASH


@pytest.mark.parametrize(("person", "beside"), [(0, False), (1, True)])
def test_another_person_is_started_beside_where_the_same_one_is_walked_to(
    control: ControlPipeline, model: mujoco.MjModel, person: int, beside: bool
) -> None:
    """0.8 m away: near enough to go there on foot, but nobody else's way."""
    before = run(control, model, 20)[-1].counters
    for k in range(20, 30):
        new = control.step(k * TICK_NS, standing_rays(model, k * TICK_NS, np.array([0.8, 0.0]), person))
    assert new.counters["reinitialisations"] - before["reinitialisations"] == beside
    assert (np.linalg.norm(new.state.qpos[:2] - control.goal.qpos[:2]) < LEASH) == beside
    assert new.status is (Status.RECOVERING if beside else Status.TRACKING)


def test_the_same_person_chosen_anew_is_stayed_with(control: ControlPipeline, model: mujoco.MjModel) -> None:
    before = run(control, model, 20)[-1].counters
    stamps = [k * TICK_NS for k in range(20, 60)]
    after = [control.step(stamp, standing_rays(model, stamp, person=1)) for stamp in stamps][-1]
    assert (after.counters["reinitialisations"], after.counters["falls"]) == (before["reinitialisations"], 0)
    assert after.status is Status.TRACKING


def test_a_state_that_always_diverges_is_left(
    control: ControlPipeline, model: mujoco.MjModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(control, model, 12)
    bad, truly = control.state(0).qpos, control._sim.step

    def step(target: Array) -> None:
        if np.array_equal(control.state(0).qpos, bad):
            raise DivergedError("as the test wants")
        truly(target)

    monkeypatch.setattr(control._sim, "step", step)
    assert statuses(control, model, 3, 12) == [Status.DIVERGED, Status.DIVERGED, Status.RECOVERING]
    assert statuses(control, model, 25, 15)[-1] is Status.TRACKING


def test_who_stands_is_measured_to_stand(control: ControlPipeline, model: mujoco.MjModel) -> None:
    run(control, model, 30)
    measured = []
    for step in range(30, 60):
        state = run(control, model, 1, step)[-1].state
        measured.append(control.physics())
        np.testing.assert_allclose(measured[-1].com_w[:2], state.qpos[:2], atol=0.15)
    # Feet that tremble leave the floor for a moment.
    assert np.median([-1.0 if one.support_margin is None else one.support_margin for one in measured]) > 0.0
    assert np.median([one.foot_wrench_b[:, 2].sum() for one in measured]) > 300.0


def test_the_reference_is_never_far_from_the_humanoid(control: ControlPipeline, model: mujoco.MjModel) -> None:
    run(control, model, 10)
    away = standing_rays(model, 11 * TICK_NS, np.array([2.0, 0.0]))
    for k in range(5):
        now = control.state(0).qpos[:2]
        estimate = control.step((11 + k) * TICK_NS, replace(away, stamp_ns=(11 + k) * TICK_NS))
        assert np.linalg.norm(estimate.reference.qpos[:2] - now) <= LEASH + 1e-9
    for k in range(5, 60):
        now = control.state(0).qpos[:2]
        estimate = control.step((11 + k) * TICK_NS, None)
        if estimate.status is Status.LOST:
            assert np.linalg.norm(estimate.reference.qpos[:2] - now) <= LOST_LEASH + 1e-9
    assert estimate.status is Status.LOST


def statuses(control: ControlPipeline, model: mujoco.MjModel, frames: int, start: int) -> list[Status]:
    return [estimate.status for estimate in run(control, model, frames, start)]


def test_after_a_fall_it_stands_beside_the_person_and_recovers_until_it_has_tracked(
    control: ControlPipeline, model: mujoco.MjModel
) -> None:
    run(control, model, 12)
    lying = control.state(0).qpos
    lying[2], lying[3:7] = 0.2, [np.sqrt(0.5), 0.0, np.sqrt(0.5), 0.0]
    control._sim.reset(lying)
    (fallen,) = run(control, model, 1, 12)
    assert fallen.status is Status.FALLEN
    assert fallen.transition is not None and fallen.transition.before is Status.TRACKING
    assert fallen.state.qpos[2] > 0.7 and np.linalg.norm(fallen.state.qpos[:2] - control.goal.qpos[:2]) < LEASH
    after = statuses(control, model, 25, 13)
    assert after[0] is Status.RECOVERING and after[-1] is Status.TRACKING
    assert after == sorted(after, key=[Status.RECOVERING, Status.TRACKING].index)


def test_it_is_set_up_beside_the_person_when_asked(control: ControlPipeline, model: mujoco.MjModel) -> None:
    run(control, model, 12)
    aside = control.state(0).qpos
    aside[1] += 0.25
    control._sim.reset(aside)
    control.set_up()
    np.testing.assert_allclose(control.state(0).qpos[:2], control.goal.qpos[:2], atol=1e-9)
    assert statuses(control, model, 1, 12) == [Status.RECOVERING]


def test_after_a_divergence_it_goes_on_from_the_last_good_state(
    control: ControlPipeline, model: mujoco.MjModel
) -> None:
    run(control, model, 12)
    before = control.state(0).qpos
    control._sim._sim_state.qvel[:] = 1e9
    (diverged,) = run(control, model, 1, 12)
    assert diverged.status is Status.DIVERGED and "last good state" in diverged.reason
    np.testing.assert_array_equal(diverged.state.qpos, before)
    assert statuses(control, model, 1, 13) == [Status.RECOVERING]
    assert statuses(control, model, 25, 14)[-1] is Status.TRACKING


@pytest.mark.parametrize("place", [1e3, 1e6, 1e30, 1e300])
def test_one_absurd_message_is_survived(control: ControlPipeline, model: mujoco.MjModel, place: float) -> None:
    """Finite, but it overflows sooner or later: in the network, the solver or the physics."""
    run(control, model, 20)
    good = standing_rays(model, 20 * TICK_NS)
    origin = good.origin_w.copy()
    origin[1, 2] = place
    control.step(20 * TICK_NS, replace(good, origin_w=origin))
    within_two_seconds = 60
    after = run(control, model, within_two_seconds, 21)
    assert len(after) == within_two_seconds
    assert after[-1].status is Status.TRACKING
    assert np.linalg.norm(after[-1].state.qpos[:2] - after[-1].reference.qpos[:2]) < 2 * LEASH
    assert after[-1].counters["unliftable"] >= 1


def test_rays_that_cannot_be_lifted_cost_no_control_step(
    control: ControlPipeline, model: mujoco.MjModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run(control, model, 20)

    def refuse(rays: RayBundle) -> None:
        raise ShapeError("rays", "as the test wants", "others")

    with monkeypatch.context() as patch:
        patch.setattr(control._lifter, "step", refuse)
        assert {estimate.status for estimate in run(control, model, 40, 20)} >= {Status.STALE, Status.LOST}
    assert "as the test wants" in caplog.text
    assert control.step(60 * TICK_NS, None).counters["unliftable"] == 40
    assert statuses(control, model, 15, 61)[-1] is Status.TRACKING


def test_who_is_suddenly_on_another_floor_is_lost_and_met_again_there(
    control: ControlPipeline, model: mujoco.MjModel, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody jumps off a wall, or is exchanged for a passer-by below: from here on all rays come from 2 m higher."""
    run(control, model, 20)
    goal, below, seen = control.goal.qpos, np.array([0.0, 0.0, 2.0]), []
    caplog.clear()
    for k in range(20, 100):
        rays = standing_rays(model, k * TICK_NS)
        seen.append(control.step(k * TICK_NS, replace(rays, origin_w=rays.origin_w - below)))
    lost = next(estimate for estimate in seen if estimate.status is Status.LOST)
    assert "from where anyone on the floor could be" in lost.reason and lost.counters["unliftable"] > 20
    assert sum("is the camera's pose right?" in record.message for record in caplog.records) <= 2
    # They stand there as well as anywhere, on a floor that is 2 m lower, and the humanoid on its own.
    assert seen[-1].status is Status.TRACKING and seen[-1].counters["falls"] == 0
    assert abs(control.goal.qpos[2] - goal[2]) < 0.1


def test_wild_rays_never_lead_to_anything_not_finite(control: ControlPipeline, model: mujoco.MjModel) -> None:
    rng = np.random.default_rng(0)
    for k in range(40):
        rays = standing_rays(model, k * TICK_NS)
        noisy = rays.dir_w + rng.normal(0, 0.4, rays.dir_w.shape)
        noisy /= np.linalg.norm(noisy, axis=1, keepdims=True)
        landmarks = rays.landmarks_w + rng.normal(0, 0.5, rays.landmarks_w.shape)
        estimate = control.step(k * TICK_NS, replace(rays, dir_w=noisy, landmarks_w=landmarks))
        for value in (estimate.state.qpos, estimate.state.qvel, estimate.state.torque, estimate.reference.qpos):
            assert np.isfinite(value).all()
