from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physhmr.errors import NonFiniteError, ShapeError
from physhmr.eval.alignment import Similarity, umeyama
from physhmr.geometry.rotation import quat_to_matrix

seeds = st.integers(0, 2**32 - 1)


def random_similarity(rng: np.random.Generator, batch: tuple[int, ...] = ()) -> Similarity:
    quat = rng.normal(size=(*batch, 4))
    return Similarity(rng.uniform(0.2, 5.0, batch), quat_to_matrix(quat), rng.normal(size=(*batch, 3)))


@given(seeds)
def test_a_similarity_is_recovered_exactly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    source, true = rng.normal(size=(5, 9, 3)), random_similarity(rng, (5,))
    found = umeyama(source, true(source))
    np.testing.assert_allclose(found.scale, true.scale, rtol=1e-8)
    np.testing.assert_allclose(found.R, true.R, atol=1e-8)
    np.testing.assert_allclose(found.t, true.t, atol=1e-7)


@given(seeds, st.booleans())
@settings(max_examples=30)
def test_no_nearby_similarity_is_better(seed: int, with_scale: bool) -> None:
    rng = np.random.default_rng(seed)
    source, target = rng.normal(size=(2, 8, 3))
    best = umeyama(source, target, with_scale)
    error = ((best(source) - target) ** 2).sum()
    for _ in range(20):
        turn = quat_to_matrix(np.r_[1.0, 0.02 * rng.normal(size=3)])
        scale = best.scale * (1 + 0.02 * rng.normal() * with_scale)
        other = Similarity(scale, turn @ best.R, best.t + 0.02 * rng.normal(size=3))
        assert ((other(source) - target) ** 2).sum() >= error - 1e-12


def test_a_mirror_image_is_not_turned_into_a_reflection() -> None:
    source = np.random.default_rng(0).normal(size=(10, 3))
    found = umeyama(source, source * [1.0, 1.0, -1.0])
    assert np.linalg.det(found.R) == pytest.approx(1.0)


def test_a_rigid_alignment_keeps_the_size() -> None:
    source = np.random.default_rng(0).normal(size=(10, 3))
    assert umeyama(source, 3.0 * source, with_scale=False).scale == 1.0


def test_points_in_one_place_are_moved_without_scaling() -> None:
    found = umeyama(np.ones((4, 3)), np.zeros((4, 3)))
    assert found.scale == 1.0
    np.testing.assert_allclose(found(np.ones((4, 3))), 0.0)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ShapeError, match="like the truth"):
        umeyama(np.zeros((4, 3)), np.zeros((5, 3)))
    with pytest.raises(NonFiniteError, match="truth holds 3"):
        umeyama(np.zeros((4, 3)), np.diag([np.nan] * 4)[:, :3])
