"""Lifting recovers poses from rays, causally, whatever the person's size, and heals from a wrong start."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import mink
import mujoco
import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import build_model, standing_qpos
from physhmr.body.skeleton import BODY_INDEX, Skeleton
from physhmr.body.soles import on_floor
from physhmr.geometry.rays import scaled_rays
from physhmr.geometry.rotation import quat_multiply, yaw_of, yaw_quat
from physhmr.lifting.lift_task import LiftTask
from physhmr.lifting.lifter import CausalLifter, LifterCfg
from physhmr.types import KEYPOINTS, NUM_KEYPOINTS, Array, RayBundle, Reference

SKELETON = Skeleton()
CAMERA_W = np.array([-3.5, 0.4, 1.3])
TICK_NS = 33_333_333


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    return build_model()


def keypoints_of(model: mujoco.MjModel, qpos: Array) -> Array:
    configuration = mink.Configuration(model)
    configuration.update(qpos)
    return LiftTask(model, SKELETON).positions(configuration)


def bundle(points_w: Array, stamp_ns: int, origin_w: Array = CAMERA_W) -> RayBundle:
    direction = points_w - origin_w
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    hips = [KEYPOINTS.index("L_Hip"), KEYPOINTS.index("R_Hip")]
    return RayBundle(
        stamp_ns,
        np.tile(origin_w, (NUM_KEYPOINTS, 1)),
        direction,
        np.ones(NUM_KEYPOINTS),
        points_w - points_w[hips].mean(0),
    )


def follow(rays: Iterable[RayBundle], lifter: CausalLifter | None = None) -> Reference:
    """The reference for the last of `rays`."""
    lifter = lifter or CausalLifter(SKELETON)
    for bundle_ in rays:
        reference = lifter.step(bundle_)
    assert reference is not None
    return reference


def lasting(rays: RayBundle, frames: int) -> list[RayBundle]:
    """The same view for `frames` frames."""
    return [replace(rays, stamp_ns=frame * TICK_NS) for frame in range(frames)]


def gesture(time: float) -> Array:
    """A stance with swinging arms and a little turn."""
    qpos = standing_qpos(SKELETON)
    qpos[7 + 3 * (BODY_INDEX["L_Shoulder"] - 1)] = -1.2 + 0.6 * np.sin(2 * time)
    qpos[7 + 3 * (BODY_INDEX["R_Elbow"] - 1) + 2] = 0.8 + 0.4 * np.sin(3 * time)
    qpos[3:7] = yaw_quat(np.array(np.pi + 0.2 * np.sin(time)))
    return qpos


def test_jacobian_is_the_derivative_of_the_error(model: mujoco.MjModel) -> None:
    task, configuration = LiftTask(model, SKELETON), mink.Configuration(model)
    task.set_rays(bundle(keypoints_of(model, gesture(0.3)), 0))
    configuration.update(gesture(1.0))
    jacobian, error, step = task.compute_jacobian(configuration), task.compute_error(configuration), 1e-6
    for dof in range(0, 75, 4):
        moved = mink.Configuration(model)
        moved.update(configuration.integrate(np.eye(75)[dof], step))
        numeric = (task.compute_error(moved) - error) / step
        # Trunk "bones" span several bodies; their length is held constant in the Jacobian by design.
        rigid = np.r_[0 : 3 * NUM_KEYPOINTS, len(error) - 18 : len(error)]
        assert np.allclose(numeric[rigid], jacobian[rigid, dof], atol=1e-4)


def test_perfect_rays_give_the_pose_in_metres(model: mujoco.MjModel) -> None:
    poses = [gesture(frame / 30) for frame in range(30)]
    reference = follow(bundle(keypoints_of(model, pose), frame * TICK_NS) for frame, pose in enumerate(poses))
    qpos = poses[-1]
    error = np.linalg.norm(keypoints_of(model, reference.qpos) - keypoints_of(model, qpos), axis=1)
    assert error.mean() < 0.03
    assert np.linalg.norm(reference.qpos[:3] - qpos[:3]) < 0.03


def test_the_future_does_not_change_the_past(model: mujoco.MjModel) -> None:
    one, other = CausalLifter(SKELETON), CausalLifter(SKELETON)
    frames = [bundle(keypoints_of(model, gesture(k / 30)), k * TICK_NS) for k in range(10)]
    past = [one.step(frame) for frame in frames]
    for frame, known in zip(frames[:-2], past, strict=False):
        again = other.step(frame)
        assert (again is None) == (known is None)
        assert again is None or known is None or np.array_equal(again.qpos, known.qpos)
    assert past[-3] is not None


def test_a_taller_person_gives_the_same_pose_in_the_scaled_world(model: mujoco.MjModel) -> None:
    points, scale = keypoints_of(model, gesture(0.0)), 1.70 / 1.90
    same = follow(lasting(bundle(points, 0), 6))
    tall = follow(lasting(scaled_rays(bundle(points / scale, 0, CAMERA_W / scale), scale), 6))
    assert np.allclose(same.qpos, tall.qpos, atol=1e-6)


def test_keypoints_without_confidence_have_no_say(model: mujoco.MjModel) -> None:
    rays = bundle(keypoints_of(model, gesture(0.0)), 0)
    hand = KEYPOINTS.index("L_Wrist")
    score, wrong = rays.score.copy(), rays.dir_w.copy()
    score[hand], wrong[hand] = 0.0, [0.0, 0.0, 1.0]
    first = follow(lasting(replace(rays, score=score), 6))
    second = follow(lasting(replace(rays, score=score, dir_w=wrong), 6))
    assert np.allclose(first.qpos, second.qpos, atol=1e-9)


def test_a_person_who_turns_around_in_one_frame_is_followed(model: mujoco.MjModel) -> None:
    lifter = CausalLifter(SKELETON)
    follow((bundle(keypoints_of(model, gesture(0.0)), frame * TICK_NS) for frame in range(8)), lifter=lifter)
    turned = gesture(0.0)
    turned[3:7] = quat_multiply(yaw_quat(np.array(np.pi)), turned[3:7])
    reference = follow((bundle(keypoints_of(model, turned), frame * TICK_NS) for frame in range(8, 16)), lifter=lifter)
    difference = yaw_of(reference.qpos[3:7]) - yaw_of(turned[3:7])
    assert abs(np.angle(np.exp(1j * difference))) < 0.2


def test_hinges_stay_in_their_ranges_under_absurd_rays(model: mujoco.MjModel) -> None:
    lifter, rng = CausalLifter(SKELETON), np.random.default_rng(0)
    lifted = 0
    for frame in range(20):
        points = keypoints_of(model, gesture(0.0)) + rng.normal(0, 0.6, (NUM_KEYPOINTS, 3))
        reference = lifter.step(bundle(points, frame * TICK_NS))
        if reference is None:  # A person who seems to turn around is searched for anew.
            continue
        lifted += 1
        assert np.isfinite(reference.qpos).all()
        assert (reference.qpos[7:] >= SKELETON.ranges[:, 0] - 1e-6).all()
        assert (reference.qpos[7:] <= SKELETON.ranges[:, 1] + 1e-6).all()
    assert lifted > 5


def test_a_person_who_stays_in_place_is_lifted_in_balance(model: mujoco.MjModel) -> None:
    """Landmarks that lean back, as deep squats are seen, would put the centre of mass behind the heels."""
    points = keypoints_of(model, gesture(0.0))
    lean = np.radians(12.0) * np.sign(CAMERA_W[0])
    rotation = np.array([[np.cos(lean), 0, np.sin(lean)], [0, 1, 0], [-np.sin(lean), 0, np.cos(lean)]])
    rays = bundle(points, 0)
    leaning = replace(rays, landmarks_w=rays.landmarks_w @ rotation.T)
    reference = follow(lasting(leaning, 20))
    configuration = mink.Configuration(model)
    configuration.update(reference.qpos)
    feet = LiftTask(model, SKELETON).positions(configuration)[-6:-2]
    com = configuration.data.subtree_com[model.body("Pelvis").id]
    assert np.linalg.norm(com[:2] - feet[:, :2].mean(0)) < 0.08


def test_standing_feet_are_lifted_flat_onto_the_floor(model: mujoco.MjModel) -> None:
    """Toe keypoints 3 cm too low, as detectors see shoes, must not push or roll the soles into the floor."""
    points = keypoints_of(model, on_floor(gesture(0.0), SKELETON))
    for name in ("L_Toe", "R_Toe", "L_Heel", "R_Heel"):
        points[KEYPOINTS.index(name), 2] -= 0.03
    task, configuration = LiftTask(model, SKELETON), mink.Configuration(model)
    configuration.update(follow(lasting(bundle(points, 0), 15)).qpos)
    soles = task.soles(configuration)[..., 2]
    assert soles.min() > -0.015
    assert np.ptp(soles, axis=1).max() < 0.025


def test_no_frame_costs_more_than_the_search_allows(model: mujoco.MjModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first pose is found over several frames, and is good when it comes."""
    lifter, cfg, steps = CausalLifter(SKELETON), LifterCfg(), []
    solve = lifter._solver.step
    monkeypatch.setattr(lifter._solver, "step", lambda priors: steps.append(1) or solve(priors))
    qpos, waited = gesture(0.0), 0
    for rays in lasting(bundle(keypoints_of(model, qpos), 0), 6):
        steps.clear()
        reference = lifter.step(rays)
        assert len(steps) <= cfg.search_iterations
        waited += reference is None
    assert reference is not None
    assert 0 < waited < cfg.search_frames
    error = np.linalg.norm(keypoints_of(model, reference.qpos) - keypoints_of(model, qpos), axis=1)
    assert error.mean() < 0.03
