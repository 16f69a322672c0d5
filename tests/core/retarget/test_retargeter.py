"""What holds for every step: limits, speeds, standing feet, free space between the robot's parts."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from physhmr.body.skeleton import BODY_INDEX
from physhmr.errors import NonFiniteError, ShapeError
from physhmr.geometry.rotation import hinges_to_matrix
from physhmr.retarget.feet import Footing
from physhmr.retarget.follow_solver import LONGEST_STEP, SUNK
from physhmr.retarget.human import HumanFrame
from physhmr.retarget.proportions import Proportions
from physhmr.retarget.retargeter import MAX_SLIP, Retargeter
from physhmr.retarget.robot import Robot
from physhmr.retarget.target import RobotTarget

Motion = Callable[[str, float], list[HumanFrame]]


@pytest.mark.parametrize("recipe", ["walk", "squat", "gesture"])
def test_limits_hold_and_standing_feet_stay(stick: Robot, person: Proportions, motion: Motion, recipe: str) -> None:
    retargeter = Retargeter(stick, person)
    targets = [retargeter.step(human) for human in motion(recipe, 4.0)]
    joints = np.array([target.joints for target in targets])
    assert (joints >= stick.ranges[:, 0]).all() and (joints <= stick.ranges[:, 1]).all()
    # Stamps are whole nanoseconds: a frame may be 0.7 ns longer than a thirtieth of a second.
    passed = np.diff([target.stamp_ns for target in targets])[:, None] * 1e-9
    assert (np.abs(np.diff(joints, axis=0)) <= stick.velocity * passed + 1e-9).all()
    assert min(retargeter.collision.smallest(stick.placed(target.q)) for target in targets) > 0
    places = np.array([stick.corners(stick.placed(target.q)) for target in targets])
    both = np.array([a.pinned & b.pinned for a, b in itertools.pairwise(targets)])
    slips = np.linalg.norm(np.diff(places[..., :2], axis=0), axis=-1)[both]
    assert len(slips) > 100 and slips.max() < 0.002
    assert places[..., 2].min() > -0.003


@pytest.mark.parametrize("jump", [0.0, 0.6])
def test_a_foot_that_cannot_be_kept_is_not_called_standing(
    stick: Robot, person: Proportions, motion: Motion, jump: float
) -> None:
    """The human walks, or jumps aside, while all of its soles are said to stand."""
    retargeter, places, pinned = Retargeter(stick, person), [], []
    for index, human in enumerate(motion("walk", 3.0)):
        aside = human.pos_w + np.array([0.0, jump * (index > 40), 0.0])
        target = retargeter.step(HumanFrame(human.stamp_ns, aside, human.rot_w, np.ones((2, 2), bool)))
        places.append(stick.corners(stick.placed(target.q)))
        pinned.append(target.pinned)
    both = np.array([a & b for a, b in itertools.pairwise(pinned)])
    slips = np.linalg.norm(np.diff(places, axis=0), axis=-1)[both]
    assert len(slips) > 100 and slips.max() <= MAX_SLIP


@pytest.mark.parametrize("seed", range(3))
def test_no_foot_goes_through_the_floor(stick: Robot, person: Proportions, motion: Motion, seed: int) -> None:
    """The left foot leaps about and touches at random, while the right one stands."""
    rng, retargeter, lowest = np.random.default_rng(seed), Retargeter(stick, person), []
    left = [BODY_INDEX[body] for body in ("L_Knee", "L_Ankle", "L_Toe")]
    for human in motion("squat", 3.0)[30:70]:
        pos = human.pos_w.copy()
        pos[left, :2] += rng.normal(0, 0.8, 2)
        contact = np.stack([rng.random(2) < 0.5, [True, True]])
        target = retargeter.step(HumanFrame(human.stamp_ns, pos, human.rot_w, contact))
        lowest.append(stick.corners(stick.placed(target.q))[..., 2].min())
    assert min(lowest) >= -SUNK - 1e-9


def test_hands_reach_what_is_wanted(stick: Robot, person: Proportions, motion: Motion) -> None:
    retargeter, errors = Retargeter(stick, person), []
    for human in motion("gesture", 4.0):
        retargeter.step(human)
        errors += retargeter.hand_errors(retargeter.goal_maker(human)).values()
    assert np.median(errors) < 0.02


def test_a_squat_goes_down_by_the_ratio_of_the_legs(stick: Robot, person: Proportions, motion: Motion) -> None:
    retargeter, frames = Retargeter(stick, person), motion("squat", 6.0)
    heights = np.array([retargeter.step(human).q[2] for human in frames])
    human = np.array([frame.pos_w[[1, 5], 2].mean() for frame in frames])
    assert np.ptp(human) > 0.1
    assert np.ptp(heights) == pytest.approx(np.ptp(human) * stick.proportions.leg / person.leg, rel=0.2)


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6), gap=st.integers(1, 3 * 10**9))
def test_no_pose_of_a_human_breaks_a_limit(stick: Robot, person: Proportions, seed: int, gap: int) -> None:
    """Bodies anywhere, turned anyhow, contacts at random, any rate."""
    rng, retargeter = np.random.default_rng(seed), Retargeter(stick, person)
    joints, stamp = None, 0
    for _ in range(5):
        stamp += gap
        rot = hinges_to_matrix(rng.uniform(-3, 3, (24, 3)))
        target = retargeter.step(HumanFrame(stamp, rng.normal(0, 2, (24, 3)), rot, rng.random((2, 2)) < 0.5))
        assert (target.joints >= stick.ranges[:, 0]).all() and (target.joints <= stick.ranges[:, 1]).all()
        assert retargeter.collision.smallest(stick.placed(target.q)) > 0
        if joints is not None:
            reach = stick.velocity * min(gap * 1e-9, LONGEST_STEP)
            assert (np.abs(target.joints - joints) <= reach + 1e-9).all()
        joints = target.joints


def test_what_is_out_of_reach_is_said(stick: Robot, person: Proportions, motion: Motion) -> None:
    retargeter, human = Retargeter(stick, person), motion("stand", 1.0)[0]
    assert retargeter.step(human).feasible
    far = human.pos_w.copy()
    far[BODY_INDEX["R_Ankle"]] += (0.0, 0.0, 1.5)
    lifted = HumanFrame(human.stamp_ns + 10**8, far, human.rot_w, np.zeros((2, 2), bool))
    target = retargeter.step(lifted)
    assert not target.feasible and "foot" in target.reason


def test_an_old_frame_changes_nothing(stick: Robot, person: Proportions, motion: Motion) -> None:
    retargeter, frames = Retargeter(stick, person), motion("walk", 1.0)
    retargeter.step(frames[0])
    last = retargeter.step(frames[1])
    assert retargeter.step(frames[0]) is last
    assert retargeter.step(frames[1]) is last


def test_the_same_motion_gives_the_same_robot(stick: Robot, person: Proportions, motion: Motion) -> None:
    frames = motion("walk", 1.0)
    retargeter = Retargeter(stick, person)
    first = [retargeter.step(human).q for human in frames]
    retargeter.reset()
    second = [retargeter.step(human).q for human in frames]
    np.testing.assert_array_equal(first, second)


def test_upper_body_leaves_root_and_legs_alone(stick: Robot, person: Proportions, motion: Motion) -> None:
    retargeter = Retargeter(stick, person, upper_body=True)
    q = np.array([retargeter.step(human).q for human in motion("amble", 3.0)])
    np.testing.assert_allclose(q[:, :7], np.broadcast_to(stick.stand[:7], (len(q), 7)), atol=1e-12)
    legs = [7 + joint for joint in stick.leg_joints]
    np.testing.assert_allclose(q[:, legs], np.broadcast_to(stick.stand[legs], (len(q), len(legs))), atol=1e-12)
    assert np.ptp(q[:, 7:], axis=0).max() > 0.2


def test_velocities_are_the_change_of_the_pose(stick: Robot, person: Proportions, motion: Motion) -> None:
    retargeter, frames = Retargeter(stick, person), motion("walk", 1.0)
    before, after = [retargeter.step(human) for human in frames[:12]][-2:]
    np.testing.assert_allclose(after.joint_velocities, (after.joints - before.joints) * 30, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(after.qvel[:3], (after.q[:3] - before.q[:3]) * 30, rtol=1e-6, atol=1e-9)


def test_a_target_holds_finite_numbers_only() -> None:
    with pytest.raises(NonFiniteError):
        RobotTarget(0, np.full(10, np.nan), np.zeros(9), np.zeros((2, 4), bool))
    with pytest.raises(ShapeError):
        RobotTarget(0, np.zeros(10), np.zeros(10), np.zeros((2, 4), bool))


SOLE = np.array([[-0.1, 0.04, -0.05], [-0.1, -0.04, -0.05], [0.2, 0.04, -0.05], [0.2, -0.04, -0.05]])


def test_a_foot_stands_flat_where_it_touched_until_it_leaves() -> None:
    footing, wanted = Footing(SOLE, np.eye(3)), np.zeros(3)
    heel, all_, toe, none = (np.array(c) for c in ([True, False], [True, True], [False, True], [False, False]))
    tilted = hinges_to_matrix(np.array([0.0, -0.3, 0.5]))
    pos = np.array([1.0, 2.0, 0.08])
    assert footing.update(heel, pos, tilted, wanted).tolist() == [True, True, False, False]
    assert footing.placed is not None
    first = footing.placed.copy()
    np.testing.assert_allclose(first[:, 2], 0.0)
    touched = (pos + SOLE @ tilted.T)[:2].mean(0)
    np.testing.assert_allclose(first[:2, :2].mean(0), touched[:2])
    for touching, count in ((all_, 4), (toe, 2)):
        assert footing.update(touching, pos + 0.3, np.eye(3), wanted).sum() == count
        np.testing.assert_array_equal(footing.placed, first)
    assert not footing.update(none, pos, np.eye(3), wanted).any()
    assert footing.placed is None


def test_a_foot_that_is_carried_away_steps_again() -> None:
    footing, all_ = Footing(SOLE, np.eye(3)), np.array([True, True])
    footing.update(all_, np.zeros(3), np.eye(3), np.zeros(3))
    footing.update(all_, np.array([0.5, 0.0, 0.0]), np.eye(3), np.array([0.5, 0.0, 0.0]))
    assert footing.placed is not None
    assert footing.placed[:, 0].mean() == pytest.approx(0.55)


def test_the_frame_of_the_foots_link_does_not_matter() -> None:
    turned = hinges_to_matrix(np.array([1.5, 0.3, -0.7]))
    all_, pos, rot = np.array([True, True]), np.array([1.0, 2.0, 0.05]), hinges_to_matrix(np.array([0.0, 0.0, 0.4]))
    plain, other = Footing(SOLE, np.eye(3)), Footing(SOLE @ turned, turned)
    plain.update(all_, pos, rot, pos)
    other.update(all_, pos, rot @ turned, pos)
    np.testing.assert_allclose(other.placed, plain.placed, atol=1e-12)
