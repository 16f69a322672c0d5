"""A pose over time: exact at its samples, steady between them, held outside, bounded in memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physhmr.geometry.pose_track import AHEAD_NS, KEEP_NS, RESTART_NS, PoseTrack, pose_along
from physhmr.geometry.rotation import quat_to_matrix, rotvec_to_quat
from physhmr.types import Array

MS = 1_000_000


def moving(seconds: float) -> Array:
    """(4, 4) of a camera that drives at 0.8 m/s and turns at 1 rad/s about a tilted axis."""
    T = np.eye(4)
    T[:3, :3] = quat_to_matrix(rotvec_to_quat(seconds * np.array([0.0, 0.6, 0.8])))
    T[:3, 3] = 0.8 * seconds, 0.0, 1.2
    return T


def track(*stamps_ms: int) -> PoseTrack:
    found = PoseTrack()
    for stamp in stamps_ms:
        found.add(stamp * MS, moving(stamp / 1e3))
    return found


@given(st.floats(0.0, 0.52))
def test_an_even_motion_is_told_exactly_between_samples_and_a_little_ahead(seconds: float) -> None:
    found = track(*range(0, 501, 40))
    np.testing.assert_allclose(found.at(round(1e9 * seconds)), moving(seconds), atol=1e-7)


def test_farther_ahead_and_before_the_first_sample_the_pose_is_held() -> None:
    found = track(100, 200)
    ahead = moving(0.2 + AHEAD_NS * 1e-9)
    np.testing.assert_allclose(found.at(400 * MS), ahead, atol=1e-12)
    np.testing.assert_allclose(found.at(10**12), ahead, atol=1e-12)
    np.testing.assert_allclose(found.at(0), moving(0.1), atol=1e-12)


def test_motion_is_carried_on_no_longer_than_it_was_seen() -> None:
    """Two stamps a microsecond apart say nothing about speed."""
    found = track(100)
    found.add(100 * MS + 1000, moving(0.101))
    assert np.linalg.norm(found.at(150 * MS)[:3, 3] - moving(0.101)[:3, 3]) < 0.001


def test_a_single_sample_holds_for_all_times() -> None:
    for stamp in (0, 100 * MS, 10**15):
        np.testing.assert_array_equal(track(100).at(stamp), moving(0.1))


@given(st.permutations(range(0, 900, 100)))
def test_the_order_of_arrival_does_not_matter(stamps: list[int]) -> None:
    found, sorted_ = track(*stamps, *stamps[:2]), track(*sorted(stamps))
    assert found.newest_ns == sorted_.newest_ns
    np.testing.assert_array_equal(found.at(333 * MS), sorted_.at(333 * MS))


def test_a_clock_that_jumps_back_begins_anew() -> None:
    found = track(10_000, 10_100, 10_000 - RESTART_NS // MS)
    assert found.newest_ns == 9_000 * MS
    np.testing.assert_array_equal(found.at(10_050 * MS), moving(9.0))


def test_memory_is_bounded() -> None:
    found = track(*range(0, 30_000, 10))
    assert len(found._stamps) == len(found._poses) == KEEP_NS // (10 * MS) + 1


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0, 1.5])
def test_along_the_way_ends_are_ends_and_poses_stay_poses(share: float) -> None:
    T = pose_along(moving(0.0), moving(2.0), share)
    np.testing.assert_allclose(T, moving(2.0 * share), atol=1e-12)
    np.testing.assert_allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-12)
