"""Scores of methods that follow rays, where it is known what must come out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.keypoints import keypoints_of
from physhmr.body.skeleton import Skeleton
from physhmr.body.soles import corner_positions, on_floor
from physhmr.errors import MotionFileError
from physhmr.eval.provenance import Provenance
from physhmr.eval.tracking_report import views_markdown, write_views
from physhmr.eval.views import ViewScore, follow_view, summary_table
from physhmr.lifting.grounded_lifter import GroundedLifter
from physhmr.sim.humanoid_sim import HumanoidSim
from physhmr.types import NUM_KEYPOINTS, NV, Array, HumanoidState, MotionClip, RayBundle, Reference

SKELETON = Skeleton()
SETTLING = 4


def standing(frames: int) -> MotionClip:
    return MotionClip("standing", 30.0, np.tile(on_floor(standing_qpos(SKELETON), SKELETON), (frames, 1)), "made here")


def rays_of(clip: MotionClip) -> list[RayBundle | None]:
    """Every third step is blind."""
    camera_w, rays = np.array([3.0, 0.0, 1.0]), []
    for index, points in enumerate(keypoints_of(clip.qpos, SKELETON)):
        direction = (points - camera_w) / np.linalg.norm(points - camera_w, axis=1, keepdims=True)
        one = RayBundle(index, np.tile(camera_w, (21, 1)), direction, np.ones(NUM_KEYPOINTS), points - points.mean(0))
        rays.append(None if index % 3 == 1 else one)
    return rays


class Knows:
    """A lifter that knows the clip but for an offset along y, after some frames."""

    def __init__(self, clip: MotionClip, offset: float = 0.0) -> None:
        self.qpos, self.frame = clip.qpos.copy(), -1
        self.qpos[:, 1] += offset

    def step(self, rays: RayBundle, scale: float = 1.0) -> Reference | None:
        return self.coast(rays.stamp_ns)

    def coast(self, stamp_ns: int) -> Reference | None:
        self.frame += 1
        return None if self.frame < SETTLING else Reference(stamp_ns, self.qpos[self.frame], np.zeros(NV))

    @property
    def points_w(self) -> Array:
        qpos = self.qpos[self.frame]
        return np.concatenate([keypoints_of(qpos, SKELETON), corner_positions(qpos, SKELETON)])

    def moved(self, offset_w: Array) -> None:
        pass

    def reset(self) -> None:
        self.frame = -1


class Holds:
    """PD targets at the reference; remembers what it was shown."""

    def __init__(self) -> None:
        self.shown: list[RayBundle | None] = []

    def target(self, state: HumanoidState, reference: Reference, rays: RayBundle | None = None) -> Array:
        self.shown.append(rays)
        return reference.qpos[7:]


class Limp:
    def target(self, state: HumanoidState, reference: Reference, rays: RayBundle | None = None) -> Array:
        return state.qpos[7:]


def scores(policy: Holds | Limp, offset: float = 0.0, frames: int = 16) -> list[ViewScore]:
    clip = standing(frames)
    drivers = {"held": policy}
    return follow_view(
        clip,
        rays_of(clip),
        GroundedLifter(Knows(clip, offset)),
        drivers,
        HumanoidSim(SKELETON.shape),
        SKELETON,
    )


def test_a_perfect_lifter_scores_zero_and_a_held_pose_stands() -> None:
    kinematic, held = scores(Holds())
    assert (kinematic.method, held.method) == ("kinematic", "held")
    assert kinematic.success and held.success
    assert max(kinematic.pa_mpjpe, kinematic.mpjpe, kinematic.w_mpjpe_100, kinematic.skate) < 1e-6
    assert kinematic.penetration == pytest.approx(0.0, abs=1e-6)
    assert 0.0 < held.mpjpe < 30.0


def test_an_offset_shows_only_where_nothing_is_aligned() -> None:
    near, far = scores(Holds(), offset=0.3)[0], scores(Holds(), offset=0.6)[0]
    assert near.success and near.mpjpe < 1e-6
    assert not far.success and far.survived == 0.0


def test_a_limp_body_is_lost_and_only_what_was_survived_counts() -> None:
    _, limp = scores(Limp(), frames=90)
    assert not limp.success and 0.2 < limp.survived < 3.0
    assert limp.mpjpe < 500.0


def test_the_humanoid_begins_in_the_first_pose_that_is_found() -> None:
    for kinematic, held in (scores(Holds(), offset=0.3), scores(Holds(), offset=0.6)):
        assert kinematic.seconds == held.seconds == pytest.approx((16 - SETTLING) / 30.0)
        # As far off as what is told, and no step more.
        assert kinematic.success == held.success and held.survived == kinematic.survived


def test_a_policy_sees_the_rays_of_new_images_only_from_the_first_pose_on() -> None:
    policy, clip = Holds(), standing(16)
    scores(policy)
    expected = rays_of(clip)[SETTLING + 1 :]
    assert [one is None for one in policy.shown] == [one is None for one in expected]


def test_a_clip_without_a_first_pose_is_refused() -> None:
    with pytest.raises(MotionFileError, match="too short"):
        scores(Holds(), frames=5)


def test_the_table_weighs_errors_by_what_was_survived(tmp_path: Path) -> None:
    kinematic, held = scores(Holds())
    table = summary_table([kinematic, held, held])
    assert table[0][:4] == ["method", "views", "success %", "seconds survived %"]
    assert table[2][:3] == ["held", "2", "100.0"]
    assert table[2][table[0].index("mpjpe")] == f"{held.mpjpe:.1f}"
    origin = Provenance("abc123", {}, "a machine", "3.11", {}, 0, "now")
    as_json, as_markdown = write_views([kinematic, held], origin, tmp_path)
    assert json.loads(as_json.read_text())["views"][1]["method"] == "held"
    assert as_markdown.read_text() == views_markdown([kinematic, held], origin)
