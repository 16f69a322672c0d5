"""The evaluation on a chain whose answers are known: a perfect one must score zero, a wrong one its error."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import BODY_INDEX, Skeleton
from physhmr.errors import CameraError, PhyshmrError, ShapeError, VideoError
from physhmr.eval.clips import ClipFrames, RealClip, cropped, open_clip, real_clips, truth_at
from physhmr.eval.evaluate import METHODS, Chain, ClipRecord, run_clip
from physhmr.eval.kinematic import place_landmarks
from physhmr.eval.pose2sim import JointTrack
from physhmr.eval.recording import METRICS, Recording, longest_run, scores
from physhmr.geometry.camera import camera_from_fov, camera_pose, project, with_pose
from physhmr.geometry.rays import pixel_as_ray
from physhmr.types import (
    KEYPOINTS,
    NV,
    RAY_JOINTS,
    CameraModel,
    Estimate,
    Frame,
    HumanoidState,
    Keypoints2d,
    RayBundle,
    Reference,
    Status,
)

FPS, FRAMES = 30.0, 12
CAMERA = with_pose(camera_from_fov(640, 480, 1.0), camera_pose(1.2, 0.05))
SKELETON = Skeleton()
JOINTS = [BODY_INDEX[name] for name in RAY_JOINTS]


def walking_qpos(frame: int) -> np.ndarray:
    qpos = standing_qpos(SKELETON)
    qpos[:2] = 3.0, 0.02 * frame
    qpos[7 + 3 * (BODY_INDEX["L_Hip"] - 1) + 1] = -0.3 * np.sin(0.7 * frame)
    return qpos


def true_joints() -> np.ndarray:
    return np.array([forward_kinematics(walking_qpos(i), SKELETON)[0][JOINTS] for i in range(FRAMES)])


def stamp(frame: int) -> int:
    return round(1e9 * frame / FPS)


@dataclass
class PerfectPerception:
    """Sees every joint of the walking humanoid; blind in the frames `blind`."""

    blind: frozenset[int] = frozenset()
    keypoints: Keypoints2d | None = None
    camera: CameraModel | None = None
    stage_ms: dict[str, float] = field(default_factory=lambda: {"landmarks": 9.0})
    status: str = "pose given"

    def step(self, frame: Frame) -> RayBundle | None:
        index = round(frame.stamp_ns * FPS / 1e9)
        self.keypoints, self.camera = None, None
        if index in self.blind:
            return None
        joints = np.zeros((len(KEYPOINTS), 3))
        joints[: len(JOINTS)] = true_joints()[index]
        joints[len(JOINTS) :] = joints[10]
        hips = joints[[RAY_JOINTS.index("L_Hip"), RAY_JOINTS.index("R_Hip")]].mean(0)
        landmarks_c = (joints - hips) @ CAMERA.T_wc[:3, :3]  # type: ignore[index]
        self.camera = CAMERA
        self.keypoints = Keypoints2d(frame.stamp_ns, project(CAMERA, joints), np.ones(21), landmarks_c)
        return pixel_as_ray(self.keypoints, CAMERA)


@dataclass
class PerfectChain:
    """Control that knows the walk, and lifts it; both are off by `offset` m along y."""

    scale: float = 1.0
    offset: float = 0.0
    status: Status = Status.SEARCHING
    goal: Reference | None = None

    def advance(self, stamp_ns: int, rays: RayBundle | None) -> Estimate | None:
        self.status = self.status if rays is None else Status.TRACKING
        qpos = self._qpos(stamp_ns)
        pos, _ = forward_kinematics(qpos, SKELETON)
        state = HumanoidState(stamp_ns, qpos, np.zeros(NV), pos, np.tile([1.0, 0, 0, 0], (24, 1)), np.zeros(69))
        self.goal = Reference(stamp_ns, qpos, np.zeros(NV))
        return Estimate(state, self.goal, self.status, "", {"lift": 2.0}, {"falls": 1})

    def _qpos(self, stamp_ns: int) -> np.ndarray:
        qpos = walking_qpos(round(stamp_ns * FPS / 1e9))
        qpos[1] += self.offset
        return qpos


def run(perception: PerfectPerception, chain: PerfectChain, frames: int = FRAMES) -> ClipRecord:
    image = np.zeros((480, 640, 3), np.uint8)
    source = ClipFrames(FPS, frames, 0.0, iter([Frame(image, stamp(i), CAMERA) for i in range(frames)]))
    stamps = np.array([stamp(i) for i in range(FRAMES)], float)
    truth = JointTrack(FPS, tuple(name.replace("_", "") for name in RAY_JOINTS), true_joints(), stamps)
    return run_clip(RealClip("walk", Path("walk.mp4"), truth=truth), source, Chain(perception, chain))


def test_a_perfect_chain_makes_no_error() -> None:
    record = run(PerfectPerception(), PerfectChain())
    for method, row in record.scores().items():
        for metric in ("pa_mpjpe", "mpjpe", "g_mpjpe", "wa_mpjpe_100", "w_mpjpe_100", "rte", "accel", "reprojection"):
            assert row[metric] == pytest.approx(0.0, abs=1e-6), (method, metric)
        assert row["frames"] == FRAMES
    np.testing.assert_allclose(record.detector_px, 0.0, atol=1e-9)
    assert record.counters["falls"] == 1
    assert record.stage_ms == {"landmarks": [9.0] * FRAMES, "lift": [2.0] * FRAMES}


def test_an_offset_shows_where_it_must_and_nowhere_else() -> None:
    table = run(PerfectPerception(), PerfectChain(offset=0.1)).scores()
    assert table["humanoid"]["g_mpjpe"] == pytest.approx(100.0)
    assert table["humanoid"]["mpjpe"] == pytest.approx(0.0, abs=1e-9)
    assert table["humanoid"]["reprojection"] > 10.0
    assert table["landmarks"]["g_mpjpe"] == pytest.approx(0.0, abs=1e-6)


def test_the_scaled_world_is_scaled_back() -> None:
    """A person half our humanoid's size: its world is twice as large as the person's."""
    table = run(PerfectPerception(), PerfectChain(scale=2.0)).scores()
    root_distance = np.linalg.norm(true_joints() / 2 - true_joints(), axis=-1).mean()
    assert table["humanoid"]["g_mpjpe"] == pytest.approx(1e3 * root_distance)


def test_frames_without_a_person_are_left_out_of_what_needs_one() -> None:
    record = run(PerfectPerception(blind=frozenset({0, 1, 6})), PerfectChain())
    assert record.methods["landmarks"].index == [2, 3, 4, 5, 7, 8, 9, 10, 11]
    assert record.methods["humanoid"].index == list(range(2, FRAMES)), "it stands there also while nobody is seen"
    assert record.scores()["humanoid"]["g_mpjpe"] == pytest.approx(0.0, abs=1e-9)
    assert len(record.detector_px) == FRAMES - 3


def test_a_clip_in_which_nobody_appears_has_no_scores() -> None:
    record = run(PerfectPerception(blind=frozenset(range(FRAMES))), PerfectChain())
    for row in record.scores().values():
        assert row.pop("frames") == 0
        assert np.isnan(list(row.values())).all()


def test_truth_must_cover_the_clip_and_the_clip_must_have_frames() -> None:
    with pytest.raises(PhyshmrError, match="no frames"):
        run(PerfectPerception(), PerfectChain(), frames=0)
    truth = JointTrack(FPS, ("LHip",), np.zeros((3, 1, 3)), np.array([0.0, 1e9 / 30, 2e9 / 30]))
    assert truth_at(truth, ("L_Hip",), np.array([0.0, 3e7])).shape == (2, 1, 3)
    with pytest.raises(ShapeError, match=r"0\.10 s away"):
        truth_at(truth, ("L_Hip",), np.array([0.0, 5e9 / 30]))


def test_landmarks_are_placed_exactly_where_their_rays_meet() -> None:
    points = np.random.default_rng(0).uniform((2, -1, 0), (4, 1, 2), (21, 3))
    seen = Keypoints2d(0, project(CAMERA, points), np.linspace(0.2, 1, 21), (points - points[0]) @ CAMERA.T_wc[:3, :3])
    rays = pixel_as_ray(seen, CAMERA)
    np.testing.assert_allclose(place_landmarks(rays), points, atol=1e-9)
    blind = RayBundle(0, rays.origin_w, rays.dir_w, np.eye(1, 21)[0], rays.landmarks_w)
    with pytest.raises(PhyshmrError, match="1 rays"):
        place_landmarks(blind)


@pytest.mark.parametrize(
    ("index", "expected"),
    [([4], slice(0, 1)), ([0, 1, 2], slice(0, 3)), ([0, 1, 5, 6, 7, 9], slice(2, 5)), ([1, 3, 5], slice(0, 1))],
)
def test_the_longest_run(index: list[int], expected: slice) -> None:
    assert longest_run(index) == expected


def test_motion_per_frame_does_not_depend_on_the_frame_rate() -> None:
    """Feet that glide at 0.3 m/s skate 10 mm per 1/30 s, filmed at 30 or at 5 fps."""
    for fps in (30.0, 5.0):
        recording = Recording(clearance=0.01)
        for frame in range(10):
            feet = np.array([[0.3 * frame / fps, 0.0, 0.0]])
            recording.add(frame, np.zeros((12, 3)), feet, 0.0)
        assert scores(recording, fps, None)["skate"] == pytest.approx(10.0)


def test_every_method_has_every_metric() -> None:
    table = run(PerfectPerception(), PerfectChain()).scores()
    assert tuple(table) == METHODS
    assert all(tuple(row) == tuple(METRICS) for row in table.values())


def test_missing_clips_are_named_and_the_bundled_one_is_there(tmp_path: Path) -> None:
    catalogue = real_clips(tmp_path)
    assert [clip.name for clip in catalogue.clips] == ["walk", "walk_unknown"]
    unknown = next(open_clip(catalogue.clips[1]).frames).camera
    assert unknown.T_wc is None and unknown.K[0, 0] != next(open_clip(catalogue.clips[0]).frames).camera.K[0, 0]
    assert {line.split(":")[0] for line in catalogue.missing} == {"sports2d", "squats", "pose2sim"}
    assert json.dumps(catalogue.missing).count(str(tmp_path)) == 3


def test_a_crop_keeps_the_upper_left_corner() -> None:
    narrow = cropped(CAMERA, 600, 480)
    assert (narrow.width, narrow.height) == (600, 480)
    np.testing.assert_array_equal(narrow.K, CAMERA.K)
    with pytest.raises(CameraError, match="700x480"):
        cropped(CAMERA, 700, 480)


def test_webcams_and_missing_files_are_refused() -> None:
    with pytest.raises(VideoError, match="needs a file"):
        open_clip(RealClip("webcam", Path("0")))
    with pytest.raises(VideoError, match="no video"):
        open_clip(RealClip("gone", Path("gone.mp4")))
