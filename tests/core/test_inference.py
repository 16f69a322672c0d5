from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from physhmr.errors import ModelFileError, NonFiniteError, ShapeError, UnknownNameError
from physhmr.inference.model_files import find_model, models_dir, read_manifest
from physhmr.inference.onnx import OnnxEngine


@pytest.fixture
def engine(save_network: Callable[..., Path]) -> OnnxEngine:
    return OnnxEngine(save_network())


A, B = np.ones((1, 3), np.float32), np.arange(6, dtype=np.float32).reshape(2, 3)


def test_declares_and_infers(engine: OnnxEngine) -> None:
    assert [(spec.name, spec.shape) for spec in engine.inputs] == [("a", (1, 3)), ("b", (None, 3))]
    assert engine.inputs[0].dtype == np.float32
    assert engine.metadata == {"skeleton": "smpl24"}
    engine.warm_up()
    np.testing.assert_array_equal(engine.infer({"a": A, "b": B})["y"], 2 * A + B)


@pytest.mark.parametrize(
    ("tensors", "error", "message"),
    [
        ({"a": A}, ShapeError, r"'b' must have shape \(None, 3\) float32, got nothing"),
        ({"a": A, "b": B[:, :2]}, ShapeError, r"got \(2, 2\)"),
        ({"a": A, "b": B.astype(float)}, ShapeError, "float64"),
        ({"a": A, "b": B, "image": A}, UnknownNameError, "'image'"),
        ({"a": A, "b": B * np.float32(np.nan)}, NonFiniteError, "6 non-finite"),
        ({"a": np.float32([[np.inf, -np.inf, 0]]), "b": B}, NonFiniteError, "2 non-finite"),
    ],
)
def test_wrong_inputs_are_named(
    engine: OnnxEngine, tensors: dict[str, np.ndarray], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        engine.infer(tensors)


def test_missing_and_damaged_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no model file"):
        OnnxEngine(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelFileError, match="damaged"):
        OnnxEngine(tmp_path / "bad.onnx")


def test_every_shipped_model_verifies_and_declares_its_input() -> None:
    manifest = read_manifest(models_dir())
    assert {"blazepose_detector", "blazepose_lite", "blazepose_full"} <= set(manifest)
    for name in ("blazepose_detector", "blazepose_lite", "blazepose_full"):
        (spec,) = OnnxEngine(find_model(name)).inputs
        assert spec.shape == manifest[name].input_shape
        assert manifest[name].licence == "Apache-2.0"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    entry = {"name": "m", "file": "m.onnx", "sha256": "0" * 64, "licence": "-", "source": "-", "input_shape": [1]}
    (tmp_path / "manifest.json").write_text(json.dumps({"models": [entry]}))
    return tmp_path


def test_a_model_that_is_not_there_or_not_the_same_says_what_to_do(store: Path) -> None:
    with pytest.raises(ModelFileError, match=r"missing: .*m\.onnx; restore"):
        find_model("m", store)
    (store / "m.onnx").write_bytes(b"other weights")
    with pytest.raises(ModelFileError, match=r"sha256 \w{12}\.\.\. instead of 0{12}"):
        find_model("m", store)
    with pytest.raises(UnknownNameError, match="Valid: m"):
        find_model("n", store)


def test_a_model_of_the_users_is_taken_as_it_is(store: Path) -> None:
    manifest = (store / "manifest.json").read_text()
    (store / "manifest.json").write_text(manifest.replace(f'"{"0" * 64}"', 'null, "get": "ask Ann"'))
    with pytest.raises(ModelFileError, match="ask Ann; then `physhmr models add m FILE`"):
        find_model("m", store)
    (store / "m.onnx").write_bytes(b"any weights")
    assert find_model("m", store) == store / "m.onnx"


@pytest.mark.parametrize("text", ["", "{}", '{"models": [{"name": "m"}]}'])
def test_malformed_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ModelFileError, match=r"cannot read .*manifest\.json"):
        read_manifest(tmp_path)
