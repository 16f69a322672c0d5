"""Restyled motion: other joint angles, the same footholds."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physhmr.body.humanoid_mjcf import build_model
from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import BODY_INDEX, Skeleton
from physhmr.body.soles import corner_positions
from physhmr.geometry.gravity import STANDARD
from physhmr.geometry.rotation import yaw_of
from physhmr.motion import restyle
from physhmr.motion.ground import beyond_support
from physhmr.motion.onto_humanoid import onto_humanoid
from physhmr.motion.procedural import generate
from physhmr.motion.restyle import RestyleCfg, restyled
from physhmr.types import Array, MotionClip

SKELETON = Skeleton()
NOTHING = RestyleCfg(*[0.0] * 10)


@pytest.fixture(scope="module")
def walk() -> MotionClip:
    return onto_humanoid([generate("walk", 2, SKELETON)], SKELETON)[0]


def slip(qpos: Array) -> float:
    """m a frame, of corners of the soles that touch the floor before and after."""
    corners = corner_positions(qpos, SKELETON)
    down = corners[..., 2] < 0.005
    return float(np.linalg.norm(np.diff(corners[..., :2], axis=0), axis=-1)[down[1:] & down[:-1]].mean())


def share_slipped(qpos: Array) -> float:
    """Of the root's way."""
    return slip(qpos) / float(np.linalg.norm(np.diff(qpos[:, :2], axis=0), axis=1).mean())


def test_without_any_spread_nothing_changes(walk: MotionClip) -> None:
    same = restyled(walk, SKELETON, np.random.default_rng(0), NOTHING)
    np.testing.assert_allclose(same.qpos[:, 7:], walk.qpos[:, 7:], atol=1e-6)
    # Going where the feet take it the root ends where it ended, but for what its own way slips.
    walked = np.linalg.norm(np.diff(walk.qpos[:, :2], axis=0), axis=1).sum()
    assert np.linalg.norm(same.qpos[-1, :2] - walk.qpos[-1, :2]) < 0.05 * walked


def test_time_may_run_backwards(walk: MotionClip) -> None:
    there, back = (
        restyled(walk, SKELETON, np.random.default_rng(0), replace(NOTHING, backwards=b)) for b in (0.0, 1.0)
    )
    np.testing.assert_allclose(back.qpos, there.qpos[::-1], atol=1e-9)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_styles_keep_ranges_and_stand_on_the_floor(walk: MotionClip, seed: int) -> None:
    styled = restyled(walk, SKELETON, np.random.default_rng(seed))
    low, high = SKELETON.ranges.T
    assert (styled.qpos[:, 7:] >= low - 1e-9).all() and (styled.qpos[:, 7:] <= high + 1e-9).all()
    lowest = corner_positions(styled.qpos, SKELETON)[..., 2].min(1)
    assert lowest.min() > -1e-6 and np.quantile(lowest, 0.9) < 0.02


@pytest.mark.parametrize("wild", [1.0, 2.0])
def test_every_style_walks_on_footholds(walk: MotionClip, wild: float) -> None:
    """Shares of the way that standing soles slip, in styles as shipped and in wild ones, many of them drawn again."""
    cfg = replace(RestyleCfg(), stride=wild * RestyleCfg.stride, leg=wild * RestyleCfg.leg)
    shares = [share_slipped(restyled(walk, SKELETON, np.random.default_rng(seed), cfg).qpos) for seed in range(40)]
    assert np.median(shares) < 0.25 and max(shares) < 0.3


def test_a_clip_that_suits_no_style_gets_the_one_that_slips_least(
    walk: MotionClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Legs bent by two and a half radians, each by its own: nobody walks in any of these styles."""
    monkeypatch.setattr(restyle, "DRAWS", 5)
    monkeypatch.setattr(restyle, "TOPPLE", np.inf)
    cfg = RestyleCfg(leg=2.5, lopsided=1.0)
    chosen = share_slipped(restyled(walk, SKELETON, np.random.default_rng(5), cfg).qpos)
    monkeypatch.setattr(restyle, "SLIP", np.inf)
    random = np.random.default_rng(5)
    tried = [share_slipped(restyled(walk, SKELETON, random, cfg).qpos) for _ in range(5)]
    assert chosen == min(tried) > 0.5


def test_nobody_in_a_style_topples(walk: MotionClip) -> None:
    """Styles at random would have the zero moment point decimetres from the feet."""
    cfg = replace(RestyleCfg(), trunk=0.2)
    before = beyond_support(walk.qpos, SKELETON).mean()
    farther = [
        beyond_support(restyled(walk, SKELETON, np.random.default_rng(seed), cfg).qpos, SKELETON).mean() - before
        for seed in range(20)
    ]
    assert np.median(farther) < restyle.TOPPLE and max(farther) < 2.0 * restyle.TOPPLE


def test_the_root_s_own_way_would_slide(walk: MotionClip) -> None:
    """Steps of other lengths on the old way are what the feet are asked about for."""
    cfg = RestyleCfg(tempo=0.0, turn=0.0, stride=0.4, backwards=0.0)
    planted, dragged = [], []
    for seed in range(6):
        styled = restyled(walk, SKELETON, np.random.default_rng(seed), cfg).qpos
        planted.append(slip(styled))
        styled[:, :2] = walk.qpos[:, :2]
        dragged.append(slip(styled))
    assert np.mean(planted) < 0.6 * np.mean(dragged)


def over_feet(clip: MotionClip, walk: MotionClip) -> Array:
    """(2,) m forward and left: the centre of mass, by MuJoCo, from the corners that stand in `walk`, on average."""
    corners = corner_positions(walk.qpos, SKELETON)
    still = np.linalg.norm(np.diff(corners, axis=0), axis=-1) * walk.fps < 0.15
    stands = still & (corners[1:, :, 2] < 0.02)
    model = build_model(SKELETON.shape)
    data, offsets = mujoco.MjData(model), []
    for pose, corner, which in zip(clip.qpos[1:], corner_positions(clip.qpos[1:], SKELETON), stands, strict=True):
        data.qpos[:] = pose
        mujoco.mj_forward(model, data)
        x, y = (data.subtree_com[1] - corner[which])[:, :2].T
        yaw = yaw_of(pose[3:7])
        offsets.append((np.cos(yaw) * x + np.sin(yaw) * y, np.cos(yaw) * y - np.sin(yaw) * x))
    return np.asarray(np.concatenate(offsets, -1).mean(-1))


def test_the_mass_stays_over_the_feet(walk: MotionClip) -> None:
    """Trunk and legs are held by 0.1 and 0.15 rad otherwise: that alone would take the mass decimetres off the feet."""
    cfg = RestyleCfg(tempo=0.0, turn=0.0, stride=0.0, backwards=0.0, trunk=0.1, leg=0.15, lopsided=0.0)
    for seed in range(4):
        styled = restyled(walk, SKELETON, np.random.default_rng(seed), cfg)
        np.testing.assert_allclose(over_feet(styled, walk), over_feet(walk, walk), atol=0.015)


@pytest.mark.parametrize("seed", [1, 3, 4])
def test_who_walks_a_curve_leans_into_it(walk: MotionClip, seed: int) -> None:
    """By the angle at which gravity and the curve's pull add up along the body."""
    styled = restyled(walk, SKELETON, np.random.default_rng(seed), replace(NOTHING, turn=1.0))
    rate = np.diff(np.unwrap(yaw_of(styled.qpos[:, 3:7])) - np.unwrap(yaw_of(walk.qpos[:, 3:7]))).mean() * walk.fps
    speed = np.linalg.norm(walk.qpos[-1, :2] - walk.qpos[0, :2]) / len(walk.qpos) * walk.fps
    leant = (over_feet(styled, walk) - over_feet(walk, walk))[1]
    assert leant == pytest.approx(0.93 * speed * rate / STANDARD, rel=0.25, abs=0.003)


def test_soles_keep_their_orientation(walk: MotionClip) -> None:
    cfg = RestyleCfg(tempo=0.0, turn=0.0, backwards=0.0)
    styled = restyled(walk, SKELETON, np.random.default_rng(2), cfg)
    feet = [BODY_INDEX["L_Ankle"], BODY_INDEX["R_Ankle"]]
    before, after = (forward_kinematics(clip.qpos, SKELETON)[1][:, feet] for clip in (walk, styled))
    cosine = (np.einsum("tbij,tbij->tb", before, after) - 1.0) / 2.0
    # An ankle at its stop cannot.
    assert np.quantile(cosine, 0.1) > np.cos(np.radians(3.0))


def test_a_curve_turns_the_person(walk: MotionClip) -> None:
    curves = [restyled(walk, SKELETON, np.random.default_rng(s), replace(NOTHING, turn=0.2)) for s in range(3)]
    turned = [np.unwrap(yaw_of(clip.qpos[:, 3:7])) - np.unwrap(yaw_of(walk.qpos[:, 3:7])) for clip in curves]
    rates = [np.diff(yaw) for yaw in turned]
    assert all(np.ptp(rate) < 1e-6 for rate in rates) and np.ptp([rate[0] for rate in rates]) > 0.002
    # A foot that stands turns with the curve; of two, the other goes around it.
    slips = [slip(clip.qpos) - slip(walk.qpos) for clip in curves]
    assert all(more < 0.2 * abs(rate[0]) for more, rate in zip(slips, rates, strict=True))


def test_the_same_seed_is_the_same_style(walk: MotionClip) -> None:
    first, again, other = (restyled(walk, SKELETON, np.random.default_rng(s)).qpos for s in (5, 5, 6))
    assert np.array_equal(first, again) and not (first.shape == other.shape and np.allclose(first, other))
