"""Lifting by the encoder: it waits for a new person, stands where the rays say, and does not jitter with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from physhmr.body.humanoid_mjcf import standing_qpos  # noqa: E402
from physhmr.body.keypoints import keypoints_of  # noqa: E402
from physhmr.body.kinematics import forward_kinematics  # noqa: E402
from physhmr.body.points import place_points  # noqa: E402
from physhmr.body.skeleton import Skeleton  # noqa: E402
from physhmr.body.soles import sole_corners  # noqa: E402
from physhmr.geometry.rays import ray_residual  # noqa: E402
from physhmr.policy.encoded_lifter import SETTLING_FRAMES, EncodedLifter  # noqa: E402
from physhmr.policy.export import export_encoder  # noqa: E402
from physhmr.policy.motion_encoder import MotionEncoder  # noqa: E402
from physhmr.types import KEYPOINTS, Array, RayBundle  # noqa: E402

SKELETON = Skeleton()
CAMERA_W = np.array([-3.0, 0.5, 1.4])
STANDS = 153
"""First of the encoder's two numbers for standing feet."""


@pytest.fixture(scope="module")
def encoder_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder that always tells of somebody who stands upright, both feet down."""
    encoder = MotionEncoder(8)
    with torch.no_grad():
        last = encoder.tell[-1]
        assert isinstance(last, torch.nn.Linear)
        last.weight.zero_()
        last.bias.zero_()
        last.bias[6:9] = torch.tensor([3.0, 0.0, 1.0])
        last.bias[15:84] = torch.tensor(standing_qpos(SKELETON)[7:])
        last.bias[STANDS:] = 20.0
    path = tmp_path_factory.mktemp("encoder") / "encoder.onnx"
    export_encoder(encoder, SKELETON, path, {})
    return path


def seen(points_w: Array, frame: int) -> RayBundle:
    direction = points_w - CAMERA_W
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    count = len(KEYPOINTS)
    hips = [KEYPOINTS.index("L_Hip"), KEYPOINTS.index("R_Hip")]
    return RayBundle(
        frame * 33_333_333, np.tile(CAMERA_W, (count, 1)), direction, np.ones(count), points_w - points_w[hips].mean(0)
    )


def test_a_new_person_is_waited_for(encoder_file: Path) -> None:
    lifter, points = EncodedLifter(encoder_file, SKELETON), keypoints_of(standing_qpos(SKELETON), SKELETON)
    for _ in range(2):
        answers = [lifter.step(seen(points, frame)) for frame in range(SETTLING_FRAMES + 2)]
        assert [answer is None for answer in answers] == [True] * SETTLING_FRAMES + [False] * 2
        lifter.reset()


def test_the_pose_stands_where_the_rays_say_and_on_the_floor(encoder_file: Path) -> None:
    lifter = EncodedLifter(encoder_file, SKELETON)
    qpos = standing_qpos(SKELETON)
    qpos[:2] = [0.4, -0.3]
    points = keypoints_of(qpos, SKELETON)
    for frame in range(20):
        reference = lifter.step(seen(points, frame))
    assert reference is not None
    found = keypoints_of(reference.qpos, SKELETON)
    rays = seen(points, 0)
    # Turned about the vertical by the view, the stance still has its middle on the rays.
    middle = ray_residual(rays.origin_w, rays.dir_w, found).mean(0)
    assert np.linalg.norm(middle) < 0.03
    soles = place_points(sole_corners(SKELETON), *forward_kinematics(reference.qpos, SKELETON))
    assert soles[:, 2].min() == pytest.approx(0.0, abs=1e-6)


def test_shaking_rays_shake_the_root_less(encoder_file: Path) -> None:
    points, random = keypoints_of(standing_qpos(SKELETON), SKELETON), np.random.default_rng(0)
    lifter, roots, offsets = EncodedLifter(encoder_file, SKELETON), [], []
    for frame in range(60):
        offsets.append(0.03 * random.normal(size=3) * [0, 1, 0])
        reference = lifter.step(seen(points + offsets[-1], frame))
        if reference is not None and frame > 15:
            roots.append(reference.qpos[1])
    assert np.diff(roots).std() < 0.6 * np.diff(np.array(offsets)[16:, 1]).std()


def test_the_scale_scales_the_world(encoder_file: Path) -> None:
    points = keypoints_of(standing_qpos(SKELETON), SKELETON)
    rays = [seen(points, frame) for frame in range(8)]
    plain, scaled = EncodedLifter(encoder_file, SKELETON), EncodedLifter(encoder_file, SKELETON)
    for one in rays:
        here = plain.step(one)
        there = scaled.step(replace(one, origin_w=one.origin_w / 0.9, landmarks_w=one.landmarks_w / 0.9), 0.9)
    assert here is not None and there is not None
    np.testing.assert_allclose(there.qpos, here.qpos, atol=1e-5)
