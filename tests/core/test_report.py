from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from physhmr.errors import ModelFileError
from physhmr.eval.evaluate import METHODS, ClipRecord
from physhmr.eval.provenance import Provenance, commit_of, provenance
from physhmr.eval.recording import Recording
from physhmr.eval.report import EvaluationResult, markdown, markdown_table, percentiles, write_result

ORIGIN = Provenance("abc123", {"a.onnx": "0" * 64}, "a machine", "3.11", {"numpy": "2"}, 7, "2026-01-01T00:00:00+00:00")


def record(with_truth: bool) -> ClipRecord:
    made = ClipRecord("squats", 30.0, note="a | b", frames=5, assumed="given", counters={"falls": 2})
    made.methods = {name: Recording(clearance=0.01) for name in METHODS}
    for frame in range(5):
        made.methods["landmarks"].add(frame, np.random.default_rng(frame).normal(size=(12, 3)), np.zeros((4, 3)), 3.0)
    made.stage_ms = {"lift": [1.0, 2.0, 3.0]}
    if with_truth:
        made.truth_w, made.detector_px = np.random.default_rng(9).normal(size=(5, 12, 3)), [4.0]
    return made


def test_json_is_strict_and_says_everything(tmp_path: Path) -> None:
    result = EvaluationResult(ORIGIN, (record(True),), ("sports2d: not here",))
    as_json, as_markdown = write_result(result, tmp_path / "new")
    facts = json.loads(as_json.read_text(), parse_constant=pytest.fail)
    assert facts["provenance"]["commit"] == "abc123" and facts["provenance"]["seed"] == 7
    clip = facts["clips"][0]
    assert clip["methods"]["landmarks"]["reprojection"] == 3.0
    assert clip["methods"]["landmarks"]["pa_mpjpe"] > 0
    assert clip["methods"]["humanoid"]["pa_mpjpe"] is None
    assert clip["stage_ms"]["lift"]["p50"] == 2.0
    assert facts["missing"] == ["sports2d: not here"]
    text = as_markdown.read_text()
    for word in ("abc123", "0" * 64, "a machine", "PA-MPJPE mm", "sports2d: not here", "seed 7", "2.0 / 3.0"):
        assert word in text


def test_accuracy_is_only_listed_where_there_is_a_truth() -> None:
    assert "PA-MPJPE mm |" in markdown(EvaluationResult(ORIGIN, (record(True),)))
    assert "PA-MPJPE mm |" not in markdown(EvaluationResult(ORIGIN, (record(False),)))


def test_tables_have_equal_columns_whatever_the_cells_hold() -> None:
    lines = markdown_table([["a", "long head"], ["x | y", "1"]]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert all(line.replace(r"\|", "").count("|") == 3 for line in lines)


def test_percentiles() -> None:
    assert percentiles(list(range(101))) == {"p50": 50.0, "p99": 99.0}


def test_provenance_hashes_the_files(tmp_path: Path) -> None:
    model = tmp_path / "m.onnx"
    model.write_bytes(b"weights")
    assert provenance([model]).models == {"m.onnx": hashlib.sha256(b"weights").hexdigest()}
    with pytest.raises(ModelFileError, match="gone"):
        provenance([tmp_path / "gone.onnx"])


def test_the_commit_is_known_in_a_checkout_and_edits_are_told(tmp_path: Path) -> None:
    assert commit_of(tmp_path) == "unknown"
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    for arguments in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "first"]):
        (tmp_path / "file").write_text("1")
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True)
    clean = commit_of(tmp_path)
    assert len(clean) == 40
    (tmp_path / "file").write_text("2")
    assert commit_of(tmp_path) == clean + "+changes"
