"""The skeleton's tables: a tree, symmetric, with the gains and masses that the method states."""

from __future__ import annotations

import numpy as np
import pytest

from physhmr.body.skeleton import (
    BODY_NAMES,
    HINGE_NAMES,
    PARENTS,
    SMPL_TO_MUJOCO,
    Shape,
    Skeleton,
    mirror_name,
)
from physhmr.errors import PhyshmrError

# SMPL's joints in its own order.
SMPL = (
    "Pelvis", "L_Hip", "R_Hip", "Torso", "L_Knee", "R_Knee", "Spine", "L_Ankle", "R_Ankle", "Chest", "L_Toe", "R_Toe",
    "Neck", "L_Thorax", "R_Thorax", "Head", "L_Shoulder", "R_Shoulder", "L_Elbow", "R_Elbow", "L_Wrist", "R_Wrist",
    "L_Hand", "R_Hand",
)  # fmt: skip
STATED_GAINS = {
    "Hip": (800, 80, 1000), "Knee": (800, 80, 1000), "Ankle": (800, 80, 1000), "Toe": (500, 50, 500),
    "Torso": (1000, 100, 500), "Spine": (1000, 100, 500), "Chest": (1000, 100, 500),
    "Neck": (500, 50, 250), "Head": (500, 50, 250), "Thorax": (500, 50, 1000), "Shoulder": (500, 50, 1000),
    "Elbow": (500, 50, 250), "Wrist": (300, 30, 250), "Hand": (300, 30, 250),
}  # fmt: skip


def test_parents_come_before_their_children() -> None:
    assert PARENTS[0] == -1 and all(0 <= parent < body for body, parent in enumerate(PARENTS) if body)


def test_smpl_order() -> None:
    assert tuple(BODY_NAMES[index] for index in SMPL_TO_MUJOCO) == SMPL


def test_hinges_follow_their_bodies() -> None:
    assert len(HINGE_NAMES) == 69 == len(set(HINGE_NAMES))
    assert HINGE_NAMES[:3] == ("L_Hip_x", "L_Hip_y", "L_Hip_z") and HINGE_NAMES[-1] == "R_Hand_z"


@pytest.mark.parametrize("name", BODY_NAMES)
def test_left_and_right_mirror_each_other(name: str) -> None:
    skeleton, body, other = Skeleton(), BODY_NAMES.index(name), BODY_NAMES.index(mirror_name(name))
    assert mirror_name(mirror_name(name)) == name
    np.testing.assert_allclose(skeleton.rest_points[other], skeleton.rest_points[body] * (1, -1, 1))
    assert skeleton.masses[other] == skeleton.masses[body]
    if body:
        ours, theirs = (skeleton.ranges.reshape(23, 3, 2)[index - 1] for index in (body, other))
        np.testing.assert_allclose(theirs[1], ours[1])
        np.testing.assert_allclose(theirs[[0, 2]], -ours[[0, 2]][:, ::-1])


def test_gains_are_the_methods() -> None:
    for body, row in zip(BODY_NAMES[1:], Skeleton().gains.reshape(23, 3, 3), strict=True):
        assert (row == STATED_GAINS[body.removeprefix("L_").removeprefix("R_")]).all()


@pytest.mark.parametrize("shape", [Shape(), Shape(1.3, 30.0), Shape(2.1, 150.0)])
def test_lengths_follow_the_height_and_masses_the_mass(shape: Shape) -> None:
    skeleton, standard = Skeleton(shape), Skeleton()
    np.testing.assert_allclose(skeleton.offsets / shape.height, standard.offsets / standard.shape.height)
    assert skeleton.masses.sum() == pytest.approx(shape.mass, rel=1e-9)
    np.testing.assert_array_equal(skeleton.gains, standard.gains)


def test_rest_offsets_add_up_to_rest_points() -> None:
    skeleton = Skeleton()
    for body, parent in enumerate(PARENTS):
        if body:
            np.testing.assert_allclose(
                skeleton.rest_points[parent] + skeleton.offsets[body], skeleton.rest_points[body], atol=1e-12
            )


def test_ranges_hold_the_rest_pose_and_never_a_full_turn() -> None:
    low, high = Skeleton().ranges.T
    assert (low < 0).all() and (high > 0).all() and (high - low < 2 * np.pi).all()


@pytest.mark.parametrize("height", [0.0, -1.7, 1.19, 2.21, 170.0, np.nan, np.inf])
def test_silly_heights_are_refused(height: float) -> None:
    with pytest.raises(PhyshmrError, match="height must lie in"):
        Shape(height=height)


@pytest.mark.parametrize("mass", [0.0, -70.0, 24.0, 201.0, np.nan])
def test_silly_masses_are_refused(mass: float) -> None:
    with pytest.raises(PhyshmrError, match="mass must lie in"):
        Shape(mass=mass)
