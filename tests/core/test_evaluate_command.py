"""`physhmr evaluate` from the command line, on half a second of the bundled walk."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.skeleton import Skeleton
from physhmr.body.soles import on_floor
from physhmr.cli import main
from physhmr.inference.model_files import models_dir
from physhmr.motion.library import LibraryClip, save_library
from physhmr.types import MotionClip
from physhmr.view.video_writer import VideoWriter, count_frames

FRAMES = 24


@pytest.fixture(scope="module")
def short_walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first frames of the bundled clip, with its sidecar."""
    folder, source = tmp_path_factory.mktemp("clip"), models_dir() / "clips"
    shutil.copy(source / "walk.camera.yaml", folder / "short.camera.yaml")
    capture = cv2.VideoCapture(str(source / "walk.mp4"))
    with VideoWriter(folder / "short.mp4", 30.0) as video:
        for _ in range(FRAMES):
            video.write(cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB))
    return folder / "short.mp4"


def test_users_videos_are_evaluated_and_filmed(
    short_walk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = tmp_path / "again.mp4"
    shutil.copy(short_walk, again)
    shutil.copy(short_walk.with_suffix(".camera.yaml"), again.with_suffix(".camera.yaml"))
    assert main(["evaluate", "--video", str(short_walk), str(again), "--film", "--out", str(tmp_path / "out")]) == 0
    facts = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    clip, same = facts["clips"]
    # Whoever was seen before leaves nothing behind.
    assert (clip["name"], same["name"]) == ("short", "again") and clip["methods"] == same["methods"]
    assert clip["frames"] == FRAMES and clip["fps"] == 30.0
    assert set(clip["stage_ms"]) >= {"landmarks", "lift", "policy", "physics"}
    assert clip["methods"]["landmarks"]["frames"] == FRAMES
    # The first pose takes ten frames to be found.
    assert FRAMES // 2 < clip["methods"]["lifted"]["frames"] < FRAMES
    for method in ("landmarks", "lifted"):
        assert 0.0 < clip["methods"][method]["reprojection"] < 30.0
    assert "pose_landmark_full.onnx" in facts["provenance"]["models"]
    assert count_frames(tmp_path / "out" / "short.mp4") == count_frames(tmp_path / "out" / "again.mp4") == FRAMES
    assert "| short" in capsys.readouterr().out


def test_a_policy_is_evaluated_on_a_motion_library(tmp_path: Path) -> None:
    skeleton = Skeleton()
    qpos = on_floor(standing_qpos(skeleton), skeleton)
    clips = [
        MotionClip(name, 30.0, np.tile(qpos, (60, 1)), "made here")
        for name in ("one", "two", "one x1.14", "one style 0_1")
    ]
    splits = ("train", "validation", "train", "train")
    library = ["--clips", str(tmp_path / "library.npz"), "--out", str(tmp_path)]
    save_library(
        Path(library[1]), [LibraryClip(clip, "core", split) for clip, split in zip(clips, splits, strict=True)]
    )

    def names(*options: str) -> list[str]:
        assert main(["evaluate", *library, *options]) == 0
        return [clip["name"] for clip in json.loads((tmp_path / "tracking.json").read_text())["clips"]]

    assert names() == ["one", "two", "one x1.14", "one style 0_1"]
    summary = json.loads((tmp_path / "tracking.json").read_text())["summary"]
    varied = {"core, train, at other tempi", "core, train, in other styles"}
    assert set(summary) == {"core, train", "core, validation"} | varied
    assert names("--only", "two") == names("--split", "validation") == ["two"]
    assert names("--only", "two", "--loop", "2") == ["two_2s"]
    assert json.loads((tmp_path / "tracking.json").read_text())["clips"][0]["seconds"] == pytest.approx(2.0)


def test_methods_are_compared_on_synthetic_views(tmp_path: Path) -> None:
    skeleton = Skeleton()
    qpos = np.tile(on_floor(standing_qpos(skeleton), skeleton), (20, 1))
    entry = LibraryClip(MotionClip("one", 30.0, qpos, "made here"), "core", "validation")
    save_library(tmp_path / "library.npz", [entry])
    options = ["--clips", str(tmp_path / "library.npz"), "--views", "2", "--out", str(tmp_path)]
    assert main(["evaluate", *options, "--methods", "two_stage", "vision"]) == 0
    scores = json.loads((tmp_path / "views.json").read_text())["views"]
    assert [score["method"] for score in scores] == 2 * ["kinematic", "two_stage", "vision"]
    assert {score["clip"] for score in scores} == {"one"}
    # A policy file is one method's; nothing is silently left out.
    assert main(["evaluate", *options, "--policy", "my.onnx", "--methods", "two_stage", "vision"]) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--only", "wlak"], "Did you mean 'walk'?"),
        (["--video", "gone.mp4"], "no video at 'gone.mp4'"),
        (["--clips", "gone.npz"], "gone.npz"),
        (["--video", "x.mp4", "--calibration", "gone.qca.txt"], "gone.qca.txt"),
        (["--video", "a/x.mp4", "b/x.mp4"], "a name of its own"),
        (["--video", "x.mp4", "y.mp4", "--truth", "x.trc"], "belong to one video"),
    ],
)
def test_mistakes_are_told_and_refused(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *options, "--data", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("*.json"))
