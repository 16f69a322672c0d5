"""AIST++, Human3.6M and RICH in tiny folders: the truth must be where each data set's own camera sees it."""

from __future__ import annotations

import json
import pickle
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import BODY_INDEX, Skeleton
from physhmr.errors import MotionFileError
from physhmr.eval.aist import COCO
from physhmr.eval.clips import RealClip, open_clip, truth_at
from physhmr.eval.datasets import dataset_clips
from physhmr.eval.human36m import JOINT_AT, SIZES
from physhmr.geometry.camera import camera_from_fov, camera_pose, project
from physhmr.geometry.rotation import Y_UP_TO_Z_UP, matrix_to_hinges, matrix_to_quat, quat_to_rotvec
from physhmr.motion.smpl import JOINTS, NUM_JOINTS, own_body, smpl_points
from physhmr.types import RAY_JOINTS, Array
from physhmr.view.video_writer import VideoWriter

SKELETON = Skeleton()
FRAMES, WIDTH, HEIGHT = 7, 64, 48
LENS = camera_from_fov(WIDTH, HEIGHT, 1.0)
T_CW = np.linalg.inv(camera_pose(1.3, 0.1, 0.05))


def walk() -> Array:
    """(FRAMES, 24, 3) m, z up, on the floor."""
    qpos = np.tile(standing_qpos(SKELETON), (FRAMES, 1))
    qpos[:, 0] = 3.0 + 0.05 * np.arange(FRAMES)
    return forward_kinematics(qpos, SKELETON)[0]


def pixels(points: Array, T_cw: Array, K: Array) -> Array:
    """(T, J, 2) px by the data set's own equation: K [R | t], no lens."""
    seen = (points @ T_cw[:3, :3].T + T_cw[:3, 3]) @ K.T
    return seen[..., :2] / seen[..., 2:]


def assert_seen(clip: RealClip, wanted: Array) -> None:
    assert clip.truth is not None and clip.camera is not None
    known = np.isfinite(clip.truth.pos_w).all((1, 2))
    straight = replace(clip.camera, distortion=np.zeros(0))
    np.testing.assert_allclose(project(straight, clip.truth.select(RAY_JOINTS)[known]), wanted[known], atol=1e-4)


def write_video(path: Path, fps: float, size: tuple[int, int] = (WIDTH, HEIGHT), count: int = FRAMES) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, fps) as video:
        for _ in range(count):
            video.write(np.full((size[1], size[0], 3), 90, np.uint8))


def assert_frames_have_truths(clip: RealClip, fps: float) -> None:
    source = open_clip(clip)
    frames = list(source.frames)
    assert source.fps == pytest.approx(fps) and source.count == len(frames) and clip.truth is not None
    truth_at(clip.truth, RAY_JOINTS, np.array([frame.stamp_ns for frame in frames], float))


SEQUENCE, VIDEO = "gBR_sBM_cAll_d04_mBR0_ch01", "gBR_sBM_c02_d04_mBR0_ch01"


def write_aist(folder: Path, fps: float = 60.0, **changes: Any) -> tuple[Path, Array]:
    """Writes the folder, and tells where its camera sees the joints of the rays."""
    bodies = [name if name in BODY_INDEX else "Head" for name in COCO]
    points = 100 * walk()[:, [BODY_INDEX[name] for name in bodies]] @ Y_UP_TO_Z_UP + [30.0, -150.0, 20.0]
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = Y_UP_TO_Z_UP.T, [0.3, -1.5, 0.2]
    T_cw = T_CW @ np.linalg.inv(T)
    camera = {
        "name": "c02", "size": [WIDTH, HEIGHT], "matrix": LENS.K.tolist(),
        "rotation": quat_to_rotvec(matrix_to_quat(T_cw[:3, :3])).tolist(), "translation": (100 * T_cw[:3, 3]).tolist(),
        "distortions": [0.01, 0.0, 0.0, 0.0, 0.0],
    }  # fmt: skip
    points[3] = np.nan
    for part in ("keypoints3d", "cameras"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "keypoints3d" / f"{SEQUENCE}.pkl").write_bytes(pickle.dumps({"keypoints3d_optim": points}))
    (folder / "cameras" / "mapping.txt").write_text(f"other setting9\n{SEQUENCE} setting1\n")
    (folder / "cameras" / "setting1.json").write_text(json.dumps([camera | changes]))
    write_video(folder / "videos" / f"{VIDEO}.mp4", fps, count=FRAMES + 4)
    rays = points[:, [COCO.index(name) for name in RAY_JOINTS]] / 100
    return folder, pixels(rays, T_cw, LENS.K)


def test_aist(tmp_path: Path) -> None:
    folder, seen = write_aist(tmp_path)
    (clip,) = dataset_clips("aist++", folder, only=(VIDEO,)).clips
    assert clip.name == VIDEO and clip.truth is not None and np.isnan(clip.truth.pos_w[3]).all()
    assert_seen(clip, seen)
    assert_frames_have_truths(clip, 30.0)


def test_aist_says_what_is_wrong(tmp_path: Path) -> None:
    folder, _ = write_aist(tmp_path)
    (folder / "ignore_list.txt").write_text(f"{SEQUENCE}\n")
    with pytest.raises(MotionFileError, match="ignore_list"):
        dataset_clips("aist++", folder)
    (folder / "ignore_list.txt").unlink()
    for changes, message in (
        ({"name": "c07"}, "lacks 'c02'"),
        ({"rotation": [0.0, 1.0]}, "'rotation' must hold numbers"),
        ({"matrix": "none"}, "'matrix' must hold numbers"),
    ):
        write_aist(folder, **changes)
        with pytest.raises(MotionFileError, match=message):
            dataset_clips("aist++", folder)
    write_aist(folder, fps=25.0)
    with pytest.raises(MotionFileError, match=r"has 25 Hz, its truth 60"):
        dataset_clips("aist++", folder)
    (folder / "cameras" / "setting1.json").write_text("{")
    with pytest.raises(MotionFileError, match="not a list of AIST"):
        dataset_clips("aist++", folder)


CAMERA, SUBJECT = "55011271", 9
H36M_K = np.array([[1149.0, 0.0, 508.0], [0.0, 1147.0, 508.0], [0.0, 0.0, 1.0]])


def metadata(T_cw: Array) -> str:
    """Cameras of Human3.6M's metadata.xml; only one of one subject says anything."""
    w0 = np.ones(300)
    index = list(SIZES).index(CAMERA)
    start = 6 * (index * 11 + SUBJECT - 1)
    w0[start : start + 3] = matrix_to_hinges(T_cw[:3, :3])
    w0[start + 3 : start + 6] = -1000 * T_cw[:3, :3].T @ T_cw[:3, 3]
    lens = [1149.0, 1147.0, 508.0, 508.0, -0.2, 0.24, -0.001, -0.0009, -0.0016]
    w0[264 + 9 * index : 273 + 9 * index] = lens
    cameras = "".join(f"<item>{name}</item>" for name in SIZES)
    numbers = " ".join(repr(float(number)) for number in w0)
    return f"<root><dbcameras><index2id>{cameras}</index2id></dbcameras><w0>[{numbers}]</w0></root>"


def write_human36m(folder: Path) -> tuple[Path, Array]:
    cdflib = pytest.importorskip("cdflib", reason="Human3.6M's files need the captures extra")
    points = np.zeros((FRAMES, 32, 3))
    for name, place in JOINT_AT.items():
        points[:, place] = 1000 * walk()[:, BODY_INDEX[name]]
    path = folder / "S9" / "MyPoseFeatures" / "D3_Positions" / "Walking 1.cdf"
    path.parent.mkdir(parents=True)
    facts = {
        "Variable": "Pose", "Data_Type": 45, "Num_Elements": 1, "Rec_Vary": True, "Dim_Sizes": [FRAMES, 96],
        "Var_Type": "zVariable", "Dim_Vary": [True, True],
    }  # fmt: skip
    writer = cdflib.cdfwrite.CDF(path, delete=True)
    writer.write_var(facts, var_data=points.reshape(1, FRAMES, 96))
    writer.close()
    (folder / "metadata.xml").write_text(metadata(T_CW))
    write_video(folder / "S9" / "Videos" / f"Walking 1.{CAMERA}.mp4", 50.0, SIZES[CAMERA])
    rays = walk()[:, [BODY_INDEX[name] for name in RAY_JOINTS]]
    return folder, pixels(rays, T_CW, H36M_K)


def test_human36m(tmp_path: Path) -> None:
    folder, seen = write_human36m(tmp_path)
    (clip,) = dataset_clips("human3.6m", folder, only=(f"S9_Walking_1_{CAMERA}",)).clips
    assert clip.name == f"S9_Walking_1_{CAMERA}" and clip.truth is not None and clip.camera is not None
    assert_seen(clip, seen)
    np.testing.assert_allclose(clip.camera.distortion, [-0.2, 0.24, -0.0009, -0.0016, -0.001])
    # Its floor is z = 0, and stays it.
    np.testing.assert_allclose(clip.truth.pos_w, walk()[:, [BODY_INDEX[name] for name in RAY_JOINTS]], atol=1e-9)
    assert_frames_have_truths(clip, 25.0)


def test_human36m_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = write_human36m(tmp_path)
    good = (folder / "metadata.xml").read_text()
    for text in ("", "<root/>", good.replace("<w0>[", "<w0>[x "), good.replace("<w0>[", "<w0>[1.0 ")):
        (folder / "metadata.xml").write_text(text)
        with pytest.raises(MotionFileError, match=r"metadata\.xml"):
            dataset_clips("human3.6m", folder)
    (folder / "metadata.xml").write_text(good)
    path = folder / "S9" / "MyPoseFeatures" / "D3_Positions" / "Walking 1.cdf"
    path.write_bytes(b"no cdf")
    with pytest.raises(MotionFileError, match="is not a CDF file"):
        dataset_clips("human3.6m", folder)
    monkeypatch.setitem(sys.modules, "cdflib", None)
    with pytest.raises(MotionFileError, match=r"pip install 'physhmr\[captures\]'"):
        dataset_clips("human3.6m", folder)
    path.unlink()
    with pytest.raises(MotionFileError, match="there is no"):
        dataset_clips("human3.6m", folder)


def write_body(folder: Path) -> str:
    body = own_body(SKELETON)
    shapes = np.zeros((NUM_JOINTS, 3, 10))
    np.savez(folder / "SMPLX_female.npz", v_template=body.template, shapedirs=shapes, J_regressor=np.eye(NUM_JOINTS))
    return str(folder / "SMPLX_{}.npz")


RICH_SIZE = (82, 60)
"""px of the images at hand, a fiftieth of the original ones."""
RICH_K = np.array([[4800.0, 0.0, 2055.0], [0.0, 4790.0, 1503.0], [0.0, 0.0, 1.0]])


def write_rich(folder: Path, scale: float = 1.0) -> tuple[Path, Array]:
    """Camera 3 sees a body told in the frame of camera 0, which is scaled and turned against the world."""
    T_0w = np.linalg.inv(camera_pose(1.0, 0.3, 0.1))
    sequence, bodies = "BBQ_001_guitar", folder / "bodies" / "val" / "BBQ_001_guitar"
    root = quat_to_rotvec(matrix_to_quat(T_0w[:3, :3] @ Y_UP_TO_Z_UP))
    images = folder / "images" / "val" / sequence / "cam_03"
    images.mkdir(parents=True)
    shown = []
    for frame in range(20, 20 + FRAMES):
        cv2.imwrite(str(images / f"{frame:05d}_03.jpeg"), np.full((*RICH_SIZE[::-1], 3), 90, np.uint8))
        place_w = np.array([3.0 + 0.02 * frame, 0.1, 0.97])
        trans = T_0w[:3, :3] @ place_w + T_0w[:3, 3]
        rotvecs = np.zeros((2, NUM_JOINTS, 3))
        rotvecs[:, 0] = root
        shown.append(smpl_points(own_body(SKELETON), rotvecs, np.zeros(10), np.stack([trans, trans]))[0])
        content = {
            "global_orient": root[None].astype(np.float32), "body_pose": np.zeros((1, 63), np.float32),
            "betas": np.zeros((1, 10), np.float32), "transl": trans[None],
        }  # fmt: skip
        if frame != 22:
            path = bodies / f"{frame:05d}" / "001.pkl"
            path.parent.mkdir(parents=True)
            path.write_bytes(pickle.dumps(content))
    T_30 = T_CW @ np.linalg.inv(T_0w)
    calibration = folder / "scan_calibration" / "BBQ" / "calibration"
    calibration.mkdir(parents=True)
    data = {"CameraMatrix": T_30[:3], "Intrinsics": RICH_K, "Distortion": np.zeros(5)}
    words = {key: " ".join(f"{number!r}" for number in np.ravel(array).tolist()) for key, array in data.items()}
    text = "".join(f"<{key}><data>{line}</data></{key}>" for key, line in words.items())
    (calibration / "003.xml").write_text(f"<opencv_storage>{text}</opencv_storage>")
    (folder / "multicam2world").mkdir()
    T_w0 = np.linalg.inv(T_0w)
    world = {"c": scale, "R": T_w0[:3, :3].T.tolist(), "t": (scale * T_w0[:3, 3]).tolist()}
    (folder / "multicam2world" / "BBQ_multicam2world.json").write_text(json.dumps(world))
    (folder / "gender.json").write_text(json.dumps({"1": "female"}))
    rays = np.array(shown)[:, [JOINTS.index(name) for name in RAY_JOINTS]]
    return folder, pixels(rays, T_30, RICH_K)


@pytest.mark.parametrize("scale", [1.0, 1.02])
def test_rich(tmp_path: Path, scale: float) -> None:
    folder, seen = write_rich(tmp_path, scale)
    (clip,) = dataset_clips("rich", folder, write_body(tmp_path), ("BBQ_001_guitar_cam_03",)).clips
    assert clip.name == "BBQ_001_guitar_cam_03" and clip.truth is not None
    assert np.isnan(clip.truth.pos_w[2]).all() and np.isfinite(clip.truth.pos_w[3]).all()
    known = np.isfinite(clip.truth.pos_w).all((1, 2))
    straight = replace(clip.camera, distortion=np.zeros(0))  # type: ignore[type-var]
    found = project(straight, clip.truth.select(RAY_JOINTS)[known])
    # Tenths of the original pixels: the parameters are float32.
    np.testing.assert_allclose(found, seen[known], atol=0.1)
    assert_frames_have_truths(clip, 30.0)
    assert next(open_clip(clip).frames).camera.K[0, 0] == pytest.approx(4800 * 82 / 4112)
    up = clip.truth.pos_w[0, RAY_JOINTS.index("L_Hip")] - clip.truth.pos_w[0, RAY_JOINTS.index("L_Ankle")]
    np.testing.assert_allclose(up / np.linalg.norm(up), [0.0, 0.0, 1.0], atol=0.05)


def test_rich_says_what_it_lacks(tmp_path: Path) -> None:
    folder, _ = write_rich(tmp_path)
    with pytest.raises(MotionFileError, match="give SMPL-X' body"):
        dataset_clips("rich", folder)
    body = write_body(tmp_path)
    other = folder / "bodies" / "val" / "BBQ_001_guitar" / "00021" / "002.pkl"
    other.write_bytes(b"")
    with pytest.raises(MotionFileError, match="bodies of 2 people"):
        dataset_clips("rich", folder, body)
    other.unlink()
    calibration = folder / "scan_calibration" / "BBQ" / "calibration" / "003.xml"
    good = calibration.read_text()
    for text in ("", "<opencv_storage/>", good.replace("<CameraMatrix><data>", "<CameraMatrix><data>a ")):
        calibration.write_text(text)
        with pytest.raises(MotionFileError, match=r"003\.xml"):
            dataset_clips("rich", folder, body)
    calibration.write_text(good)
    (folder / "gender.json").write_text("{}")
    with pytest.raises(MotionFileError, match="lacks '1'"):
        dataset_clips("rich", folder, body)
