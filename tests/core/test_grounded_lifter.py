"""Poses stand on the floor that their feet are on, whatever the camera's pose says, and the rays with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.keypoints import keypoints_of
from physhmr.body.skeleton import Skeleton
from physhmr.body.soles import corner_positions, on_floor
from physhmr.geometry.rays import ray_residual
from physhmr.lifting.grounded_lifter import AIRBORNE, CLIMB, TOLERANCE, WINDOW, GroundedLifter
from physhmr.types import NV, Array, RayBundle, Reference

SKELETON = Skeleton()
STANDING = on_floor(standing_qpos(SKELETON), SKELETON)
CAMERA_W = np.array([-3.0, 0.5, 1.4])
RATE = 30


class Stands:
    """A lifter of a standing person, as high as the rays are; one that is `held` never sinks into the floor."""

    def __init__(self, held: bool = False) -> None:
        self._held, self.resets, self.offsets = held, 0, [np.zeros(3)]
        self._last = Reference(0, STANDING, np.zeros(NV))

    def step(self, rays: RayBundle) -> Reference | None:
        across = np.eye(3)[2] - rays.dir_w[:, 2:] * rays.dir_w
        residual = ray_residual(rays.origin_w, rays.dir_w, keypoints_of(STANDING, SKELETON))
        height = -float((across * residual).sum() / (across**2).sum())
        self._last = Reference(rays.stamp_ns, pose(max(height, 0.0) if self._held else height), np.zeros(NV))
        return self._last

    def coast(self, stamp_ns: int) -> Reference | None:
        return replace(self._last, stamp_ns=stamp_ns)

    @property
    def points_w(self) -> Array:
        qpos = self._last.qpos
        return np.concatenate([keypoints_of(qpos, SKELETON), corner_positions(qpos, SKELETON)])

    def moved(self, offset_w: Array) -> None:
        self.offsets.append(offset_w)
        self._last = replace(self._last, qpos=self._last.qpos + np.r_[offset_w, np.zeros(73)])

    def reset(self) -> None:
        self.resets += 1


def pose(height: float) -> Array:
    return np.r_[STANDING[:2], STANDING[2] + height, STANDING[3:]]


def view(stamp_ns: int, height: float, origin_w: Array = CAMERA_W) -> RayBundle:
    """Rays that a standing person as high above the floor sends to the camera."""
    points_w = keypoints_of(pose(height), SKELETON)
    direction = points_w - origin_w
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return RayBundle(stamp_ns, np.tile(origin_w, (21, 1)), direction, np.ones(21), points_w - points_w.mean(0))


def followed(
    height: Callable[[int], float], frames: int = 150, held: bool = False
) -> Iterator[tuple[float, float, GroundedLifter]]:
    """The lowest sole, m, and the floor that was found, image by image."""
    lifter = GroundedLifter(Stands(held))
    for frame in range(frames):
        reference = lifter.step(view(round(1e9 * frame / RATE), height(frame)))
        assert reference is not None
        yield float(corner_positions(reference.qpos, SKELETON)[..., 2].min()), lifter.floor, lifter


@pytest.mark.parametrize("height", [0.0, 0.5 * TOLERANCE, -0.9 * TOLERANCE])
def test_small_errors_are_left_alone(height: float) -> None:
    assert all(floor == 0.0 and abs(lowest - height) < 1e-9 for lowest, floor, _ in followed(lambda _: height, 40))


@pytest.mark.parametrize("height", [0.4, -0.3])
def test_who_floats_or_sinks_is_put_on_the_floor_at_once(height: float) -> None:
    assert all(abs(lowest) <= TOLERANCE + 1e-9 for lowest, _, _ in followed(lambda _: height, 40))


def test_the_floor_below_a_pose_that_is_not_let_down_shows_in_the_rays() -> None:
    """Where feet are pressed up, knees would bend for good."""
    *_, (lowest, floor, lifter) = followed(lambda _: -0.3, 40, held=True)
    assert lowest == pytest.approx(0.0, abs=1e-6)
    assert floor == pytest.approx(-0.3, abs=TOLERANCE + 0.02) and lifter.misfit < TOLERANCE + 0.02


def test_who_slowly_rises_stays_on_the_floor() -> None:
    """As somebody who walks past a camera that is rolled more than it believes."""
    lowest = [low for low, _, _ in followed(lambda frame: 0.12 * frame / RATE)]
    # Most of a second lies between the floor now and the one that is known.
    assert max(lowest) < TOLERANCE + 0.12 * WINDOW and min(lowest) >= 0.0


def test_a_jump_is_no_new_floor() -> None:
    duration = round(0.9 * AIRBORNE * WINDOW * RATE)
    jumping = [(low, floor) for low, floor, _ in followed(lambda frame: 0.3 * (60 <= frame < 60 + duration))]
    assert all(floor == 0.0 for _, floor in jumping)
    assert max(low for low, _ in jumping) == pytest.approx(0.3)


def test_the_floor_moves_no_faster_than_anybody_can_follow() -> None:
    floors = [floor for _, floor, _ in followed(lambda frame: 1.0 * (frame >= 40))]
    assert np.abs(np.diff(floors)).max() <= CLIMB / RATE + 1e-6
    assert floors[-1] > 0.5


def test_the_rays_go_through_the_pose_that_was_told() -> None:
    inner = Stands()
    lifter = GroundedLifter(inner)
    rays = view(0, 0.25)
    reference = lifter.step(rays)
    grounded = lifter.rays
    assert reference is not None and grounded is not None
    residual = ray_residual(grounded.origin_w, grounded.dir_w, keypoints_of(reference.qpos, SKELETON))
    assert np.abs(residual).max() < 1e-9 and lifter.misfit < 1e-9
    # What goes on without images goes on from there, and the next image changes nothing.
    coasting, again = lifter.coast(1), lifter.step(replace(rays, stamp_ns=2))
    assert coasting is not None and again is not None
    np.testing.assert_allclose(coasting.qpos, reference.qpos)
    np.testing.assert_allclose(again.qpos, reference.qpos)
    np.testing.assert_allclose(np.sum(inner.offsets, 0), [0.0, 0.0, -lifter.floor])


def test_the_misfit_is_how_far_the_rays_pass_by() -> None:
    lifter = GroundedLifter(Stands(held=True))
    lifter.step(view(0, -0.5))
    # Seen a little from above, half a metre of height is a little less across the rays.
    assert 0.4 < lifter.misfit < 0.5


def test_whoever_comes_next_has_a_floor_of_their_own() -> None:
    inner = Stands()
    lifter = GroundedLifter(inner)
    before = inner.resets
    lifter.step(view(0, 0.4))
    assert lifter.floor > 0.3
    lifter.reset()
    assert lifter.floor == 0.0 and lifter.rays is None and inner.resets == before + 1


def test_time_that_jumps_back_forgets_what_comes_later() -> None:
    lifter = GroundedLifter(Stands())
    for stamp_ns, height in ((10**10, 0.0), (10**9, 0.2), (10**9 + 33_333_333, 0.2)):
        lifter.step(view(stamp_ns, height))
    assert 0.0 < lifter.floor <= CLIMB / RATE + 1e-9
