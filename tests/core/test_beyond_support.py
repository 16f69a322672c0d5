"""Where weight and inertia would have to be borne: under the feet of who stands, outside of who would fall."""

from __future__ import annotations

import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import CONTROL_HZ, center_of_mass, standing_qpos
from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import Skeleton
from physhmr.body.soles import corner_positions, on_floor
from physhmr.geometry.gravity import STANDARD
from physhmr.geometry.rotation import quat_multiply, rotvec_to_quat, yaw_quat
from physhmr.motion.ground import beyond_support
from physhmr.types import Array

SKELETON = Skeleton()
FRAMES = 60


def standing() -> Array:
    return on_floor(np.tile(standing_qpos(SKELETON), (FRAMES, 1)), SKELETON)


def toes() -> float:
    """m before the centre of mass."""
    pose = standing()[:1]
    center = center_of_mass(*forward_kinematics(pose, SKELETON), SKELETON)[0]
    return float(corner_positions(pose, SKELETON)[0, :, 0].max() - center[0])


def test_who_stands_or_flies_is_borne() -> None:
    np.testing.assert_array_equal(beyond_support(standing(), SKELETON), 0.0)
    np.testing.assert_array_equal(beyond_support(standing() + np.eye(76)[2], SKELETON), 0.0)


@pytest.mark.parametrize("speed_up", [0.5, 3.0, 6.0])
def test_who_speeds_up_on_the_spot_leans_on_what_is_not_there(speed_up: float) -> None:
    """Bodies that are pushed by the floor have it push behind the mass, by height times acceleration over gravity."""
    qpos, time = standing(), np.arange(FRAMES) / CONTROL_HZ
    qpos[:, 0] -= 0.5 * speed_up * time**2
    height = center_of_mass(*forward_kinematics(qpos[:1], SKELETON), SKELETON)[0, 2]
    expected = max(height * speed_up / STANDARD - toes(), 0.0)
    np.testing.assert_allclose(beyond_support(qpos, SKELETON)[8:-8], expected, atol=0.01)


def test_which_way_somebody_faces_does_not_matter() -> None:
    qpos = standing()
    qpos[:, 3:7] = rotvec_to_quat(np.array([0.0, 0.3, 0.0]))
    leaning = on_floor(qpos, SKELETON)
    beyond = beyond_support(leaning, SKELETON)
    assert beyond.min() > 0.05
    turned = leaning.copy()
    turned[:, 3:7] = quat_multiply(np.tile(yaw_quat(np.array([0.7])), (FRAMES, 1)), leaning[:, 3:7])
    turned[:, :2] = [3.0, -2.0]
    # Edges are looked for in 32 directions; an edge of 0.3 m in between counts for so much less.
    np.testing.assert_allclose(beyond_support(turned, SKELETON), beyond, atol=0.015)
