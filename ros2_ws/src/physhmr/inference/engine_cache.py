"""Compiled engines, kept: loaded, validated, rebuilt on a mismatch, validated again, else a clear error."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Protocol

from physhmr.errors import EngineError
from physhmr.inference.engine import InferenceEngine, TensorSpec, check_declared
from physhmr.inference.engine_file import SUFFIX, EngineFile, EngineKey, read_engine, sha256_of, write_engine
from physhmr.inference.onnx import declared_tensors

_log = logging.getLogger(__name__)
Tensors = tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]


class EngineLibrary(Protocol):
    """A library that compiles an ONNX file into a plan for one device, and runs such plans."""

    @property
    def name(self) -> str:
        """Name and version: plans of another one are of no use."""

    @property
    def device(self) -> str:
        """What the plans are for."""

    def build(self, model: Path, precision: str) -> bytes:
        """Compile `model`; raises `EngineError`."""

    def check(self, plan: bytes) -> None:
        """Look at a plan as far as that is possible without its device; raises `EngineError`."""

    def open(self, plan: bytes, precision: str) -> InferenceEngine:
        """Load a plan on its device; raises `EngineError`."""


def default_directory() -> Path:
    """Return where engines are kept: physhmr/engines in $XDG_CACHE_HOME, else in ~/.cache."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "physhmr" / "engines"


class EngineCache:
    """The engines in one directory."""

    def __init__(self, directory: Path | None = None) -> None:
        """Use `directory`, or the default one; it is made when the first engine is written."""
        self.directory = directory or default_directory()

    def path(self, library: EngineLibrary, model: Path, precision: str) -> Path:
        """Return where the engine of `model` is, or would be."""
        return self.directory / _key(library, model, precision).file_name

    def build(self, library: EngineLibrary, model: Path, precision: str) -> Path:
        """Compile `model` now, validate what was written, return its path; raises `EngineError`."""
        key, (inputs, outputs) = _key(library, model, precision), declared_tensors(model)
        path, start = self.directory / key.file_name, time.monotonic()
        _log.info("building %s for %s (%s, %s) ...", model.name, library.device, library.name, precision)
        plan = library.build(model, precision)
        write_engine(path, EngineFile(key, model.name, inputs, outputs, plan))
        self.validate(library, model, precision)
        _log.info("built %s in %.1f s, %.1f MB", path.name, time.monotonic() - start, len(plan) / 1e6)
        return path

    def validate(self, library: EngineLibrary, model: Path, precision: str) -> EngineFile:
        """Return the kept engine of `model`, checked without its device; raises `EngineError`."""
        key = _key(library, model, precision)
        path = self.directory / key.file_name
        engine = read_engine(path)
        if engine.key != key:
            raise EngineError(f"{path} was built from something else: {engine.key}, expected {key}")
        _check(str(path), declared_tensors(model), (engine.inputs, engine.outputs))
        library.check(engine.plan)
        return engine

    def open(self, library: EngineLibrary, model: Path, precision: str) -> InferenceEngine:
        """Return the engine of `model`, built if there is none that fits; raises `EngineError`."""
        if self.path(library, model, precision).exists():
            try:
                return self._load(library, model, precision)
            except EngineError as error:
                _log.warning("%s; building it again", error)
        self.build(library, model, precision)
        return self._load(library, model, precision)

    def engines(self) -> list[tuple[Path, EngineFile | EngineError]]:
        """Return every kept engine, or what is wrong with it."""
        return [(path, _read(path)) for path in sorted(self.directory.glob(f"*{SUFFIX}"))]

    def _load(self, library: EngineLibrary, model: Path, precision: str) -> InferenceEngine:
        engine = library.open(self.validate(library, model, precision).plan, precision)
        try:
            _check(engine.name, declared_tensors(model), (engine.inputs, engine.outputs))
        except EngineError:
            engine.close()
            raise
        return engine


def _key(library: EngineLibrary, model: Path, precision: str) -> EngineKey:
    return EngineKey(sha256_of(model), precision, library.name, library.device)


def _check(what: str, expected: Tensors, declared: Tensors) -> None:
    for wanted, found in zip(expected, declared, strict=True):
        check_declared(what, wanted, found)


def _read(path: Path) -> EngineFile | EngineError:
    try:
        return read_engine(path)
    except EngineError as error:
        return error
