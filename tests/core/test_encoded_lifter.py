"""Lifting by an encoder: it waits for a new person, is corrected by the rays, and does not jitter with them."""

from __future__ import annotations

import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.keypoints import keypoints_of
from physhmr.body.skeleton import HINGE_NAMES, Skeleton
from physhmr.body.tangent import pose_add
from physhmr.geometry.rays import ray_residual
from physhmr.geometry.rotation import yaw_quat
from physhmr.lifting.encoded_lifter import EncodedLifter, EncodedLifterCfg
from physhmr.types import KEYPOINTS, NV, Array, MotionToken, RayBundle, Reference

SKELETON = Skeleton()
CAMERA_W = np.array([-3.0, 0.5, 1.4])
IMAGES, STEPS = EncodedLifterCfg().settling
FRAMES = STEPS - 1
"""Of a camera at 30 Hz, that are needed before the first that is told."""


class Says:
    """An encoder that always says the same."""

    def __init__(self, qpos: Array, qvel: Array | None = None) -> None:
        self.qpos, self.qvel, self.resets = qpos, np.zeros(NV) if qvel is None else qvel, 0

    def step(self, rays: RayBundle) -> MotionToken:
        return self.coast(rays.stamp_ns)

    def coast(self, stamp_ns: int) -> MotionToken:
        return MotionToken(stamp_ns, np.zeros(4), Reference(stamp_ns, self.qpos, self.qvel), np.ones(2))

    def reset(self) -> None:
        self.resets += 1


def stance(x: float = 0.0, y: float = 0.0) -> Array:
    qpos = standing_qpos(SKELETON)
    qpos[:2], qpos[3:7] = (x, y), yaw_quat(np.array(np.pi))
    return qpos


def seen(qpos: Array, frame: int, offset: Array | None = None) -> RayBundle:
    """A view of a pose, all keypoints moved by `offset`."""
    points_w = keypoints_of(qpos, SKELETON) + (np.zeros(3) if offset is None else offset)
    direction = points_w - CAMERA_W
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    count, hips = len(KEYPOINTS), [KEYPOINTS.index("L_Hip"), KEYPOINTS.index("R_Hip")]
    return RayBundle(
        frame * 33_333_333, np.tile(CAMERA_W, (count, 1)), direction, np.ones(count), points_w - points_w[hips].mean(0)
    )


def test_a_new_person_is_waited_for() -> None:
    encoder = Says(stance())
    lifter = EncodedLifter(encoder, SKELETON)
    for _ in range(2):
        answers = [lifter.step(seen(stance(), frame)) for frame in range(FRAMES + 2)]
        assert [answer is None for answer in answers] == [True] * FRAMES + [False] * 2
        lifter.reset()
    assert encoder.resets == 2


def met(every: int, frames: int) -> list[int]:
    """Images up to each control step that has a reference, when only every so-many-th brings one."""
    lifter, told = EncodedLifter(Says(stance()), SKELETON), []
    for frame in range(frames):
        stamp_ns = frame * 33_333_333
        reference = lifter.step(seen(stance(), frame)) if frame % every == 0 else lifter.coast(stamp_ns)
        if reference is not None:
            told.append(1 + frame // every)
    return told


def test_of_a_slow_camera_fewer_images_are_enough_but_not_in_less_time() -> None:
    assert met(1, 12)[0] == STEPS
    assert met(2, 12)[0] == STEPS // 2
    for every in (3, 6):
        assert met(every, 30)[0] == IMAGES
    assert len(met(6, 30)) == 30 - 6 * (IMAGES - 1)


def test_who_vanishes_before_they_were_met_is_met_anew() -> None:
    encoder = Says(stance())
    lifter = EncodedLifter(encoder, SKELETON)
    for frame in range(3):
        assert lifter.step(seen(stance(), frame)) is None
    for frame in range(3, 80):
        assert lifter.coast(frame * 33_333_333) is None
    assert encoder.resets == 1
    answers = [lifter.step(seen(stance(), frame)) is None for frame in range(80, 80 + FRAMES + 1)]
    assert answers == [True] * FRAMES + [False]


def test_an_encoder_that_is_right_is_left_alone() -> None:
    qpos, qvel = stance(0.3, -0.2), np.zeros(NV)
    qvel[:2], qvel[6 + HINGE_NAMES.index("L_Shoulder_x")] = (0.6, -0.3), 0.5
    encoder = Says(qpos, qvel)
    lifter = EncodedLifter(encoder, SKELETON)
    for frame in range(FRAMES + 15):
        reference = lifter.step(seen(encoder.qpos, frame))
        told, encoder.qpos = encoder.qpos, pose_add(encoder.qpos, qvel / 30)
    assert reference is not None
    assert np.linalg.norm(keypoints_of(reference.qpos, SKELETON) - keypoints_of(told, SKELETON), axis=1).max() < 0.02
    np.testing.assert_array_equal(reference.qvel[2:6], qvel[2:6])
    np.testing.assert_allclose(reference.qvel[:2], qvel[:2], atol=0.03)
    np.testing.assert_allclose(reference.qvel[6:], qvel[6:], atol=0.06)


@pytest.mark.parametrize("every", [1, 3])
def test_rays_correct_how_fast_the_person_walks(every: int) -> None:
    """Who walks past the camera at 0.8 m/s, while the encoder believes they stand."""
    truth, velocity = stance(0.0, -0.8), np.zeros(NV)
    velocity[1] = 0.8
    lifter = EncodedLifter(Says(stance()), SKELETON)
    for frame in range(60):
        told = lifter.step(seen(truth, frame)) if frame % every == 0 else lifter.coast(frame * 33_333_333)
        truth = pose_add(truth, velocity / 30)
    assert told is not None
    np.testing.assert_allclose(told.qvel[:2], [0.0, 0.8], atol=0.3)
    np.testing.assert_array_equal(told.qvel[2:6], 0.0)
    lifter.reset()
    for frame in range(FRAMES + 4):
        told = lifter.step(seen(stance(), frame))
    assert told is not None
    np.testing.assert_allclose(told.qvel[:2], 0.0, atol=0.1)


def test_who_walks_when_they_are_met_is_told_faster_than_the_encoder_believes() -> None:
    truth, velocity, believed = stance(0.0, -0.4), np.zeros(NV), np.zeros(NV)
    velocity[1], believed[1] = 1.0, 0.5
    encoder = Says(truth, believed)
    lifter = EncodedLifter(encoder, SKELETON)
    for frame in range(STEPS):
        encoder.qpos, told = truth, lifter.step(seen(truth, frame))
        truth = pose_add(truth, velocity / 30)
    assert told is not None and 0.6 < told.qvel[1] < 1.0


WAVES = HINGE_NAMES.index("L_Shoulder_x")


def waved(cfg: EncodedLifterCfg | None = None, frames: int = 75) -> tuple[EncodedLifter, list[Reference], Array]:
    """Somebody waves, whose pose the encoder tells without any rate; what is told, and the true rates, rad/s."""
    encoder = Says(stance())
    lifter, told, rates = EncodedLifter(encoder, SKELETON, cfg), [], []
    for frame in range(frames):
        truth, phase = stance(), np.pi * frame / 30
        truth[7 + WAVES] += 0.4 * np.sin(phase)
        encoder.qpos, reference = truth, lifter.step(seen(truth, frame))
        if reference is not None:
            told.append(reference)
            rates.append(0.4 * np.pi * np.cos(phase))
    return lifter, told, np.array(rates)


def test_rays_tell_how_fast_an_arm_waves() -> None:
    _, told, rates = waved()
    found = np.array([reference.qvel[6 + WAVES] for reference in told])
    # The encoder's own word, zero, is off by all of it.
    assert np.square(found - rates)[5:].mean() < 0.5 * np.square(rates)[5:].mean()
    trunk = [hinge for hinge, name in enumerate(HINGE_NAMES) if name.startswith(("Torso", "Spine", "Chest", "Head"))]
    assert all((reference.qvel[6:][trunk] == 0.0).all() for reference in told)


def test_poses_do_not_depend_on_the_rates_that_rays_tell() -> None:
    for with_rates, without in zip(waved()[1], waved(EncodedLifterCfg(rate_gain=0.0))[1], strict=True):
        np.testing.assert_array_equal(with_rates.qpos, without.qpos)


def test_out_of_sight_an_arm_comes_to_rest() -> None:
    lifter, told, _ = waved(frames=60)
    assert abs(told[-1].qvel[6 + WAVES]) > 0.5
    speeds = [abs(lifter.coast(round(frame * 1e9 / 30)).qvel[6 + WAVES]) for frame in range(60, 72)]  # type: ignore[union-attr]
    assert (np.diff(speeds) < 0.0).all() and speeds[-1] < 0.01


def test_rays_correct_where_the_person_is_and_how_the_arm_is_held() -> None:
    truth, told = stance(0.0, 0.4), stance()
    truth[7 + HINGE_NAMES.index("L_Shoulder_x")] += 0.6
    lifter = EncodedLifter(Says(told), SKELETON)
    for frame in range(40):
        reference = lifter.step(seen(truth, frame))
    assert reference is not None
    rays, hand = seen(truth, 0), KEYPOINTS.index("L_Wrist")

    def residual(qpos: Array) -> Array:
        return np.linalg.norm(ray_residual(rays.origin_w, rays.dir_w, keypoints_of(qpos, SKELETON)), axis=1)

    assert residual(reference.qpos).mean() < 0.1 * residual(told).mean()
    moved = told.copy()
    moved[:2] = truth[:2]
    assert residual(reference.qpos)[hand] < 0.4 * residual(moved)[hand]


def test_shaking_rays_shake_the_root_less() -> None:
    random, lifter = np.random.default_rng(0), EncodedLifter(Says(stance()), SKELETON)
    roots, offsets = [], []
    for frame in range(60):
        offsets.append(0.03 * random.normal(size=3) * [0, 1, 0])
        reference = lifter.step(seen(stance(), frame, offsets[-1]))
        if reference is not None and frame > 15:
            roots.append(reference.qpos[1])
    assert np.diff(roots).std() < 0.8 * np.diff(np.array(offsets)[16:, 1]).std()


def test_without_rays_the_pose_goes_on_as_the_encoder_moves() -> None:
    truth, encoder = stance(0.0, 0.4), Says(stance())
    lifter = EncodedLifter(encoder, SKELETON)
    assert lifter.coast(0) is None
    for frame in range(40):
        before = lifter.step(seen(truth, frame))
    encoder.qpos, encoder.qvel[0] = stance(9.0, 9.0), 0.15
    for frame in range(40, 60):
        after = lifter.coast(frame * 33_333_333)
    assert before is not None and after is not None
    np.testing.assert_allclose(after.qpos[:2] - before.qpos[:2], [0.1, 0.0], atol=0.02)
