from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from physhmr.errors import ShapeError, VideoError
from physhmr.view.video_writer import VideoWriter, count_frames


def picture(colour: tuple[int, int, int], size: tuple[int, int] = (64, 48)) -> np.ndarray:
    return np.full((size[1], size[0], 3), colour, np.uint8)


def test_what_is_written_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "film.mp4"
    with VideoWriter(path, 30.0) as video:
        for _ in range(7):
            video.write(picture((220, 30, 40)))
    capture = cv2.VideoCapture(str(path))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(30.0)
    assert count_frames(path) == 7
    blue, green, red = capture.read()[1].mean((0, 1))
    assert red > 190 > 80 > max(blue, green)


def test_all_pictures_have_the_size_of_the_first(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="like the first one"), VideoWriter(tmp_path / "a.mp4", 30.0) as video:
        video.write(picture((0, 0, 0)))
        video.write(picture((0, 0, 0), (66, 48)))


def test_odd_sizes_names_and_rates_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="even"), VideoWriter(tmp_path / "a.mp4", 30.0) as video:
        video.write(picture((0, 0, 0), (63, 48)))
    with pytest.raises(VideoError, match=r"name it a\.mp4"):
        VideoWriter(tmp_path / "a.avi", 30.0)
    for fps in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(VideoError, match="frame rate"):
            VideoWriter(tmp_path / "a.mp4", fps)


def test_a_file_that_lost_its_pictures_is_noticed(tmp_path: Path) -> None:
    video = VideoWriter(tmp_path / "a.mp4", 30.0)
    for _ in range(5):
        video.write(picture((9, 9, 9)))
    video.frames += 1  # as if the encoder had dropped one
    with pytest.raises(VideoError, match="5 of 6"):
        video.close()


def test_closing_twice_or_without_a_picture_is_fine(tmp_path: Path) -> None:
    video = VideoWriter(tmp_path / "a.mp4", 30.0)
    video.close()
    assert not (tmp_path / "a.mp4").exists()
    video.write(picture((9, 9, 9)))
    video.close()
    video.close()
    assert count_frames(tmp_path / "a.mp4") == 1
