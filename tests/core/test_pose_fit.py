"""Inverse kinematics on body points: exact Jacobian, reachable poses found, ranges kept."""

from __future__ import annotations

import mink
import mujoco
import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import build_model, standing_qpos
from physhmr.body.kinematics import forward_kinematics
from physhmr.body.pose_fit import BodyPoint, PointTask, PoseFit, marker_points, place_points
from physhmr.body.skeleton import BODY_NAMES, Skeleton
from physhmr.errors import ShapeError
from physhmr.geometry.rotation import rotvec_to_quat
from physhmr.types import Array

SKELETON = Skeleton()


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    return build_model()


def random_qpos(seed: int, size: float) -> Array:
    """Somewhere in the world, hinges up to `size` of the way to their stops."""
    rng, (low, high) = np.random.default_rng(seed), SKELETON.ranges.T
    qpos = standing_qpos(SKELETON)
    qpos[:3] += rng.normal(0, 0.5, 3)
    qpos[3:7] = rotvec_to_quat(rng.normal(0, 0.4, 3))
    share = rng.uniform(-size, size, 69)
    qpos[7:] = np.where(share > 0, share * high, -share * low)
    return qpos


def markers(qpos: Array) -> Array:
    return place_points(marker_points(SKELETON), *forward_kinematics(qpos, SKELETON))


@pytest.mark.parametrize("seed", range(4))
def test_reachable_poses_are_found(model: mujoco.MjModel, seed: int) -> None:
    fit, target = PoseFit(model, SKELETON, rest_cost=1e-4), markers(random_qpos(seed, 0.3))
    found = fit.solve(target, iterations=60)
    assert np.linalg.norm(markers(found) - target, axis=1).max() < 2e-3


@pytest.mark.parametrize("seed", range(3))
def test_ranges_are_never_left(model: mujoco.MjModel, seed: int) -> None:
    fit, rng, (low, high) = PoseFit(model, SKELETON), np.random.default_rng(seed), SKELETON.ranges.T
    for _ in range(5):
        qpos = fit.solve(markers(standing_qpos(SKELETON)) + rng.normal(0, 0.5, (len(fit.points), 3)))
        assert ((qpos[7:] >= low - 1e-6) & (qpos[7:] <= high + 1e-6)).all()
        assert np.linalg.norm(qpos[3:7]) == pytest.approx(1.0)


def test_warm_start_is_the_previous_solution(model: mujoco.MjModel) -> None:
    fit, target = PoseFit(model, SKELETON), markers(random_qpos(0, 0.3))
    found = fit.solve(target, iterations=60)
    assert np.abs(fit.solve(target, iterations=1) - found).max() < 0.01
    assert np.abs(PoseFit(model, SKELETON).solve(target, iterations=1) - found).max() > 0.1


def test_point_jacobian_is_the_derivative(model: mujoco.MjModel) -> None:
    task = PointTask(model, marker_points(SKELETON), np.ones(len(marker_points(SKELETON))))
    qpos, step = random_qpos(7, 0.4), 1e-6
    configuration = mink.Configuration(model, qpos)
    J, here = task.compute_jacobian(configuration), task.compute_error(configuration)
    for column in (0, 2, 4, 10, 33, 70):
        moved, direction = qpos.copy(), np.eye(75)[column]
        mujoco.mj_integratePos(model, moved, direction, step)
        there = task.compute_error(mink.Configuration(model, moved))
        np.testing.assert_allclose((there - here) / step, J[:, column], atol=1e-5)


def test_markers_start_with_the_bodies_and_make_twists_visible() -> None:
    points = marker_points(SKELETON)
    assert tuple(point.body for point in points[:24]) == BODY_NAMES
    assert all(point.offset_b == (0.0, 0.0, 0.0) for point in points[:24])
    twisted = standing_qpos(SKELETON)
    twisted[7 + 3 * (BODY_NAMES.index("L_Wrist") - 1) + 1] = 0.5
    moved = np.linalg.norm(markers(twisted) - markers(standing_qpos(SKELETON)), axis=1)
    assert moved[:24].max() < 1e-9 < 0.01 < moved[24:].max()


def test_points_are_placed_in_their_bodies_frames() -> None:
    point = BodyPoint("Head", (0.1, 0.0, 0.2))
    pos, rot = forward_kinematics(random_qpos(3, 0.5), SKELETON)
    placed = place_points((point,), pos, rot)[0]
    head = BODY_NAMES.index("Head")
    np.testing.assert_allclose(rot[head].T @ (placed - pos[head]), point.offset_b, atol=1e-12)


def test_targets_of_another_size_are_refused(model: mujoco.MjModel) -> None:
    with pytest.raises(ShapeError, match="target_w"):
        PoseFit(model, SKELETON).solve(np.zeros((24, 3)))
