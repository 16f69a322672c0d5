"""Several cameras on one person: whose rays go together, who leads, and what is gained."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.keypoints import keypoints_of
from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import Skeleton
from physhmr.errors import UnknownNameError
from physhmr.eval import pose_metrics
from physhmr.follower import make_lifter
from physhmr.geometry.rays import ray_gap
from physhmr.geometry.rotation import yaw_quat
from physhmr.lifting.camera_fusion import CameraFusion, FusionCfg
from physhmr.lifting.encoded_lifter import EncodedLifter
from physhmr.lifting.lift_task import LiftTask
from physhmr.lifting.pose_solver import PoseSolver, SolverCfg
from physhmr.motion.lifted import lift_rays
from physhmr.motion.onto_humanoid import onto_humanoid
from physhmr.motion.procedural import generate
from physhmr.motion.synthetic_camera import KeypointErrors, Views, watch, watch_together
from physhmr.types import KEYPOINTS, MIRRORED_KEYPOINTS, NV, Array, MotionClip, MotionToken, RayBundle, Reference

SKELETON = Skeleton()
LEFT, RIGHT = np.array([-3.0, 1.5, 1.4]), np.array([-1.0, -3.0, 0.9])
COUNT, HIPS = len(KEYPOINTS), [KEYPOINTS.index("L_Hip"), KEYPOINTS.index("R_Hip")]
FRAME = 33_333_333
finite = st.floats(-1.5, 1.5)


class Says:
    """An encoder that always says the same."""

    def __init__(self, qpos: Array, qvel: Array | None = None) -> None:
        self.qpos, self.qvel = qpos, np.zeros(NV) if qvel is None else qvel

    def step(self, rays: RayBundle) -> MotionToken:
        return self.coast(rays.stamp_ns)

    def coast(self, stamp_ns: int) -> MotionToken:
        return MotionToken(stamp_ns, np.zeros(4), Reference(stamp_ns, self.qpos, self.qvel), np.ones(2))

    def reset(self) -> None:
        pass


def stance(x: float = 0.0, y: float = 0.0) -> Array:
    qpos = standing_qpos(SKELETON)
    qpos[:2], qpos[3:7] = (x, y), yaw_quat(np.array(np.pi))
    return qpos


def seen(camera_w: Array, qpos: Array, stamp_ns: int = 0, person: int = 0, score: float = 1.0) -> RayBundle:
    points_w = keypoints_of(qpos, SKELETON)
    direction = points_w - camera_w
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    landmarks_w = points_w - points_w[HIPS].mean(0)
    return RayBundle(stamp_ns, np.tile(camera_w, (COUNT, 1)), direction, np.full(COUNT, score), landmarks_w, person)


@given(finite, finite)
def test_rays_to_one_person_meet(x: float, y: float) -> None:
    one, other = seen(LEFT, stance(x, y)), seen(RIGHT, stance(x, y))
    assert ray_gap(one, other) == pytest.approx(0.0, abs=1e-9)
    assert ray_gap(one, other) == pytest.approx(ray_gap(other, one), abs=1e-9)


def test_rays_to_two_people_do_not_meet() -> None:
    assert ray_gap(seen(LEFT, stance()), seen(RIGHT, stance(1.0, 0.5))) > 0.15
    assert ray_gap(seen(LEFT, stance()), seen(LEFT + np.array([0.0, 0.0, 1.0]), stance(0.8, 0.0))) > 0.15
    # Seen from behind: the rays diverge in front of the cameras.
    assert ray_gap(seen(LEFT, stance()), seen(RIGHT, stance(-4.0, -9.0))) == np.inf


def test_what_is_hardly_seen_says_nothing_of_who_it_is() -> None:
    assert ray_gap(seen(LEFT, stance()), seen(RIGHT, stance(), score=0.1)) == np.inf


def test_parallel_rays_are_as_far_apart_as_their_cameras() -> None:
    one = seen(LEFT, stance())
    other = replace(one, origin_w=one.origin_w + 0.4 * np.cross(one.dir_w, [0.0, 0.0, 1.0]))
    gap = np.linalg.norm(0.4 * np.cross(one.dir_w, [0.0, 0.0, 1.0]), axis=1)
    assert ray_gap(one, other) in (np.inf, pytest.approx(np.quantile(gap, 0.75, method="higher")))


def test_an_image_of_the_leader_takes_along_what_the_others_saw_once() -> None:
    fusion = CameraFusion(("a", "b"))
    a, b = seen(LEFT, stance(), 10 * FRAME), seen(RIGHT, stance(), 10 * FRAME - 9_000_000)
    assert not fusion.add("b", b.stamp_ns, None)
    assert fusion.add("a", a.stamp_ns, a) and fusion.view is not None and fusion.view.others == ()
    assert not fusion.add("b", b.stamp_ns, b)
    assert fusion.add("a", a.stamp_ns + FRAME, replace(a, stamp_ns=a.stamp_ns + FRAME))
    assert [one.stamp_ns for one in fusion.view.others] == [b.stamp_ns]
    assert fusion.findings == {"a": "leads", "b": "joins"}
    assert fusion.add("a", a.stamp_ns + 2 * FRAME, replace(a, stamp_ns=a.stamp_ns + 2 * FRAME))
    assert fusion.view.others == (), "no rays are used twice"
    assert fusion.add("a", a.stamp_ns + 3 * FRAME, None) and fusion.view is None


def test_who_follows_somebody_else_or_is_late_is_left_out_and_named() -> None:
    fusion = CameraFusion(("a", "b", "c", "d"))
    fusion.add("a", 0, seen(LEFT, stance(), 0))
    fusion.add("b", FRAME, seen(RIGHT, stance(1.0, 0.5), FRAME))
    fusion.add("c", FRAME, seen(RIGHT, stance(), FRAME - 10**9))
    assert fusion.add("a", FRAME, seen(LEFT, stance(), FRAME))
    assert fusion.view is not None and fusion.view.others == ()
    assert fusion.findings == {"a": "leads", "b": "disagrees", "c": "late", "d": "silent"}
    with pytest.raises(UnknownNameError, match="camera 'e'"):
        fusion.add("e", 0, None)


def test_who_sees_on_leads_and_the_person_is_met_anew() -> None:
    """The encoder remembers one camera: with another's images its memory would be wrong by metres."""
    fusion = CameraFusion(("a", "b"))
    fusion.add("b", -FRAME, seen(RIGHT, stance(), -FRAME, person=7))
    assert fusion.leader == "a", "who is named first is waited for"
    people = set()
    for frame in range(60):
        stamp = frame * FRAME
        blind = frame >= 30
        new = fusion.add("a", stamp, None if blind else seen(LEFT, stance(), stamp))
        new |= fusion.add("b", stamp, seen(RIGHT, stance(), stamp, person=7))
        if new and fusion.view is not None:
            people.add(fusion.view.person)
        assert blind or fusion.leader == "a"
    assert fusion.leader == "b" and people == {0, 1}
    assert fusion.add("b", 60 * FRAME, seen(RIGHT, stance(), 60 * FRAME, person=7))
    assert fusion.view is not None and fusion.view.person == 1
    assert fusion.add("b", 61 * FRAME, seen(RIGHT, stance(), 61 * FRAME, person=8))
    assert fusion.view.person == 2, "somebody else was chosen"


def test_a_leader_that_is_unplugged_is_replaced() -> None:
    fusion = CameraFusion(("a", "b"))
    for frame in range(60):
        stamp = frame * FRAME
        if frame < 20:
            fusion.add("a", stamp, seen(LEFT, stance(), stamp))
        fusion.add("b", stamp, seen(RIGHT, stance(), stamp))
        assert fusion.leader == ("a" if frame <= 19 + FusionCfg().silent - 1 else "b")
    assert fusion.findings == {"a": "silent", "b": "leads"}


def test_cameras_of_different_clocks_do_not_take_the_lead_in_turns() -> None:
    fusion, leaders = CameraFusion(("a", "b")), set()
    for frame in range(90):
        stamp, other = frame * FRAME, frame * FRAME - 3 * 10**9
        fusion.add("b", other, seen(RIGHT, stance(), other))
        fusion.add("a", stamp, seen(LEFT, stance(), stamp))
        leaders.add(fusion.leader)
    assert leaders == {"a"} and fusion.findings["b"] == "late"


def test_another_camera_leads_only_if_it_sees_much_better_for_a_while() -> None:
    for score, leader in ((0.9, "a"), (1.0, "b")):
        fusion = CameraFusion(("a", "b"))
        leaders = []
        for frame in range(90):
            stamp = frame * FRAME
            fusion.add("a", stamp, seen(LEFT, stance(), stamp, score=0.48))
            fusion.add("b", stamp + 1, seen(RIGHT, stance(), stamp + 1, score=score))
            leaders.append(fusion.leader)
        assert leaders[0] == "a" and leaders[-1] == leader
        assert sum(one != other for one, other in pairwise(leaders)) <= 1


def test_a_quick_camera_leads_before_a_slow_one() -> None:
    fusion = CameraFusion(("slow", "quick"))
    for frame in range(60):
        stamp = frame * FRAME
        if frame % 6 == 0:
            fusion.add("slow", stamp, seen(LEFT, stance(), stamp))
        fusion.add("quick", stamp, seen(RIGHT, stance(), stamp))
    assert fusion.leader == "quick"


def test_who_exchanges_left_and_right_is_left_out() -> None:
    fusion = CameraFusion(("a", "b"))
    mirrored = seen(RIGHT, stance())
    swap = list(MIRRORED_KEYPOINTS)
    mirrored = replace(mirrored, dir_w=mirrored.dir_w[swap], landmarks_w=mirrored.landmarks_w[swap])
    assert ray_gap(seen(LEFT, stance()), mirrored) < FusionCfg().apart, "the rays alone would not tell"
    fusion.add("a", 0, seen(LEFT, stance()))
    fusion.add("b", FRAME, replace(mirrored, stamp_ns=FRAME))
    assert fusion.add("a", FRAME, seen(LEFT, stance(), FRAME))
    assert fusion.findings["b"] == "disagrees"


def test_the_jacobian_of_two_cameras_is_that_of_their_residuals() -> None:
    solver = PoseSolver(SKELETON, SolverCfg())
    solver.start(stance(0.2, 0.1))
    task: LiftTask = solver.task
    task.set_rays(replace(seen(LEFT, stance()), others=(seen(RIGHT, stance()),)))
    configuration = solver._configuration
    jacobian, error, q = task.compute_jacobian(configuration), task.compute_error(configuration), configuration.q.copy()
    assert np.linalg.norm(task.ray_residuals(configuration), axis=-1).shape == (2, COUNT)
    # Those of bones take the lengths as they are.
    rows = slice(0, 2 * 3 * COUNT)
    for direction in range(0, NV, 7):
        step = np.zeros(NV)
        step[direction] = 1e-6
        configuration.update(q)
        configuration.integrate_inplace(step, 1.0)
        numeric = (task.compute_error(configuration) - error) / 1e-6
        np.testing.assert_allclose(numeric[rows], jacobian[rows, direction], atol=1e-4)


def lifted(told: Array, views: list[RayBundle], qvel: Array | None = None) -> Array:
    lifter = EncodedLifter(Says(told, qvel), SKELETON)
    for rays in views:
        reference = lifter.step(rays)
    assert reference is not None
    return keypoints_of(reference.qpos, SKELETON)


def test_two_cameras_find_the_depth_that_one_takes_from_the_encoder() -> None:
    truth, told = stance(), stance(0.5, 0.1)
    stamps = [frame * FRAME for frame in range(40)]
    errors = {}
    for name, cameras in {"left": (LEFT,), "right": (RIGHT,), "both": (LEFT, RIGHT)}.items():
        views = [[seen(camera, truth, stamp) for camera in cameras] for stamp in stamps]
        points_w = lifted(told, [replace(one, others=tuple(others)) for one, *others in views])
        errors[name] = np.linalg.norm(points_w - keypoints_of(truth, SKELETON), axis=1).mean()
    assert errors["both"] < 0.5 * min(errors["left"], errors["right"])


def test_a_camera_that_is_late_pulls_nobody_back() -> None:
    """Walking at 1.2 m/s, the other camera's images being 100 ms older: they would be 12 cm behind."""
    speed, late = np.zeros(NV), 100_000_000
    speed[0] = 1.2
    errors = []
    for told_late in (late, 0):
        lifter = EncodedLifter(Says(stance()), SKELETON)
        for frame in range(60):
            stamp = frame * FRAME
            at, before = stance(1.2e-9 * stamp - 1.0), stance(1.2e-9 * (stamp - late) - 1.0)
            ahead = at.copy()
            ahead[0] += speed[0] / 30.0
            lifter._encoder = Says(ahead, speed)
            other = seen(RIGHT, before, stamp - told_late)
            reference = lifter.step(replace(seen(LEFT, at, stamp), others=(other,)))
        assert reference is not None
        errors.append(abs(reference.qpos[0] - at[0]))
    assert errors[0] < 0.03 < errors[1]


def clip(recipe: str, seconds: float) -> MotionClip:
    return onto_humanoid([generate(recipe, 3, SKELETON, seconds)], SKELETON)[0]


def test_cameras_that_watch_together_see_the_same_body() -> None:
    exact = Views(
        errors=replace(KeypointErrors(view=0.0, drift=0.0, swap_view=0.0), dropped=0.0, slow_view=0.0, gap_view=0.0)
    )
    moving = clip("walk", 2.0)
    for one, other in watch_together(moving, SKELETON, np.random.default_rng(4), 2, exact):
        assert one is not None and other is not None
        assert ray_gap(one, other, 0.0) < 1e-6
    alone = list(watch(moving, SKELETON, np.random.default_rng(5)))
    assert len(alone) == len(moving.qpos)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["gesture", "walk"])
def test_two_cameras_are_more_accurate_than_each_alone(recipe: str) -> None:
    scores = np.mean([_scores_of_one_other_and_both(recipe, seed) for seed in (1, 2, 3)], axis=0)
    assert (scores[2] < np.min(scores[:2], axis=0)).all(), scores


def _scores_of_one_other_and_both(recipe: str, seed: int) -> np.ndarray:
    """(3, 3) mm: `METRICS` of what one camera, another and both lift."""
    moving, lifter = clip(recipe, 6.0), make_lifter("encoder", SKELETON)
    pairs = list(watch_together(moving, SKELETON, np.random.default_rng(seed), 2))
    fusion, both = CameraFusion(("a", "b"), FusionCfg(better=np.inf)), []
    for one, other in pairs:
        new = [fusion.add(name, rays.stamp_ns, rays) for name, rays in (("b", other), ("a", one)) if rays is not None]
        both.append(fusion.view if any(new) else None)
    scores = []
    for rays in ([one for one, _ in pairs], [other for _, other in pairs], both):
        told, _ = lift_rays(rays, moving.fps, lifter)
        kept = np.stack([one.qpos for one in told[10:] if one is not None])
        truth = np.stack([pose for pose, one in zip(moving.qpos[10:], told[10:], strict=True) if one is not None])
        bodies, wanted = forward_kinematics(kept, SKELETON)[0], forward_kinematics(truth, SKELETON)[0]
        scores.append([metric(bodies, wanted) for metric in METRICS])
    return np.array(scores)


METRICS = (pose_metrics.pa_mpjpe, pose_metrics.w_mpjpe_100, pose_metrics.g_mpjpe)
