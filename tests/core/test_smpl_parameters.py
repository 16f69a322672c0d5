"""SMPL's own forward kinematics, fed with our parameters and our bones, must stand where our bodies do."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import BODY_INDEX, SMPL_TO_MUJOCO, Skeleton
from physhmr.body.smpl_parameters import SmplParameters, smpl_parameters
from physhmr.errors import NonFiniteError, ShapeError
from physhmr.geometry.rotation import Y_UP_TO_Z_UP, quat_multiply, quat_to_matrix, rotvec_to_quat, yaw_quat
from physhmr.motion.amass import load_amass
from physhmr.motion.clip import mirror_qpos
from physhmr.types import NQ, Array

SKELETON = Skeleton()
SMPL = list(SMPL_TO_MUJOCO)
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
"""SMPL's kintree_table."""
LEFT_RIGHT = [(1, 2), (4, 5), (7, 8), (10, 11), (13, 14), (16, 17), (18, 19), (20, 21), (22, 23)]
SWAPPED = np.arange(24)
for left, right in LEFT_RIGHT:
    SWAPPED[[left, right]] = right, left
seeds = st.integers(0, 2**32 - 1)


def poses(seed: int, *leading: int) -> Array:
    """Any places, any orientations, hinges anywhere."""
    rng = np.random.default_rng(seed)
    qpos = rng.uniform(-np.pi, np.pi, (*leading, NQ))
    qpos[..., 3:7] = rng.normal(size=(*leading, 4))
    qpos[..., 3:7] /= np.linalg.norm(qpos[..., 3:7], axis=-1, keepdims=True)
    return qpos


def rotations(parameters: SmplParameters) -> Array:
    """(..., 24, 3, 3), each in its parent; the root's in the world."""
    vectors = np.concatenate([parameters.global_orient, parameters.body_pose], -1)
    return quat_to_matrix(rotvec_to_quat(vectors.reshape(*vectors.shape[:-1], 24, 3)))


def smpl_joints(parameters: SmplParameters, rest: Array) -> tuple[Array, Array]:
    """Equations 2-4 of the SMPL paper: joint centres and rotations from rest joints (24, 3) in SMPL's axes."""
    local = rotations(parameters)
    pos, rot = np.empty(local.shape[:-1]), np.empty(local.shape)
    for joint, parent in enumerate(PARENTS):
        if parent < 0:
            pos[..., 0, :], rot[..., 0, :, :] = parameters.transl + rest[0], local[..., 0, :, :]
            continue
        pos[..., joint, :] = pos[..., parent, :] + rot[..., parent, :, :] @ (rest[joint] - rest[parent])
        rot[..., joint, :, :] = rot[..., parent, :, :] @ local[..., joint, :, :]
    return pos, rot


def own_rest() -> Array:
    """(24, 3) m, our T-pose in SMPL's axes and order, the root at the origin."""
    points = SKELETON.rest_points[SMPL]
    x, y, z = (points - points[0]).T
    return np.stack([y, z, x], -1)


@given(seeds)
def test_smpls_kinematics_put_our_bodies_where_they_are(seed: int) -> None:
    qpos = poses(seed, 3)
    pos_w, rot_w = forward_kinematics(qpos, SKELETON)
    pos, rot = smpl_joints(smpl_parameters(qpos), own_rest())
    np.testing.assert_allclose(pos, pos_w[:, SMPL], atol=1e-9)
    # In the rest pose SMPL's axes are ours under other names.
    np.testing.assert_allclose(rot, rot_w[:, SMPL] @ Y_UP_TO_Z_UP, atol=1e-9)


def test_the_axes_are_smpls() -> None:
    """A standing body: its x points left, its y up, its z ahead; a bent knee turns about +x, a raised left arm +z."""
    qpos = np.zeros(NQ)
    qpos[2:4] = 1.0
    standing = smpl_parameters(qpos)
    left, up, ahead = quat_to_matrix(rotvec_to_quat(standing.global_orient)).T
    np.testing.assert_allclose([left, up, ahead], [[0, 1, 0], [0, 0, 1], [1, 0, 0]], atol=1e-12)
    assert not standing.body_pose.any()
    qpos[7 + 3 * (BODY_INDEX["L_Knee"] - 1) + 1] = 0.7  # y: flexed
    qpos[7 + 3 * (BODY_INDEX["L_Shoulder"] - 1)] = 0.5  # x: lifted
    turned = smpl_parameters(qpos).body_pose.reshape(23, 3)
    np.testing.assert_allclose(turned[4 - 1], [0.7, 0, 0], atol=1e-12)
    np.testing.assert_allclose(turned[16 - 1], [0, 0, 0.5], atol=1e-12)
    assert np.count_nonzero(np.abs(turned) > 1e-12) == 2


@given(seeds, st.floats(-3.0, 3.0))
def test_a_turn_on_the_spot_changes_the_root_alone(seed: int, yaw: float) -> None:
    qpos = poses(seed)
    turned = qpos.copy()
    turned[3:7] = quat_multiply(yaw_quat(np.array(yaw)), qpos[3:7])
    turned[:3] = quat_to_matrix(yaw_quat(np.array(yaw))) @ qpos[:3]
    before, after = smpl_parameters(qpos), smpl_parameters(turned)
    np.testing.assert_allclose(after.body_pose, before.body_pose, atol=1e-12)
    R = quat_to_matrix(yaw_quat(np.array(yaw)))
    np.testing.assert_allclose(after.transl, R @ before.transl, atol=1e-9)
    np.testing.assert_allclose(rotations(after)[0], R @ rotations(before)[0], atol=1e-9)


@given(seeds)
def test_the_mirrored_body_is_smpls_mirror_image(seed: int) -> None:
    """Sides change places; of each rotation vector the part along x, across the mirror, stays."""
    qpos = poses(seed)
    here, there = smpl_parameters(qpos), smpl_parameters(mirror_qpos(qpos))
    flip = np.diag([-1.0, 1.0, 1.0])
    expected = (flip @ rotations(here) @ flip)[SWAPPED]
    np.testing.assert_allclose(rotations(there)[1:], expected[1:], atol=1e-9)
    np.testing.assert_allclose(rotations(there)[0], np.diag([1, -1, 1]) @ rotations(here)[0] @ flip, atol=1e-9)
    np.testing.assert_allclose(there.transl, here.transl * [1, -1, 1], atol=1e-12)


def test_many_poses_are_as_good_as_one() -> None:
    qpos = poses(0, 2, 3)
    many = smpl_parameters(qpos)
    one = smpl_parameters(qpos[1, 2])
    for name in ("global_orient", "body_pose", "transl"):
        np.testing.assert_allclose(getattr(many, name)[1, 2], getattr(one, name), atol=1e-12)


def test_rotation_vectors_are_the_shortest() -> None:
    found = smpl_parameters(poses(1, 500))
    vectors = np.concatenate([found.global_orient, found.body_pose], -1).reshape(-1, 3)
    assert np.linalg.norm(vectors, axis=-1).max() <= np.pi + 1e-12


def test_what_is_told_is_a_motion_that_the_library_reads() -> None:
    """The loader of AMASS finds our bodies again, wherever they are."""
    qpos = poses(2, 4)
    told = smpl_parameters(qpos)
    stream, file = io.BytesIO(), {"betas": np.zeros(10), "mocap_framerate": 30.0, "trans": told.transl}
    np.savez(stream, poses=np.concatenate([told.global_orient, told.body_pose], -1), **file)
    read = load_amass("told", stream.getvalue(), SKELETON)
    np.testing.assert_allclose(read.root_w, qpos[:, :3], atol=1e-9)
    rot_w = forward_kinematics(qpos, SKELETON)[1]
    np.testing.assert_allclose(read.rot_w[:, SMPL[:22]], rot_w[:, SMPL[:22]], atol=1e-9)


def test_what_is_no_pose_is_refused() -> None:
    with pytest.raises(ShapeError, match="qpos"):
        smpl_parameters(np.zeros(75))
    with pytest.raises(ShapeError, match="body_pose"):
        SmplParameters(np.zeros((2, 3)), np.zeros((2, 72)), np.zeros((2, 3)))
    with pytest.raises(NonFiniteError, match="transl"):
        SmplParameters(np.zeros(3), np.zeros(69), np.full(3, np.nan))
