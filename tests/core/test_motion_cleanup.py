"""The clean-up: faults put in on purpose are found, mended or cut; sound motion passes untouched."""

from __future__ import annotations

import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.skeleton import BODY_INDEX, Skeleton
from physhmr.body.soles import corner_positions
from physhmr.geometry.rotation import rotvec_to_quat
from physhmr.motion.cleanup import Limits, bridge, clean, find_faults, good_runs, interpolate_pose
from physhmr.motion.ground import floor_offset, free_fall, stand_on_floor, supported
from physhmr.types import Array, MotionClip

SKELETON = Skeleton()
KNEE = 7 + 3 * (BODY_INDEX["L_Knee"] - 1) + 1


def standing(frames: int = 200) -> Array:
    qpos = np.tile(standing_qpos(SKELETON), (frames, 1))
    qpos[:, 7 + 3 * (BODY_INDEX["L_Elbow"] - 1) + 2] = -0.5 + 0.4 * np.sin(np.arange(frames) / 10)
    return stand_on_floor(qpos, SKELETON)


def clip(qpos: Array) -> MotionClip:
    return MotionClip("made", 30.0, qpos, "test")


def jump(frames: int = 90, take_off: int = 40, flight: int = 12) -> Array:
    """A rigid body thrown up: a true parabola between two stances."""
    qpos = standing(frames)
    time = np.arange(flight + 1) / 30
    qpos[take_off : take_off + flight + 1, 2] += 0.5 * 9.81 * time * (time[-1] - time)
    return qpos


def test_sound_motion_passes_untouched() -> None:
    qpos = standing()
    (out,), report = clean(clip(qpos), SKELETON)
    np.testing.assert_allclose(out.qpos, qpos, atol=1e-9)
    assert (report.frames, report.kept, report.mended, report.faults) == (200, 200, 0, {})
    assert out.name == "made"


def test_a_short_glitch_is_mended() -> None:
    qpos = standing()
    qpos[100, 3:7] = rotvec_to_quat(np.array([2.0, 0.0, 0.0]))
    (out,), report = clean(clip(qpos), SKELETON)
    assert report.kept == 200 and 1 <= report.mended <= 6 and "root spins" in report.faults
    np.testing.assert_allclose(out.qpos[100, 3:7], [1, 0, 0, 0], atol=1e-6)


def test_a_long_glitch_is_cut_out() -> None:
    qpos = standing()
    qpos[90:110, 3:7] = rotvec_to_quat(np.array([2.0, 0.0, 0.0]))
    pieces, report = clean(clip(qpos), SKELETON)
    assert [piece.name for piece in pieces] == ["made_0", "made_1"]
    assert report.kept == sum(len(piece.qpos) for piece in pieces) < 185
    for piece in pieces:
        np.testing.assert_allclose(piece.qpos[:, 3:7], np.tile([1.0, 0, 0, 0], (len(piece.qpos), 1)), atol=1e-9)


def test_a_margin_widens_what_is_cut() -> None:
    qpos = standing()
    qpos[90:110, 3:7] = rotvec_to_quat(np.array([2.0, 0.0, 0.0]))
    kept = [clean(clip(qpos), SKELETON, Limits(margin=margin))[1].kept for margin in (1, 8)]
    assert kept[0] - kept[1] == 2 * 7


def test_pieces_that_are_too_short_are_dropped() -> None:
    qpos = standing(100)
    qpos[40:60, 3:7] = rotvec_to_quat(np.array([2.0, 0.0, 0.0]))
    pieces, report = clean(clip(qpos), SKELETON)
    assert pieces == [] and report.kept == 0


def spoil(qpos: Array, kind: str) -> Array:
    """`kind` of fault from frame 60 to 75."""
    bad, spoiled = slice(60, 76), qpos.copy()
    if kind == "root jumps":
        spoiled[bad, 0] += np.linspace(0, 6, 16)
    elif kind == "hinges jump":
        spoiled[bad, KNEE] += np.tile([0.0, 1.0], 8)
    elif kind == "tilted":
        spoiled[bad, 3:7] = rotvec_to_quat(np.array([0.0, 1.4, 0.0]))
    elif kind == "not on feet":
        spoiled[bad, 2] -= 0.8
    elif kind == "sits":
        spoiled[bad, 2] -= 0.75
    elif kind == "overhangs":
        spoiled[bad, 3:7] = rotvec_to_quat(np.array([0.0, 0.7, 0.0]))
    elif kind == "below floor":
        spoiled[bad, 2] -= 0.15
    else:
        spoiled[bad, 2] += 0.15
    return spoiled


@pytest.mark.parametrize(
    "kind",
    ["root jumps", "hinges jump", "tilted", "not on feet", "sits", "overhangs", "below floor", "floats"],
)
def test_each_kind_of_fault_is_found_where_it_is(kind: str) -> None:
    limits = Limits()
    assert not any(mask.any() for mask in find_faults(standing(), 30.0, SKELETON, limits, limits.uneven).values())
    found = find_faults(spoil(standing(), kind), 30.0, SKELETON, limits, limits.uneven)[kind]
    assert found[62:74].mean() > 0.8
    assert not found[:57].any() and not found[80:].any()


def test_a_jump_is_no_fault_unless_feet_must_stay_down() -> None:
    assert clean(clip(jump()), SKELETON)[1].kept == 90
    pieces, report = clean(clip(jump()), SKELETON, Limits(flight=False, shortest_clip=20))
    assert "floats" in report.faults and len(pieces) == 2


def test_floor_offset_of_standing_feet_is_their_height() -> None:
    corners = corner_positions(standing(), SKELETON) + np.array([0.0, 0.0, 0.37])
    np.testing.assert_allclose(floor_offset(corners, standing()[:, 2]), 0.37, atol=1e-9)


def test_floor_offset_goes_through_flight_and_leaves_the_jump() -> None:
    qpos = jump()
    height = 0.5 * 9.81 * 0.2**2
    offset = floor_offset(corner_positions(qpos, SKELETON), qpos[:, 2])
    assert np.abs(offset).max() < 0.03
    grounded = stand_on_floor(qpos, SKELETON)
    assert corner_positions(grounded, SKELETON)[46, :, 2].min() == pytest.approx(height, abs=0.04)


def test_nothing_is_below_the_floor_afterwards() -> None:
    qpos, rng = standing(), np.random.default_rng(0)
    qpos[:, 2] += np.cumsum(rng.normal(0, 0.01, 200))
    assert corner_positions(stand_on_floor(qpos, SKELETON), SKELETON)[..., 2].min() > -1e-9


def test_free_fall_is_gravitys_parabola_only() -> None:
    time = np.arange(30) / 30
    assert free_fall(1.0 + 4.9 * time - 0.5 * 9.81 * time**2, 30.0)[4:-4].all()
    assert not free_fall(np.full(30, 1.0), 30.0).any()
    assert not free_fall(1.0 + 2.0 * time, 30.0).any()


def test_fast_feet_of_a_body_that_does_not_fall_are_supported() -> None:
    qpos = standing(60)
    qpos[:, 0] = np.arange(60) / 10
    assert supported(corner_positions(qpos, SKELETON), qpos[:, 2]).all()


def test_bridge_joins_neighbours_and_leaves_long_gaps() -> None:
    qpos = standing(30)
    qpos[:, 0] = np.arange(30)
    bad = np.zeros(30, bool)
    bad[[5, 6, 7]], bad[15:25] = True, True
    broken = qpos.copy()
    broken[bad, 0] = 99.0
    out, mended = bridge(broken, bad, longest=4)
    np.testing.assert_allclose(out[:15, 0], qpos[:15, 0])
    assert (out[15:25, 0] == 99.0).all()
    assert np.flatnonzero(mended).tolist() == [5, 6, 7]


def test_interpolation_turns_the_root_on_the_shortest_arc() -> None:
    first, last = standing(2)[0], standing(2)[0]
    first[3:7], last[3:7] = rotvec_to_quat(np.array([[0, 0, 3.0], [0, 0, -3.0]]))
    middle = interpolate_pose(first, last, np.array([0.5]))[0]
    assert abs(middle[6]) == pytest.approx(1.0, abs=1e-9)


def test_good_runs() -> None:
    assert good_runs(np.array([0, 0, 1, 0, 1, 1, 0], bool)) == [(0, 2), (3, 4), (6, 7)]
    assert good_runs(np.ones(3, bool)) == []
    assert good_runs(np.zeros(3, bool)) == [(0, 3)]
