"""Kept engines: used when they fit, built again when they do not, and an error when that does not help."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physhmr.errors import EngineError
from physhmr.inference.engine import InferenceEngine, TensorSpec
from physhmr.inference.engine_cache import EngineCache
from physhmr.inference.engine_file import EngineFile, EngineKey, read_engine, write_engine
from physhmr.inference.onnx import OnnxEngine

SaveNetwork = Callable[..., Path]
A, B = np.ones((1, 3), np.float32), np.arange(3, dtype=np.float32)[None]


@dataclass
class CopyingLibrary:
    """Its plan of a model is the model itself, its device ONNX Runtime."""

    folder: Path
    name: str = "copies 1"
    device: str = "here"
    built: list[Path] = field(default_factory=list)

    def build(self, model: Path, precision: str) -> bytes:
        self.built.append(model)
        return model.read_bytes()

    def check(self, plan: bytes) -> None:
        if not plan:
            raise EngineError("nothing in it")

    def open(self, plan: bytes, precision: str) -> InferenceEngine:
        path = self.folder / "opened.onnx"
        path.write_bytes(plan)
        return OnnxEngine(path)


@pytest.fixture
def library(tmp_path: Path) -> CopyingLibrary:
    return CopyingLibrary(tmp_path)


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "engines")


def test_an_engine_is_built_once_and_then_loaded(
    cache: EngineCache, library: CopyingLibrary, save_network: SaveNetwork
) -> None:
    model = save_network()
    for _ in range(2):
        np.testing.assert_array_equal(cache.open(library, model, "fp32").infer({"a": A, "b": B})["y"], 2 * A + B)
    assert library.built == [model]


@pytest.mark.parametrize("change", ["model", "precision", "library", "device"])
def test_each_part_of_the_key_has_its_own_engine(
    cache: EngineCache, library: CopyingLibrary, save_network: SaveNetwork, change: str
) -> None:
    model, precision = save_network(), "fp32"
    first = cache.build(library, model, precision)
    if change == "model":
        model = save_network("other.onnx", gain=3.0)
    elif change == "precision":
        precision = "fp16"
    else:
        setattr(library, {"library": "name", "device": "device"}[change], "other")
    assert cache.path(library, model, precision) != first
    cache.open(library, model, precision)
    assert len(library.built) == 2
    assert {path for path, _ in cache.engines()} == {first, cache.path(library, model, precision)}


def damage_truncated(path: Path, other: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def damage_emptied(path: Path, other: Path) -> None:
    path.write_bytes(b"")


def damage_foreign(path: Path, other: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(5000))


def damage_altered(path: Path, other: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(bytes(content))


def damage_wrong_model(path: Path, other: Path) -> None:
    path.write_bytes(other.read_bytes())


def damage_wrong_shape(path: Path, other: Path) -> None:
    engine = read_engine(path)
    wide = tuple(replace(spec, shape=(1, 4)) for spec in engine.inputs)
    write_engine(path, replace(engine, inputs=wide))


def damage_wrong_plan(path: Path, other: Path) -> None:
    """The header of this model and the plan of one that has other tensors."""
    write_engine(path, replace(read_engine(path), plan=read_engine(other).plan))


DAMAGES = {
    damage_truncated: "truncated",
    damage_emptied: "no engine of this version",
    damage_foreign: "no engine of this version",
    damage_altered: "altered",
    damage_wrong_model: "built from something else",
    damage_wrong_shape: r"'a' \(1, 4\) float32, expected 'a' \(1, 3\)",
    damage_wrong_plan: r"'b' \(5, 3\) float32, expected 'b' \(2, 3\)",
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.items())
def test_a_kept_engine_that_does_not_fit_is_named_and_built_again(
    cache: EngineCache, library: CopyingLibrary, save_network: SaveNetwork, caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path, Path], None], message: str,
) -> None:  # fmt: skip
    model, other = save_network(batch=2), save_network("other.onnx", batch=5)
    path = cache.build(library, model, "fp32")
    damage(path, cache.build(library, other, "fp32"))
    library.built.clear()
    with caplog.at_level(logging.WARNING):
        engine = cache.open(library, model, "fp32")
    assert library.built == [model]
    assert caplog.records[0].levelno == logging.WARNING
    assert re.search(message, caplog.text)
    rows = np.repeat(B, 2, 0)
    np.testing.assert_array_equal(engine.infer({"a": A, "b": rows})["y"], 2 * A + rows)
    assert read_engine(path).key == EngineKey(**vars(cache.validate(library, model, "fp32").key))


@dataclass
class FaultyLibrary(CopyingLibrary):
    """Compiles another model than the one it is given."""

    wrong: Path = Path()

    def build(self, model: Path, precision: str) -> bytes:
        super().build(model, precision)
        return self.wrong.read_bytes()


def test_a_rebuilt_engine_that_does_not_fit_either_is_an_error(
    cache: EngineCache, tmp_path: Path, save_network: SaveNetwork
) -> None:
    library = FaultyLibrary(tmp_path, wrong=save_network("other.onnx", batch=5))
    model = save_network(batch=2)
    for attempt in (1, 2):
        with pytest.raises(EngineError, match=r"declares 'b' \(5, 3\) float32, expected 'b' \(2, 3\)"):
            cache.open(library, model, "fp32")
        assert len(library.built) == attempt


def test_a_library_that_builds_nothing_usable_is_refused(
    cache: EngineCache, tmp_path: Path, save_network: SaveNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = CopyingLibrary(tmp_path)
    monkeypatch.setattr(library, "build", lambda model, precision: b"")
    with pytest.raises(EngineError, match="nothing in it"):
        cache.build(library, save_network(), "fp32")


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, library: CopyingLibrary, save_network: SaveNetwork
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EngineError, match="cannot write the engine cache"):
        EngineCache(tmp_path / "file").build(library, save_network(), "fp32")


def test_what_is_wrong_with_a_kept_engine_is_listed(
    cache: EngineCache, library: CopyingLibrary, save_network: SaveNetwork
) -> None:
    good = cache.build(library, save_network(), "fp32")
    (cache.directory / "a.engine").write_bytes(b"{}\nplan")
    listed = dict(cache.engines())
    assert isinstance(listed[cache.directory / "a.engine"], EngineError)
    assert listed[good] == read_engine(good)


words = st.text(st.characters(codec="utf-8"), max_size=20)
specs = st.lists(
    st.builds(
        TensorSpec, words, st.lists(st.none() | st.integers(1, 9), max_size=4).map(tuple),
        st.sampled_from([np.dtype(kind) for kind in ("float32", "float16", "int64")]),
    ), max_size=3,
).map(tuple)  # fmt: skip


@settings(max_examples=30)
@given(
    key=st.builds(EngineKey, words, words, words, words), inputs=specs, outputs=specs, plan=st.binary(), cut=st.data()
)
def test_writing_and_reading_are_inverse_and_no_cut_goes_unseen(
    tmp_path_factory: pytest.TempPathFactory, key: EngineKey, inputs: Any, outputs: Any, plan: bytes, cut: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("engines") / key.file_name
    written = EngineFile(key, "m.onnx", inputs, outputs, plan)
    write_engine(path, written)
    assert read_engine(path) == written
    assert [child.name for child in path.parent.iterdir()] == [key.file_name]
    content = path.read_bytes()
    path.write_bytes(content[: cut.draw(st.integers(0, len(content) - 1))])
    if path.read_bytes() + b"\n" != content:  # the end of the header's line is no loss where nothing follows
        with pytest.raises(EngineError):
            read_engine(path)
