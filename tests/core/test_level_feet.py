"""Feet that a skeleton tilts all the time are turned flat; what people do with them stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from physhmr.body.skeleton import BODY_INDEX, Skeleton
from physhmr.geometry.rotation import quat_to_matrix, rotvec_to_quat
from physhmr.motion.level_feet import MOST, with_level_feet
from physhmr.motion.procedural import generate
from physhmr.motion.source import PoseStream
from physhmr.types import Array

SKELETON = Skeleton()
FEET = {side: [BODY_INDEX[f"{side}_Ankle"], BODY_INDEX[f"{side}_Toe"]] for side in "LR"}


def tilted(stream: PoseStream, **rotvecs: tuple[float, float, float]) -> PoseStream:
    """The stream by a skeleton whose feet are turned by these, L and R."""
    rot = stream.rot_w.copy()
    for side, rotvec in rotvecs.items():
        rot[:, FEET[side]] = rot[:, FEET[side]] @ quat_to_matrix(rotvec_to_quat(np.array(rotvec)))
    return replace(stream, rot_w=rot)


def largest_angle(first: Array, second: Array) -> float:
    """rad, between rotations (..., 3, 3)."""
    cosine = (np.trace(np.swapaxes(first, -1, -2) @ second, axis1=-2, axis2=-1) - 1) / 2
    return float(np.arccos(np.clip(cosine, -1, 1)).max())


@pytest.mark.parametrize("recipe", ["walk", "gesture", "squat"])
def test_the_tilt_of_a_skeleton_goes(recipe: str) -> None:
    stream = generate(recipe, 3, SKELETON, 6.0)
    levelled = with_level_feet(tilted(stream, L=(0.1, 0.12, 0.0), R=(-0.05, -0.15, 0.0)), SKELETON)
    for side in "LR":
        assert largest_angle(levelled.rot_w[:, FEET[side]], stream.rot_w[:, FEET[side]]) < 0.01
    others = [body for body in range(24) if body not in FEET["L"] + FEET["R"]]
    np.testing.assert_array_equal(levelled.rot_w[:, others], stream.rot_w[:, others])


def test_who_stands_flat_is_left_alone() -> None:
    stream = generate("amble", 1, SKELETON, 6.0)
    np.testing.assert_allclose(with_level_feet(stream, SKELETON).rot_w, stream.rot_w, atol=1e-9)


def test_who_is_on_tiptoe_for_a_while_stays_there() -> None:
    stream = generate("stand", 0, SKELETON, 6.0)
    rot, root = stream.rot_w.copy(), stream.root_w.copy()
    # The last two thirds, both heels up by a decimetre or so.
    rot[60:, FEET["L"] + FEET["R"]] = rot[60:, FEET["L"] + FEET["R"]] @ quat_to_matrix(
        rotvec_to_quat(np.eye(3)[1] * 0.6)
    )
    root[60:, 2] += 0.08
    raised = replace(stream, rot_w=rot, root_w=root)
    np.testing.assert_allclose(with_level_feet(raised, SKELETON).rot_w, rot, atol=1e-9)


def test_a_tilt_that_no_skeleton_has_is_believed() -> None:
    stream = tilted(generate("stand", 0, SKELETON, 6.0), L=(0.0, 1.5 * MOST, 0.0))
    np.testing.assert_array_equal(with_level_feet(stream, SKELETON).rot_w, stream.rot_w)


def test_feet_that_never_stand_tell_nothing() -> None:
    stream = tilted(generate("stand", 0, SKELETON, 3.0), L=(0.0, 0.1, 0.0), R=(0.0, 0.1, 0.0))
    away = replace(stream, root_w=stream.root_w + np.arange(len(stream.root_w))[:, None] * np.array([0.1, 0.0, 0.0]))
    np.testing.assert_array_equal(with_level_feet(away, SKELETON).rot_w, away.rot_w)
