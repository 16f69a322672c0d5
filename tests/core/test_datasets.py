"""Tiny folders in the layouts of the data sets: what they show must be where their own cameras see it."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import BODY_INDEX, SMPL_TO_MUJOCO, Skeleton
from physhmr.cli import main
from physhmr.errors import CameraError, MotionFileError, ShapeError, UnknownNameError, VideoError
from physhmr.eval.clips import RealClip, open_clip, truth_at
from physhmr.eval.dataset_world import ANKLE_HEIGHT, dataset_clip
from physhmr.eval.datasets import dataset_clips
from physhmr.eval.recording import Recording, scores
from physhmr.geometry.camera import camera_from_fov, camera_pose, project
from physhmr.geometry.rotation import Y_UP_TO_Z_UP
from physhmr.inference.model_files import models_dir
from physhmr.motion.smpl import NUM_JOINTS, own_body, smpl_points
from physhmr.types import RAY_JOINTS, Array, CameraModel

SKELETON = Skeleton()
FRAMES, WIDTH, HEIGHT = 6, 64, 48
LENS = camera_from_fov(WIDTH, HEIGHT, 1.0)
RAYS = [BODY_INDEX[name] for name in RAY_JOINTS]


def walk() -> Array:
    """(FRAMES, 24, 3) m in our bodies' order, z up, feet on the floor."""
    qpos = np.tile(standing_qpos(SKELETON), (FRAMES, 1))
    qpos[:, 0] = 3.0 + 0.05 * np.arange(FRAMES)
    return forward_kinematics(qpos, SKELETON)[0]


def moving_camera() -> Array:
    """(FRAMES, 4, 4) T_cw in a z-up world: a camera that rises, turns and walks."""
    poses = np.array([camera_pose(1.2 + 0.05 * i, 0.02 * i) for i in range(FRAMES)])
    poses[:, 1, 3] = 0.03 * np.arange(FRAMES)
    return np.linalg.inv(poses)


def in_y_up(points: Array, T_cw: Array, shift: Array) -> tuple[Array, Array]:
    """The same scene told in a y-up world whose origin lies `shift` elsewhere."""
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = Y_UP_TO_Z_UP.T, shift
    return points @ Y_UP_TO_Z_UP + shift, T_cw @ np.linalg.inv(T)


def pixels(points: Array, T_cw: Array, K: Array) -> Array:
    """(..., 2) px by the data set's own equation: K [R | t]."""
    seen = (points @ T_cw[:3, :3].T + T_cw[:3, 3]) @ K.T
    return seen[..., :2] / seen[..., 2:]


SHIFT = np.array([0.4, -2.0, 7.0])
POINTS, T_CW = in_y_up(walk(), moving_camera(), SHIFT)


def write_images(folder: Path, count: int = FRAMES, pattern: str = "image_{:05d}.jpg") -> None:
    folder.mkdir(parents=True)
    for index in range(count):
        cv2.imwrite(str(folder / pattern.format(index)), np.full((HEIGHT, WIDTH, 3), 20 * index, np.uint8))


def write_pickle(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, 2))


def three_dpw_content() -> dict[str, Any]:
    return {
        "sequence": "courtyard_walk_00",
        "jointPositions": [POINTS[:, list(SMPL_TO_MUJOCO)].reshape(FRAMES, 72)],
        "cam_poses": T_CW,
        "cam_intrinsics": LENS.K,
        "campose_valid": [np.array([1, 1, 0, 1, 1, 1])],
        "genders": ["f"],
    }


def write_three_dpw(folder: Path, **changes: Any) -> Path:
    write_pickle(folder / "sequenceFiles" / "test" / "courtyard_walk_00.pkl", three_dpw_content() | changes)
    write_images(folder / "imageFiles" / "courtyard_walk_00")
    return folder


ROTVECS = np.zeros((FRAMES, 24, 3))
ROTVECS[:, 0, 1] = np.pi / 2
ROTVECS[:, 4, 0] = np.linspace(0.0, 1.0, FRAMES)
TRANS = SHIFT + [0.0, 0.97, 3.0] + 0.05 * np.arange(FRAMES)[:, None]


def emdb_content() -> dict[str, Any]:
    poses = ROTVECS.reshape(FRAMES, 72)
    return {
        "gender": "female",
        "name": "P0_00_walk",
        "n_frames": FRAMES,
        "good_frames_mask": np.array([True, True, False, True, True, True]),
        "camera": {"intrinsics": LENS.K, "extrinsics": T_CW, "width": WIDTH, "height": HEIGHT},
        "smpl": {"poses_root": poses[:, :3], "poses_body": poses[:, 3:], "trans": TRANS, "betas": np.zeros(10)},
    }


def write_emdb(folder: Path, **changes: Any) -> Path:
    sequence = folder / "P0" / "00_walk"
    write_pickle(sequence / "P0_00_walk_data.pkl", emdb_content() | changes)
    write_images(sequence / "images", pattern="{:05d}.jpg")
    return folder


def write_body(folder: Path, name: str) -> Path:
    body = own_body(SKELETON)
    vertices = np.eye(NUM_JOINTS)
    shapes = np.zeros((NUM_JOINTS, 3, 10))
    np.savez(folder / name, v_template=body.template, shapedirs=shapes, J_regressor=vertices)
    return folder / name


def assert_seen_alike(clip: RealClip, points: Array, T_cw: Array, K: Array) -> None:
    """The true joints are where the data set's camera sees them, in every frame whose truth is known."""
    assert clip.truth is not None and clip.T_wc is not None and clip.camera is not None
    for index, T in enumerate(T_cw):
        if np.isfinite(clip.truth.pos_w[index]).all():
            camera = replace(clip.camera, T_wc=clip.T_wc[index])
            found = project(camera, clip.truth.select(RAY_JOINTS)[index])
            np.testing.assert_allclose(found, pixels(points[index], T, K), atol=1e-6)


def assert_stands(clip: RealClip) -> None:
    assert clip.truth is not None
    pos = clip.truth.select(RAY_JOINTS)
    ankles = pos[:, [RAY_JOINTS.index("L_Ankle"), RAY_JOINTS.index("R_Ankle")], 2]
    assert np.nanmin(ankles) == pytest.approx(ANKLE_HEIGHT, abs=0.01)
    assert np.nanmin(pos[:, RAY_JOINTS.index("L_Shoulder"), 2]) > 1.2


def test_three_dpw(tmp_path: Path) -> None:
    (clip,) = dataset_clips("3dpw", write_three_dpw(tmp_path)).clips
    assert_seen_alike(clip, POINTS[:, RAYS], T_CW, LENS.K)
    assert_stands(clip)
    assert clip.truth is not None and np.isnan(clip.truth.pos_w[2]).all() and clip.name == "courtyard_walk_00"
    assert "floor is taken" in clip.note


def test_emdb(tmp_path: Path) -> None:
    write_body(tmp_path, "smpl_female.npz")
    (clip,) = dataset_clips("emdb", write_emdb(tmp_path), str(tmp_path / "smpl_{}.npz")).clips
    points = smpl_points(own_body(SKELETON), ROTVECS, np.zeros(10), TRANS)
    names = [np.array(SMPL_TO_MUJOCO).tolist().index(body) for body in RAYS]
    assert_seen_alike(clip, points[:, names], T_CW, LENS.K)
    assert_stands(clip)
    assert clip.name == "P0_00_walk"
    assert clip.truth is not None and np.isnan(clip.truth.pos_w[2]).all()


def test_emdb_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(MotionFileError, match="give SMPL's body as an npz"):
        dataset_clips("emdb", write_emdb(tmp_path))
    with pytest.raises(MotionFileError, match=r"no body model at .*female\.npz"):
        dataset_clips("emdb", tmp_path, str(tmp_path / "{}.npz"))


def test_frames_come_with_the_moving_cameras_pose(tmp_path: Path) -> None:
    (clip,) = dataset_clips("3dpw", write_three_dpw(tmp_path)).clips
    source = open_clip(clip)
    frames = list(source.frames)
    assert source.fps == 30.0 and source.count == len(frames) == FRAMES and clip.T_wc is not None
    for index, frame in enumerate(frames):
        assert abs(int(frame.image[0, 0, 0]) - 20 * index) < 3
        np.testing.assert_array_equal(frame.camera.T_wc, clip.T_wc[index])  # type: ignore[arg-type]
    assert clip.truth is not None
    found = truth_at(clip.truth, RAY_JOINTS, np.array([frame.stamp_ns for frame in frames], float))
    np.testing.assert_array_equal(found, clip.truth.pos_w)


def test_images_of_another_scale_get_the_scaled_camera(tmp_path: Path) -> None:
    (clip,) = dataset_clips("3dpw", write_three_dpw(tmp_path)).clips
    assert clip.camera is not None
    large = CameraModel(np.diag([4.0, 4.0, 1.0]) @ clip.camera.K, 4 * WIDTH, 4 * HEIGHT)
    frame = next(open_clip(replace(clip, camera=large)).frames)
    np.testing.assert_allclose(frame.camera.K[0, 0], clip.camera.K[0, 0])
    with pytest.raises(CameraError, match="no scaled"):
        open_clip(replace(clip, camera=replace(large, width=5 * WIDTH)))


@pytest.mark.parametrize("fps", [60.0, 50.0])
def test_fast_folders_are_thinned(tmp_path: Path, fps: float) -> None:
    write_images(tmp_path / "images", 9)
    poses = np.tile(np.eye(4), (9, 1, 1))
    poses[:, 0, 3] = np.arange(9)
    source = open_clip(RealClip("fast", tmp_path / "images", LENS, fps=fps, frames=7, T_wc=poses))
    frames = list(source.frames)
    assert source.fps == fps / 2 and source.count == len(frames) == 4
    assert [frame.camera.T_wc[0, 3] for frame in frames] == [0, 2, 4, 6]  # type: ignore[index]
    assert [frame.stamp_ns for frame in frames] == [round(1e9 * i / fps) for i in (0, 2, 4, 6)]


def test_folders_that_are_none_of_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="holds no images"):
        open_clip(RealClip("empty", tmp_path, LENS, fps=30.0))
    write_images(tmp_path / "images")
    with pytest.raises(VideoError, match="needs its rate"):
        open_clip(RealClip("still", tmp_path / "images", LENS))
    cv2.imwrite(str(tmp_path / "images" / "image_00003.jpg"), np.zeros((10, 10, 3), np.uint8))
    with pytest.raises(VideoError, match=r"image_00003\.jpg is no 64x48 image"):
        list(open_clip(RealClip("odd", tmp_path / "images", LENS, fps=30.0)).frames)


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('a pickle ran code')",))


NAN = np.full((FRAMES, 72), np.nan)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"jointPositions": [NAN]}, "'jointPositions' holds numbers that are not finite"),
        ({"jointPositions": [NAN[:, :70]]}, "'jointPositions' must hold numbers of shape"),
        ({"jointPositions": 2 * three_dpw_content()["jointPositions"]}, "2 people"),
        ({"jointPositions": Bomb()}, "not a pickle of plain arrays"),
        ({"cam_poses": 2 * T_CW}, "holds no rotation"),
        ({"cam_poses": T_CW[:, :3]}, "'cam_poses' must hold numbers of shape"),
        ({"cam_intrinsics": np.zeros((3, 3))}, "focal lengths must be positive"),
        ({"campose_valid": [np.zeros(FRAMES)]}, "no two frames with a truth"),
        ({"jointPositions": [-three_dpw_content()["jointPositions"][0]]}, "do not stand along y"),
    ],
)
def test_wrong_three_dpw_files_are_said(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(MotionFileError, match=message):
        dataset_clips("3dpw", write_three_dpw(tmp_path, **changes))


@pytest.mark.parametrize("key", ["jointPositions", "cam_poses", "cam_intrinsics", "campose_valid"])
def test_missing_three_dpw_keys_are_named(tmp_path: Path, key: str) -> None:
    write_three_dpw(tmp_path)
    content = {name: value for name, value in three_dpw_content().items() if name != key}
    write_pickle(tmp_path / "sequenceFiles" / "test" / "courtyard_walk_00.pkl", content)
    with pytest.raises(MotionFileError, match=f"lacks '{key}'"):
        dataset_clips("3dpw", tmp_path)


@pytest.mark.parametrize("key", ["smpl", "camera", "good_frames_mask", "gender"])
def test_missing_emdb_keys_are_named(tmp_path: Path, key: str) -> None:
    write_emdb(tmp_path)
    content = {name: value for name, value in emdb_content().items() if name != key}
    write_pickle(tmp_path / "P0" / "00_walk" / "P0_00_walk_data.pkl", content)
    body = str(write_body(tmp_path, "smpl.npz"))
    with pytest.raises(MotionFileError, match=f"lacks '{key}'"):
        dataset_clips("emdb", tmp_path, body)


def test_one_damaged_sequence_does_not_stop_the_others(tmp_path: Path) -> None:
    write_three_dpw(tmp_path)
    (tmp_path / "sequenceFiles" / "test" / "broken_00.pkl").write_bytes(b"no pickle")
    catalogue = dataset_clips("3dpw", tmp_path)
    assert [clip.name for clip in catalogue.clips] == ["courtyard_walk_00"]
    assert len(catalogue.missing) == 1 and catalogue.missing[0].startswith("broken_00: broken_00.pkl is not")
    assert not dataset_clips("3dpw", tmp_path, only=("courtyard_walk_00",)).missing


def test_unknown_names_and_empty_folders_are_said(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="data set"):
        dataset_clips("coco", tmp_path)  # type: ignore[arg-type]
    with pytest.raises(MotionFileError, match="it should hold sequenceFiles"):
        dataset_clips("3dpw", tmp_path)
    with pytest.raises(UnknownNameError, match="sequence"):
        dataset_clips("3dpw", write_three_dpw(tmp_path), only=("nobody",))


def test_truths_and_poses_must_agree() -> None:
    joints = walk()[:, RAYS]
    build: Callable[..., RealClip] = lambda **values: dataset_clip(  # noqa: E731
        **(
            {"name": "x", "video": Path("x"), "fps": 30.0, "joints": joints, "camera": LENS, "up": "z", "note": ""}
            | values
        )
    )
    with pytest.raises(ShapeError, match="T_cw"):
        build(T_cw=moving_camera()[:3])
    with pytest.raises(ShapeError, match="joints"):
        build(T_cw=moving_camera(), joints=walk())
    assert build(T_cw=moving_camera()[0]).T_wc is None
    known = build(T_cw=moving_camera()[0], floor_known=True)
    assert known.truth is not None
    np.testing.assert_allclose(known.truth.pos_w, joints)


def test_frames_without_truth_do_not_count() -> None:
    """An estimate that is wrong only where nobody knows makes no error; the run without a gap ends there."""
    truth = walk()[:, RAYS]
    recording = Recording(0.01)
    for index, joints in enumerate(truth):
        recording.add(index, joints + (5.0 if index == 1 else 0.0), joints[-2:], 1.0)
    gap = truth.copy()
    gap[1] = np.nan
    found = scores(recording, 30.0, gap)
    assert found["g_mpjpe"] == found["accel"] == 0.0 and found["rte"] == pytest.approx(0.0, abs=1e-9)
    assert scores(recording, 30.0, truth)["g_mpjpe"] > 1.0
    assert np.isnan(scores(recording, 30.0, np.full_like(truth, np.nan))["g_mpjpe"])


def test_the_command_evaluates_a_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Frames of the bundled walk in 3DPW's layout, with a made-up truth: numbers come out, and the missing is said."""
    capture, count = cv2.VideoCapture(str(models_dir() / "clips" / "walk.mp4")), 12
    images = tmp_path / "imageFiles" / "walk_00"
    images.mkdir(parents=True)
    for index in range(count):
        picture = capture.read()[1]
        cv2.imwrite(str(images / f"image_{index:05d}.jpg"), picture)
    height, width = picture.shape[:2]
    points = np.tile(walk()[:1, list(SMPL_TO_MUJOCO)], (count, 1, 1)) @ Y_UP_TO_Z_UP
    poses = np.tile(in_y_up(points, moving_camera()[:1], np.zeros(3))[1], (count, 1, 1))
    content = {
        "jointPositions": [points.reshape(count, 72)], "cam_poses": poses, "campose_valid": [np.arange(count) != 4],
        "cam_intrinsics": camera_from_fov(width, height, 1.0).K,
    }  # fmt: skip
    write_pickle(tmp_path / "sequenceFiles" / "test" / "walk_00.pkl", content)
    write_pickle(tmp_path / "sequenceFiles" / "test" / "other_00.pkl", {})
    out = tmp_path / "out"
    assert main(["evaluate", "--dataset", "3dpw", "--data", str(tmp_path), "--out", str(out)]) == 0
    (clip,) = json.loads((out / "evaluation.json").read_text())["clips"]
    assert clip["frames"] == count and clip["methods"]["landmarks"]["pa_mpjpe"] > 0
    assert clip["detector_px"] > 0
    assert "other_00: other_00.pkl lacks 'jointPositions'" in capsys.readouterr().err
    assert main(["evaluate", "--dataset", "3dpw", "--data", str(tmp_path), "--video", "x.mp4"]) == 2
    assert "excludes 'video'" in capsys.readouterr().err
    assert main(["evaluate", "--dataset", "3dpw", "--data", str(tmp_path), "--only", "nobody"]) == 2
    assert "unknown sequence 'nobody'" in capsys.readouterr().err
