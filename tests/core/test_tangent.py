"""Tangents of poses: inverse of each other, and MuJoCo's own."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import build_model
from physhmr.body.tangent import pose_add, pose_between, pose_difference, pose_shifted
from physhmr.types import Array


def poses(seed: int, count: int) -> Array:
    qpos = np.random.default_rng(seed).normal(size=(count, 76))
    qpos[:, 3:7] /= np.linalg.norm(qpos[:, 3:7], axis=1, keepdims=True)
    return qpos


@pytest.mark.parametrize("seed", range(3))
def test_adding_undoes_subtracting(seed: int) -> None:
    start, end = poses(seed, 5), poses(seed + 10, 5)
    found = pose_add(start, pose_difference(start, end))
    # q and -q are the same rotation.
    found[:, 3:7] *= np.sign((found[:, 3:7] * end[:, 3:7]).sum(1, keepdims=True))
    np.testing.assert_allclose(found, end, atol=1e-12)


def test_a_shift_is_a_tangent_of_its_own() -> None:
    start, offset_w = poses(0, 5), np.array([0.3, -1.0, 0.2])
    before, shifted = start.copy(), pose_shifted(start, offset_w)
    np.testing.assert_allclose(
        pose_difference(start, shifted), np.tile(np.r_[offset_w, np.zeros(72)], (5, 1)), atol=1e-12
    )
    np.testing.assert_array_equal(start, before)


def test_between_two_poses_the_way_is_straight() -> None:
    start, end = poses(0, 5), poses(1, 5)
    way = pose_difference(start, end)
    for share in (0.0, 0.3, 1.0):
        np.testing.assert_allclose(pose_difference(start, pose_between(start, end, share)), share * way, atol=1e-9)


def test_a_batch_is_its_rows() -> None:
    start, end = poses(0, 4), poses(1, 4)
    rows = np.stack([pose_difference(a, b) for a, b in zip(start, end, strict=True)])
    np.testing.assert_array_equal(pose_difference(start, end), rows)


def test_tangents_are_mujocos() -> None:
    model, (start, end) = build_model(), poses(2, 2)
    mine, theirs = pose_difference(start, end), np.zeros(75)
    mujoco.mj_differentiatePos(model, theirs, 1.0, start, end)
    np.testing.assert_allclose(mine, theirs, atol=1e-12)
    stepped, step = start.copy(), 0.1 * np.random.default_rng(3).normal(size=75)
    mujoco.mj_integratePos(model, stepped, step, 1.0)
    np.testing.assert_allclose(pose_add(start, step), stepped, atol=1e-12)
