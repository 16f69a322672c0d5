"""Points fixed in bodies are placed where the bodies' frames say."""

from __future__ import annotations

import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.kinematics import forward_kinematics
from physhmr.body.points import BodyPoint, place_points
from physhmr.body.skeleton import BODY_NAMES, Skeleton
from physhmr.geometry.rotation import rotvec_to_quat

SKELETON = Skeleton()
POINTS = (BodyPoint("Head", (0.1, 0.0, 0.2)), BodyPoint("L_Toe"))


@pytest.mark.parametrize("seed", range(3))
def test_points_are_placed_in_their_bodies_frames(seed: int) -> None:
    rng = np.random.default_rng(seed)
    qpos = standing_qpos(SKELETON)
    qpos[:3] += rng.normal(0, 0.5, 3)
    qpos[3:7] = rotvec_to_quat(rng.normal(0, 0.4, 3))
    qpos[7:] += rng.uniform(-0.3, 0.3, 69)
    pos, rot = forward_kinematics(qpos, SKELETON)
    for point, placed in zip(POINTS, place_points(POINTS, pos, rot), strict=True):
        body = BODY_NAMES.index(point.body)
        np.testing.assert_allclose(rot[body].T @ (placed - pos[body]), point.offset_b, atol=1e-12)


def test_a_batch_of_poses_is_placed_at_once() -> None:
    pos, rot = forward_kinematics(standing_qpos(SKELETON), SKELETON)
    batch = place_points(POINTS, np.stack([pos, pos + 1.0]), np.stack([rot, rot]))
    np.testing.assert_allclose(batch[1], batch[0] + 1.0)
