"""Metrics are pinned by what they must not notice (invariances) and by values computed by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physhmr.errors import NonFiniteError, ShapeError
from physhmr.eval import pose_metrics as metrics
from physhmr.eval.alignment import Similarity
from physhmr.geometry.rotation import quat_to_matrix

HIPS = (0, 1)
FPS = 30.0
seeds = st.integers(0, 2**32 - 1)


def motion(seed: int, frames: int = 12, joints: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(frames, joints, 3))


def similarity(seed: int, scale: float = 1.0) -> Similarity:
    rng = np.random.default_rng(seed)
    return Similarity(np.array(scale), quat_to_matrix(rng.normal(size=4)), rng.normal(size=3))


def moved(joints: np.ndarray, by: Similarity) -> np.ndarray:
    return by(joints.reshape(-1, 3)).reshape(joints.shape)


@given(seeds)
def test_all_metrics_vanish_for_the_truth_itself(seed: int) -> None:
    truth = motion(seed)
    assert metrics.g_mpjpe(truth, truth) == 0.0
    assert metrics.mpjpe(truth, truth, HIPS) == 0.0
    assert metrics.accel(truth, truth, FPS) == 0.0
    for metric in (metrics.pa_mpjpe, metrics.wa_mpjpe_100, metrics.w_mpjpe_100):
        assert metric(truth, truth) == pytest.approx(0.0, abs=1e-8)
    assert metrics.rte(truth[:, 0], truth[:, 0]) == pytest.approx(0.0, abs=1e-8)


@given(seeds, st.floats(0.2, 5.0))
def test_pa_mpjpe_ignores_a_similarity_of_every_frame(seed: int, scale: float) -> None:
    truth, estimate = motion(seed), motion(seed + 1)
    changed = np.stack([similarity(seed + i, scale)(frame) for i, frame in enumerate(estimate)])
    assert metrics.pa_mpjpe(changed, truth) == pytest.approx(metrics.pa_mpjpe(estimate, truth), rel=1e-7)


@given(seeds, st.floats(0.2, 5.0))
def test_chunk_metrics_ignore_one_similarity_of_the_whole_motion(seed: int, scale: float) -> None:
    truth, estimate = motion(seed), motion(seed + 1)
    changed = moved(estimate, similarity(seed, scale))
    for metric in (metrics.wa_mpjpe_100, metrics.w_mpjpe_100):
        assert metric(changed, truth) == pytest.approx(metric(estimate, truth), rel=1e-6)


@given(seeds)
def test_mpjpe_ignores_translations_of_every_frame_but_no_rotation(seed: int) -> None:
    truth, estimate = motion(seed), motion(seed + 1)
    shift = np.random.default_rng(seed).normal(size=(len(truth), 1, 3))
    assert metrics.mpjpe(estimate + shift, truth, HIPS) == pytest.approx(metrics.mpjpe(estimate, truth, HIPS))
    assert metrics.mpjpe(moved(truth, similarity(seed)), truth, HIPS) > 1.0


@given(seeds)
def test_rte_ignores_rigid_motions_but_no_scale(seed: int) -> None:
    truth, estimate = motion(seed)[:, 0], motion(seed + 1)[:, 0]
    rigid = similarity(seed)
    assert metrics.rte(rigid(estimate), truth) == pytest.approx(metrics.rte(estimate, truth), rel=1e-6)
    assert metrics.rte(2.0 * truth, truth) > 1.0


@given(seeds)
def test_derivatives_ignore_motion_of_lower_order(seed: int) -> None:
    rng, truth, estimate = np.random.default_rng(seed), motion(seed), motion(seed + 1)
    time = np.arange(len(truth))[:, None, None]
    linear, quadratic = rng.normal(size=3) * time, rng.normal(size=3) * time**2
    assert metrics.accel(estimate + linear, truth, FPS) == pytest.approx(metrics.accel(estimate, truth, FPS))
    assert metrics.jitter(estimate + linear + quadratic, FPS) == pytest.approx(metrics.jitter(estimate, FPS))


@given(seeds)
def test_more_freedom_to_align_never_hurts(seed: int) -> None:
    """In the least-squares sense; the mean distance of these random clouds follows suit within a margin."""
    truth = motion(seed)
    estimate = moved(truth, similarity(seed)) + 0.01 * motion(seed + 1)
    assert metrics.pa_mpjpe(estimate, truth) < metrics.wa_mpjpe_100(estimate, truth) * 1.05
    assert metrics.wa_mpjpe_100(estimate, truth) < metrics.w_mpjpe_100(estimate, truth) * 1.05
    assert metrics.w_mpjpe_100(estimate, truth) < metrics.g_mpjpe(estimate, truth)


def test_a_constant_offset_costs_its_length() -> None:
    truth = motion(0)
    assert metrics.g_mpjpe(truth + np.array([0.003, 0.0, 0.004]), truth) == pytest.approx(5.0)


def test_mpjpe_counts_one_displaced_joint_in_its_share() -> None:
    truth = motion(0, joints=4)
    estimate = truth.copy()
    estimate[:, 3, 2] += 0.02
    assert metrics.mpjpe(estimate, truth, HIPS) == pytest.approx(20.0 / 4)


def test_rte_of_a_path_of_double_length() -> None:
    """1 m of straight path, estimated as 2 m: centred on each other they differ by |x - 0.5| m, 25 % in the mean."""
    truth = np.linspace(0.0, 1.0, 1001)[:, None] * [1.0, 0.0, 0.0]
    assert metrics.rte(2.0 * truth, truth) == pytest.approx(25.0, rel=2e-3)


def test_rte_without_any_motion_has_no_value() -> None:
    assert np.isnan(metrics.rte(motion(0)[:, 0], np.zeros((12, 3))))


def test_accel_and_jitter_of_polynomials() -> None:
    """x = t^2 accelerates with 2 m/s^2; x = t^3 has the third derivative 6 m/s^3 = 0.6 of its unit."""
    time = np.arange(20)[:, None, None] / FPS
    square, cube = time**2 * np.array([1.0, 0, 0]), time**3 * np.array([0, 1.0, 0])
    assert metrics.accel(square, np.zeros_like(square), FPS) == pytest.approx(2.0)
    assert metrics.jitter(cube, FPS) == pytest.approx(0.6)


def test_the_chunk_metrics_begin_anew_after_100_frames() -> None:
    truth = motion(0, frames=200)
    estimate = truth.copy()
    estimate[100:] = moved(truth[100:], similarity(1, 2.0))
    assert metrics.wa_mpjpe_100(estimate, truth) == pytest.approx(0.0, abs=1e-8)
    assert metrics.w_mpjpe_100(estimate, truth) == pytest.approx(0.0, abs=1e-8)
    estimate[99] += 1.0
    assert metrics.w_mpjpe_100(estimate, truth) == pytest.approx(1000 * np.sqrt(3) / 200)


@pytest.mark.parametrize("frames", [2, 99, 100, 101, 102, 250])
def test_chunks_cover_every_frame_once_and_none_is_a_single_frame(frames: int) -> None:
    parts = list(metrics._chunks(frames))
    assert [i for part in parts for i in range(frames)[part]] == list(range(frames))
    assert min(part.stop - part.start for part in parts) >= 2


def test_success_ends_with_the_first_frame_beyond_the_limit() -> None:
    truth = motion(0)
    estimate = truth.copy()
    estimate[5] += [0.49, 0.0, 0.0]
    assert metrics.success(estimate, truth)
    estimate[5] += [0.02, 0.0, 0.0]
    assert not metrics.success(estimate, truth)


def test_success_looks_at_the_mean_body_not_at_the_worst() -> None:
    truth = motion(0, joints=4)
    estimate = truth.copy()
    estimate[:, 0, 0] += 1.9
    assert metrics.success(estimate, truth)


@pytest.mark.parametrize("metric", [metrics.g_mpjpe, metrics.pa_mpjpe, metrics.wa_mpjpe_100, metrics.w_mpjpe_100])
def test_unequal_shapes_and_nan_are_refused(metric: Callable[[np.ndarray, np.ndarray], float]) -> None:
    truth = motion(0)
    with pytest.raises(ShapeError):
        metric(truth[1:], truth)
    with pytest.raises(NonFiniteError):
        metric(np.where(truth > 1, np.nan, truth), truth)


def test_too_few_frames_are_refused() -> None:
    with pytest.raises(ShapeError, match="T >= 4"):
        metrics.jitter(motion(0, frames=3), FPS)
    with pytest.raises(ShapeError, match="T >= 3"):
        metrics.accel(motion(0, frames=2), motion(1, frames=2), FPS)
