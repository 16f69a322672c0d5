"""`physhmr engines`: builds what the node would, says so where there is nothing to build, lists what is kept."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from physhmr.cli import main
from physhmr.inference.choose import ready
from physhmr.inference.engine_file import read_engine


@pytest.mark.parametrize("engine", ["openvino", "tensorrt_rtx"])
def test_engines_are_built_kept_and_listed(engine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if engine not in ready():
        pytest.skip(f"{engine} is not installed")
    assert main(["engines", "build", "--engine", engine, "--model", "lite", "--cache", str(tmp_path)]) == 0
    paths = [Path(line) for line in capsys.readouterr().out.split()]
    assert [read_engine(path).source for path in paths] == ["pose_detection.onnx", "pose_landmark_lite.onnx"]
    paths[0].write_bytes(paths[0].read_bytes()[:1000])
    assert main(["engines", "list", "--cache", str(tmp_path)]) == 0
    listing = capsys.readouterr().out
    assert "truncated" in listing and "pose_landmark_lite.onnx" in listing


def test_auto_without_a_gpu_has_nothing_to_build(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("physhmr.inference.choose.find_gpu", lambda: None)
    with caplog.at_level(logging.INFO):
        assert main(["engines", "build", "--cache", str(tmp_path)]) == 0
    assert "nothing to build" in caplog.text
    assert not list(tmp_path.iterdir())


def test_what_is_not_installed_is_refused_with_the_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if "tensorrt" in ready():
        pytest.skip("TensorRT is installed")
    assert main(["engines", "build", "--engine", "tensorrt", "--cache", str(tmp_path)]) == 2
    assert "pip install 'physhmr[tensorrt]'" in capsys.readouterr().err
