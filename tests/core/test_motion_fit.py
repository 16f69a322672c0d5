"""Hinges from rotations, and foreign skeletons brought onto ours."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import build_model
from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import BODY_INDEX, BODY_NAMES, HINGE_NAMES, PARENTS, SMPL_TO_MUJOCO, Skeleton
from physhmr.body.soles import corner_positions
from physhmr.errors import ShapeError
from physhmr.geometry.rotation import hinges_to_matrix, quat_to_matrix, rotvec_to_quat, yaw_quat
from physhmr.motion.from_points import aligned, stream_from_points
from physhmr.motion.ground import beyond_support
from physhmr.motion.hinge_fit import exact_angles, fit_hinges
from physhmr.motion.onto_humanoid import interpolate_rotations, onto_humanoid, rotation_between, transfer
from physhmr.motion.procedural import KNEES, RECIPES, generate
from physhmr.motion.source import SourceMotion
from physhmr.types import Array

SKELETON = Skeleton()
MODEL = build_model()
RNG = np.random.default_rng(0)
IDENTITY_JOINTS = {name: name for name in BODY_NAMES}


def gentle_qpos(frames: int = 40, size: float = 0.5) -> Array:
    """Smooth motion well inside the ranges, standing at an arbitrary place and heading."""
    phase, speed = RNG.uniform(0, 6, 69), RNG.uniform(0.5, 2.0, 69)
    low, high = SKELETON.ranges.T
    time = np.arange(frames)[:, None] / 30
    qpos = np.zeros((frames, 76))
    qpos[:, :3] = [1.0, 2.0, 0.95]
    qpos[:, 0] += 0.5 * time[:, 0]
    qpos[:, 3:7] = yaw_quat(0.3 + time[:, 0])
    qpos[:, 7:] = size * (0.5 * (low + high) + 0.5 * (high - low) * np.sin(phase + speed * time))
    return qpos


def test_reachable_rotations_are_reached() -> None:
    qpos = gentle_qpos()
    rot = forward_kinematics(qpos, SKELETON)[1]
    fitted = np.c_[qpos[:, :7], fit_hinges(rot, SKELETON)]
    assert np.abs(forward_kinematics(fitted, SKELETON)[0] - forward_kinematics(qpos, SKELETON)[0]).max() < 0.003


def test_many_clips_at_once_equal_each_alone() -> None:
    rot = np.stack([forward_kinematics(gentle_qpos(), SKELETON)[1] for _ in range(3)], 1)
    together = fit_hinges(rot, SKELETON)
    for column in range(3):
        np.testing.assert_allclose(together[:, column], fit_hinges(rot[:, column], SKELETON), atol=1e-12)


def test_ranges_hold_whatever_is_asked() -> None:
    wild = quat_to_matrix(RNG.normal(size=(30, 24, 4)))
    low, high = SKELETON.ranges.T
    angles = fit_hinges(wild, SKELETON)
    assert ((angles >= low) & (angles <= high)).all()


def test_a_child_makes_up_for_its_parents_stop() -> None:
    """A thigh that must stop short leaves the knee to bring the shank to where it should point, and the foot flat."""
    rot = np.tile(np.eye(3), (30, 24, 1, 1))
    # Turning the toes out by 100 degrees is more than the hip does; the knee's z adds its share.
    out = hinges_to_matrix(np.array([0.0, 0.0, np.radians(100)]))
    for name in ("L_Hip", "L_Knee", "L_Ankle", "L_Toe"):
        rot[:, BODY_INDEX[name]] = out
    angles = fit_hinges(rot, SKELETON)[-1].reshape(23, 3)
    assert angles[BODY_INDEX["L_Hip"] - 1, 2] == pytest.approx(np.radians(90), abs=1e-6)
    assert angles[BODY_INDEX["L_Knee"] - 1, 2] == pytest.approx(np.radians(10), abs=0.02)


def test_passing_gimbal_lock_does_not_spin_the_hinges() -> None:
    """An upper arm whose exact x and z jump by a half turn within one frame."""
    time = np.linspace(-1, 1, 60)
    triple = np.stack([0.02 + 0 * time, np.pi / 2 + 0.3 * time, 0.0 * time], -1)
    rot = np.tile(np.eye(3), (60, 24, 1, 1))
    for name in ("L_Shoulder", "L_Elbow", "L_Wrist", "L_Hand"):
        rot[:, BODY_INDEX[name]] = hinges_to_matrix(triple)
    angles = fit_hinges(rot, SKELETON)
    assert np.abs(np.diff(angles, axis=0)).max() < 0.1
    reached = forward_kinematics(np.c_[np.tile([0, 0, 0, 1, 0, 0, 0], (60, 1)), angles], SKELETON)[1]
    assert np.abs(reached - rot).max() < 0.05


def test_exact_angles_are_exact_and_pick_the_branch_inside_the_range() -> None:
    time = np.linspace(0, 1, 50)[:, None]
    triple = np.array([0.2, 1.8, -0.1]) + 0.2 * np.sin(5 * time + [0, 1, 2])
    low, high = np.array([-1.0, -0.5, -1.0]), np.array([1.0, 2.5, 1.0])
    np.testing.assert_allclose(exact_angles(hinges_to_matrix(triple), low, high), triple, atol=1e-9)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match="rot_w"):
        fit_hinges(np.zeros((5, 23, 3, 3)), SKELETON)


def our_motion(qpos: Array, fps: float) -> SourceMotion:
    """A performer with our own skeleton."""
    pos, rot = forward_kinematics(qpos, SKELETON)
    rest = SKELETON.rest_points - SKELETON.rest_points[0]
    return SourceMotion("ours", fps, BODY_NAMES, rest, pos, rot, "test")


def test_our_own_motion_comes_back_as_it_was() -> None:
    qpos = gentle_qpos()
    (clip,) = onto_humanoid([transfer(our_motion(qpos, 30.0), IDENTITY_JOINTS, SKELETON)], SKELETON)
    want, got = (forward_kinematics(q, SKELETON)[0] for q in (qpos, clip.qpos))
    assert np.abs(got - want).max() < 0.003


def test_a_performer_of_another_size_walks_as_far_as_its_legs_carry() -> None:
    qpos, size = gentle_qpos(), 1.3
    motion = our_motion(qpos, 30.0)
    large = SourceMotion("large", 30.0, BODY_NAMES, size * motion.rest_w, size * motion.pos_w, motion.rot_w, "test")
    small = transfer(motion, IDENTITY_JOINTS, SKELETON)
    np.testing.assert_allclose(transfer(large, IDENTITY_JOINTS, SKELETON).root_w, small.root_w, atol=1e-9)


def test_who_rests_with_splayed_legs_stands_on_flat_feet() -> None:
    """CMU's skeletons rest with legs splayed by 20 degrees, and with their feet turned as much."""
    standing = our_motion(gentle_qpos(size=0.0), 30.0)
    rest, rot = standing.rest_w.copy(), standing.rot_w.copy()
    for side, sign in (("L", 1.0), ("R", -1.0)):
        leg = [BODY_INDEX[f"{side}_{part}"] for part in ("Hip", "Knee", "Ankle", "Toe")]
        splay = quat_to_matrix(rotvec_to_quat(np.array([sign * np.radians(20.0), 0.0, 0.0])))
        rest[leg] = rest[leg[0]] + (rest[leg] - rest[leg[0]]) @ splay.T
        rot[:, leg] = rot[:, leg] @ splay.T
    splayed = SourceMotion("splayed", 30.0, BODY_NAMES, rest, standing.pos_w, rot, "test", feet_follow_shanks=True)
    stream = transfer(splayed, IDENTITY_JOINTS, SKELETON)
    feet = [BODY_INDEX[f"{side}_{part}"] for side in "LR" for part in ("Ankle", "Toe")]
    # Bones that are not quite straight above each other cost a degree.
    np.testing.assert_allclose(stream.rot_w[:, feet], standing.rot_w[:, feet], atol=0.02)


@pytest.mark.parametrize("fps", [120.0, 25.0, 33.3])
def test_other_frame_rates_keep_time(fps: float) -> None:
    time = np.arange(0, 2, 1 / fps)
    qpos = np.zeros((len(time), 76))
    qpos[:, 0], qpos[:, 3:7] = 1.1 * time, rotvec_to_quat(time[:, None] * np.array([0.0, 0.0, 0.9]))
    stream = transfer(our_motion(qpos, fps), IDENTITY_JOINTS, SKELETON)
    at = np.arange(len(stream.root_w)) / 30
    assert len(at) >= 59 - 30 / fps
    hip = stream.root_w[:, :2] - [0.0, 0.0]
    np.testing.assert_allclose(np.linalg.norm(np.diff(hip, axis=0), axis=1), 1.1 / 30, atol=2e-3)
    np.testing.assert_allclose(stream.rot_w[:, 0, 1, 0], np.sin(0.9 * at), atol=1e-3)


def test_bodies_between_known_ones_share_the_turn() -> None:
    qpos = gentle_qpos()
    coarse = {name: name for name in BODY_NAMES if name not in ("Torso", "Spine", "Neck")}
    stream, chest = transfer(our_motion(qpos, 30.0), coarse, SKELETON), BODY_INDEX["Chest"]
    steps = []
    for body in ("Torso", "Spine", "Chest"):
        parent = stream.rot_w[:, PARENTS[BODY_INDEX[body]]]
        steps.append(np.swapaxes(parent, -1, -2) @ stream.rot_w[:, BODY_INDEX[body]])
    np.testing.assert_allclose(steps[0], steps[1], atol=1e-9)
    np.testing.assert_allclose(steps[1], steps[2], atol=1e-9)
    np.testing.assert_allclose(stream.rot_w[:, chest], forward_kinematics(qpos, SKELETON)[1][:, chest], atol=1e-9)


def test_interpolated_rotations() -> None:
    R0, R1 = quat_to_matrix(RNG.normal(size=(2, 5, 4)))
    np.testing.assert_allclose(interpolate_rotations(R0, R1, np.zeros(5)), R0, atol=1e-9)
    np.testing.assert_allclose(interpolate_rotations(R0, R1, np.ones(5)), R1, atol=1e-9)
    half = interpolate_rotations(R0, R1, np.full(5, 0.5))
    np.testing.assert_allclose(interpolate_rotations(R1, R0, np.full(5, 0.5)), half, atol=1e-6)


def test_rotation_between_directions() -> None:
    a, b = RNG.normal(size=(2, 3))
    R = rotation_between(a, b)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(R @ a / np.linalg.norm(a), b / np.linalg.norm(b), atol=1e-12)


def test_points_alone_tell_the_pose() -> None:
    """SMPL joints of a known pose: bones point where they did, legs and arms bend the same way."""
    qpos = gentle_qpos(size=0.0)
    time = np.arange(len(qpos)) / 30
    for name, axis, angle in (("L_Knee", 1, 0.8), ("R_Hip", 1, -0.9), ("L_Elbow", 2, -1.2), ("R_Shoulder", 0, 1.2)):
        qpos[:, 7 + 3 * (BODY_INDEX[name] - 1) + axis] = angle * np.sin(2 * time) ** 2
    pos, _ = forward_kinematics(qpos, SKELETON)
    stream = stream_from_points("points", pos[:, list(SMPL_TO_MUJOCO)], SKELETON, "test")
    (clip,) = onto_humanoid([stream], SKELETON)
    error = np.linalg.norm(forward_kinematics(clip.qpos, SKELETON)[0] - pos, axis=-1)
    assert error.max() < 0.03


def test_aligned_frames() -> None:
    direction, hint = RNG.normal(size=(2, 6, 3))
    R = aligned(direction, hint, np.array([0.0, 0.0, -1.0]), np.array([0.0, 1.0, 0.0]))
    np.testing.assert_allclose(-R[..., 2], direction / np.linalg.norm(direction, axis=1)[:, None], atol=1e-12)
    assert (np.sum(R[..., 1] * hint, 1) > 0).all()


@pytest.mark.parametrize("recipe", RECIPES)
def test_generated_motion_repeats_by_seed_and_stays_slow(recipe: str) -> None:
    first, again, other = (generate(recipe, seed, SKELETON, 4.0) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.rot_w, again.rot_w)
    assert np.abs(first.rot_w - other.rot_w).max() > 0.1
    assert len(first.root_w) == 120
    assert np.abs(np.diff(first.root_w, axis=0)).max() * 30 < 2.5


def placed(qpos: Array) -> mujoco.MjData:
    """MuJoCo's own word for where bodies and their mass are."""
    data = mujoco.MjData(MODEL)
    data.qpos[:] = qpos
    mujoco.mj_kinematics(MODEL, data)
    mujoco.mj_comPos(MODEL, data)
    return data


@pytest.mark.parametrize("recipe", ["stand", "gesture", "shift", "bow", "squat"])
@pytest.mark.parametrize("seed", [0, 2, 5])
def test_generated_stances_stand_over_their_feet(recipe: str, seed: int) -> None:
    """A body whose centre of mass leaves its feet for good falls; no policy could follow it."""
    (clip,) = onto_humanoid([generate(recipe, seed, SKELETON, 8.0)], SKELETON)
    before = []
    for qpos in clip.qpos[::10]:
        body = placed(qpos)
        left, right = (body.body(f"{side}_Ankle").xpos[:2] for side in "LR")
        apart = np.linalg.norm(left - right)
        from_middle = body.subtree_com[1, :2] - 0.5 * (left + right)
        sideways = from_middle @ (left - right) / apart
        assert abs(sideways) < 0.5 * apart + 0.03
        forward = np.cross([*(left - right) / apart, 0.0], [0.0, 0.0, 1.0])[:2]
        before.append(from_middle @ forward)
    # Before the ankles, as people do, not over their heels; the sole ends at 0.2.
    assert 0.02 < np.median(before) < 0.14


@pytest.mark.parametrize("recipe", ["one_leg", "balance"])
@pytest.mark.parametrize("seed", [0, 2, 5])
def test_who_is_generated_on_one_leg_has_their_mass_over_it(recipe: str, seed: int) -> None:
    """Nobody comes to rest with the mass beside the sole that they stand on."""
    (clip,) = onto_humanoid([generate(recipe, seed, SKELETON, 8.0)], SKELETON)
    mass = np.array([placed(qpos).subtree_com[1, :2] for qpos in clip.qpos])
    rests = np.linalg.norm(np.gradient(mass, 1 / 30, axis=0), axis=1) < 0.03
    soles, alone = corner_positions(clip.qpos, SKELETON), 0
    for center, corners in zip(mass[rests], soles[rests], strict=True):
        # Corners come foot by foot.
        heights = corners[:, 2].reshape(2, -1).min(1)
        if heights.max() < 0.05:
            continue
        alone += 1
        sole = corners.reshape(2, -1, 3)[heights.argmin(), :, :2]
        assert np.linalg.norm(center - sole.mean(0)) < 0.05
    assert alone > 15


@pytest.mark.parametrize("recipe", [name for name, recipe in RECIPES.items() if recipe.gait != "none"])
def test_generated_steps_are_borne_by_the_feet_that_make_them(recipe: str) -> None:
    """Walkers whose mass merely went to and fro would have to be held up to two decimetres beside their feet."""
    for clip in onto_humanoid([generate(recipe, seed, SKELETON, 8.0) for seed in range(4)], SKELETON):
        beyond = beyond_support(clip.qpos, SKELETON)
        assert beyond.mean() < 0.002 and (beyond > 0.03).mean() < 0.01


@pytest.mark.parametrize("recipe", ["stand", "gesture", "walk"])
def test_generated_people_carry_themselves_on_nearly_straight_legs(recipe: str) -> None:
    clips = onto_humanoid([generate(recipe, seed, SKELETON, 8.0) for seed in range(12)], SKELETON)
    knees = [HINGE_NAMES.index(f"{side}_Knee_y") for side in "LR"]
    straighter = [clip.qpos[:, 7:][:, knees].min(1) for clip in clips]
    assert all(np.quantile(angle, 0.02) > 0.9 * KNEES[0] for angle in straighter)
    assert all(np.quantile(angle, 0.1) < KNEES[1] + 0.02 for angle in straighter)
    assert 0.1 < np.median([np.quantile(angle, 0.1) for angle in straighter]) < 0.35


def test_a_straight_leg_turns_the_way_its_toes_point() -> None:
    """No bend tells its axis; that of the pelvis would roll feet which point outwards."""
    qpos = np.zeros((2, 76))
    qpos[:, 3] = 1.0
    for side, sign in (("L", 1.0), ("R", -1.0)):
        qpos[:, 7 + HINGE_NAMES.index(f"{side}_Hip_z")] = 0.5 * sign
    pos, rot = forward_kinematics(qpos, SKELETON)
    found = stream_from_points("straight", pos[:, list(SMPL_TO_MUJOCO)], SKELETON, "test").rot_w
    for body in ("L_Hip", "L_Knee", "L_Ankle", "R_Hip", "R_Knee", "R_Ankle"):
        off = np.swapaxes(rot[:, BODY_INDEX[body]], -1, -2) @ found[:, BODY_INDEX[body]]
        assert np.degrees(np.arccos((np.trace(off, axis1=-2, axis2=-1) - 1) / 2)).max() < 5.0, body
