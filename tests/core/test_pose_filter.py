"""The pose filter is causal, still where nothing moves, and its velocity is that of its own output."""

from __future__ import annotations

import numpy as np

from physhmr.geometry.rotation import rotvec_to_quat
from physhmr.lifting.pose_filter import PoseFilter, PoseFilterCfg
from physhmr.types import NQ, NV, Array

TICK_NS = 33_333_333


def random_pose(seed: int) -> Array:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(size=3), rotvec_to_quat(rng.normal(size=3)), rng.normal(size=69)])


def test_a_constant_pose_passes_unchanged_and_at_rest() -> None:
    pose, pose_filter = random_pose(0), PoseFilter()
    for frame in range(5):
        qpos, qvel = pose_filter.step(frame * TICK_NS, pose)
    assert np.allclose(qpos, pose) and np.allclose(qvel, 0.0)


def test_noise_shrinks_and_steady_motion_is_followed() -> None:
    rng, pose_filter, pose = np.random.default_rng(0), PoseFilter(), random_pose(1)
    still = np.array([pose_filter.step(k * TICK_NS, _shaken(pose, rng))[0] for k in range(200)])
    assert still[50:, 7:].std(0).mean() < 0.6 * 0.05
    pose_filter.reset()
    for k in range(60):
        moving = pose.copy()
        moving[7] = 2.0 * k / 30
        qpos, qvel = pose_filter.step(k * TICK_NS, moving)
    assert abs(qvel[6] - 2.0) < 0.05
    assert abs(qpos[7] - moving[7]) < 0.15


def test_velocity_is_bounded_and_a_stamp_that_goes_back_restarts() -> None:
    cfg, pose_filter = PoseFilterCfg(), PoseFilter()
    pose_filter.step(0, random_pose(0))
    _, qvel = pose_filter.step(TICK_NS, random_pose(0) + np.r_[50.0, np.zeros(NQ - 1)])
    assert np.abs(qvel).max() <= cfg.max_rate
    other = random_pose(5)
    qpos, qvel = pose_filter.step(0, other)
    assert np.array_equal(qpos, other) and np.array_equal(qvel, np.zeros(NV))


def _shaken(pose: Array, rng: np.random.Generator) -> Array:
    shaken = pose.copy()
    shaken[7:] += rng.normal(0, 0.05, 69)
    return shaken
