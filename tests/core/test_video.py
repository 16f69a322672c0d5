from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from physhmr.errors import CameraError, UnknownNameError, VideoError
from physhmr.geometry.camera import camera_tilt
from physhmr.geometry.camera_file import read_camera_file, sidecar_of
from physhmr.inference.model_files import models_dir
from physhmr.video import DEFAULT_FOV, VideoConfig, VideoReader

CLIP = models_dir() / "clips" / "walk.mp4"
WIDTH, HEIGHT, FRAMES, FPS = 64, 48, 12, 25.0


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Twelve frames whose red grows by 20 a frame."""
    path = tmp_path / "grow.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (WIDTH, HEIGHT))
    for index in range(FRAMES):
        writer.write(np.full((HEIGHT, WIDTH, 3), (0, 0, 20 * index), np.uint8))
    writer.release()
    return path


def reader(path: Path, fov: float | None = None) -> VideoReader:
    return VideoReader(VideoConfig(source=str(path), fov=fov))


def test_every_frame_comes_once_in_rgb_with_its_stamp(video: Path) -> None:
    with reader(video) as source:
        frames = list(source)
        assert source.missing_frames == 0 and source.read() is None
    assert len(frames) == FRAMES
    assert [frame.stamp_ns for frame in frames] == [round(index * 1e9 / FPS) for index in range(FRAMES)]
    red = [frame.image[..., 0].mean() for frame in frames]
    np.testing.assert_allclose(red, 20.0 * np.arange(FRAMES), atol=3)
    assert max(frame.image[..., 1:].mean() for frame in frames) < 6


def test_camera_is_assumed_without_a_sidecar(video: Path) -> None:
    camera = reader(video).camera
    assert camera.T_wc is None and (camera.width, camera.height) == (WIDTH, HEIGHT)
    assert 2 * np.arctan(0.5 * WIDTH / camera.K[0, 0]) == pytest.approx(DEFAULT_FOV)


def test_sidecar_gives_the_camera_and_a_stated_field_of_view_wins(video: Path) -> None:
    sidecar_of(video).write_text("fov_deg: 90\nheight_m: 1.5\npitch_deg: 10\nperson_height_m: 1.7\n")
    source = reader(video)
    assert source.camera.K[0, 0] == pytest.approx(WIDTH / 2)
    assert source.person_height == 1.7
    assert source.camera.T_wc is not None
    tilt = camera_tilt(source.camera.T_wc)
    np.testing.assert_allclose([tilt.height, np.rad2deg(tilt.pitch)], [1.5, 10.0])
    narrow = reader(video, fov=0.5)
    assert narrow.camera.K[0, 0] == pytest.approx(WIDTH / 2 / np.tan(0.25))
    assert narrow.camera.T_wc is None and narrow.person_height == 1.7


CALIBRATION = """image_width: 64
image_height: 48
camera_name: cam
camera_matrix: {rows: 3, cols: 3, data: [50, 0, 31, 0, 51, 20, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, 0, 0, 0, 0]}
"""


def test_sidecar_is_a_ros_calibration(tmp_path: Path) -> None:
    path = tmp_path / "a.camera.yaml"
    path.write_text(CALIBRATION)
    camera = read_camera_file(path, 64, 48).camera
    np.testing.assert_array_equal(camera.K, [[50, 0, 31], [0, 51, 20], [0, 0, 1]])
    np.testing.assert_array_equal(camera.distortion, [0.1, 0, 0, 0, 0])
    assert read_camera_file(path, 128, 96).camera.K[0, 0] == 100
    with pytest.raises(CameraError, match="no scaled 64x48"):
        read_camera_file(path, 128, 72)


def test_large_and_fast_files_are_thinned(video: Path) -> None:
    with VideoReader(VideoConfig(source=str(video), max_fps=13.0, max_side=32)) as source:
        frames = list(source)
        assert source.missing_frames == 0
    assert [frame.stamp_ns for frame in frames] == [round(index * 1e9 / FPS) for index in range(0, FRAMES, 2)]
    np.testing.assert_allclose([frame.image[..., 0].mean() for frame in frames], 40.0 * np.arange(6), atol=3)
    assert frames[0].image.shape == (24, 32, 3) and frames[0].camera.width == 32


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("fov_degrees: 60", UnknownNameError, "Did you mean 'fov_deg'"),
        ("height_m: 1.5", CameraError, "exactly one of"),
        (CALIBRATION + "fov_deg: 60", CameraError, "exactly one of"),
        ("fov_deg: wide", CameraError, "numbers"),
        (CALIBRATION.replace("50, ", ""), CameraError, "needs 9 numbers"),
        (CALIBRATION.replace("image_width", "camera_name"), CameraError, "image_width"),
        ("- 60", CameraError, "mapping"),
        ("fov_deg: [", CameraError, "cannot read"),
    ],
)
def test_bad_sidecars_are_refused(tmp_path: Path, text: str, error: type[Exception], message: str) -> None:
    path = tmp_path / "bad.camera.yaml"
    path.write_text(text)
    with pytest.raises(error, match=message):
        read_camera_file(path, 64, 48)


def test_truncated_file_is_noticed(tmp_path: Path) -> None:
    content = CLIP.read_bytes()
    path = tmp_path / "half.mp4"
    path.write_bytes(content[: len(content) // 2])
    with reader(path) as source:
        read = len(list(source))
        assert 0.3 < read / source.announced_frames < 0.7
        assert source.missing_frames == source.announced_frames - read


def test_sidecar_follows_a_shrunk_video() -> None:
    whole, small = reader(CLIP).camera, VideoReader(VideoConfig(source=str(CLIP), max_side=960)).camera
    assert (small.width, small.height) == (960, 285)
    np.testing.assert_allclose(small.K[:2, :2], 0.75 * whole.K[:2, :2])


def test_bundled_clip_is_whole_and_described() -> None:
    with reader(CLIP) as source:
        assert source.camera.T_wc is not None and source.person_height == 1.65
        assert sum(1 for _ in source) == source.announced_frames == 138


@pytest.mark.parametrize(("name", "content"), [("none.mp4", None), ("text.mp4", b"not a video"), ("empty.mp4", b"")])
def test_unreadable_sources_are_refused(tmp_path: Path, name: str, content: bytes | None) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VideoError, match="no video"):
        reader(path)


def test_missing_webcam_is_refused() -> None:
    with pytest.raises(VideoError, match="webcam 97"):
        VideoReader(VideoConfig(source="97"))
