"""Compiled engines on disk: one line that says what the plan is, then the plan.

A plan by itself says too little: no library tells which model it was compiled from, and a truncated one may crash it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from physhmr.errors import EngineError, ModelFileError
from physhmr.inference.engine import TensorSpec

FORMAT = "physhmr engine 1"
SUFFIX = ".engine"
_LONGEST_HEADER = 1 << 20
"""Bytes: without an end of line by then, the file is something else."""


@dataclass(frozen=True)
class EngineKey:
    """What a plan was compiled from, and for."""

    model: str
    """SHA-256 of the ONNX file."""
    precision: str
    library: str
    """Name and version."""
    device: str

    @property
    def file_name(self) -> str:
        """A name that no other key has, readable as far as possible."""
        digest = hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:12]
        words = f"{self.model[:12]}-{self.library}-{self.device}-{self.precision}-{digest}"
        return re.sub(r"[^a-z0-9.]+", "-", words.lower()) + SUFFIX


@dataclass(frozen=True)
class EngineFile:
    """A plan and what it says about itself."""

    key: EngineKey
    source: str
    """File name of the model, for people."""
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    plan: bytes


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content; raises `ModelFileError` if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelFileError(f"cannot read {path}: {error}; check the path") from error


def write_whole(path: Path, content: bytes) -> None:
    """Write `path`, whole or not at all, whatever other processes do; raises `OSError` if that cannot be."""
    unfinished = path.with_suffix(f".{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished.write_bytes(content)
    unfinished.replace(path)


def write_engine(path: Path, engine: EngineFile) -> None:
    """Write `engine` to `path`, whole or not at all; raises `EngineError` if the folder cannot be written."""
    header = {
        "format": FORMAT, "source": engine.source, "key": asdict(engine.key),
        "inputs": _rows(engine.inputs), "outputs": _rows(engine.outputs),
        "size": len(engine.plan), "sha256": hashlib.sha256(engine.plan).hexdigest(),
    }  # fmt: skip
    try:
        write_whole(path, json.dumps(header).encode() + b"\n" + engine.plan)
    except OSError as error:
        raise EngineError(f"cannot write the engine cache {path.parent}: {error}; choose another `cache`") from error


def read_engine(path: Path) -> EngineFile:
    """Read what `write_engine` wrote; raises `EngineError` for a file that is missing, foreign, cut off or altered."""
    try:
        header, _, plan = path.read_bytes().partition(b"\n")
    except OSError as error:
        raise EngineError(f"cannot read {path}: {error}") from error
    said = _said(path, header)
    if len(plan) != said["size"]:
        raise EngineError(f"{path} is truncated: {len(plan)} of {said['size']} bytes of the plan")
    if hashlib.sha256(plan).hexdigest() != said["sha256"]:
        raise EngineError(f"{path} was altered: its plan does not have the checksum that it was written with")
    try:
        key, tensors = EngineKey(**said["key"]), (_specs(said["inputs"]), _specs(said["outputs"]))
        return EngineFile(key, said["source"], *tensors, plan)
    except (KeyError, TypeError, ValueError) as error:
        raise EngineError(f"{path} has a damaged header: {error}") from error


def _said(path: Path, header: bytes) -> dict:
    try:
        said = json.loads(header) if len(header) < _LONGEST_HEADER else {}
    except ValueError:
        said = {}
    if not isinstance(said, dict) or said.get("format") != FORMAT or not {"size", "sha256"} <= set(said):
        raise EngineError(f"{path} is no engine of this version of physhmr")
    return said


def _rows(specs: Sequence[TensorSpec]) -> list[list]:
    return [[spec.name, list(spec.shape), str(spec.dtype)] for spec in specs]


def _specs(rows: list[list]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(str(name), tuple(shape), np.dtype(dtype)) for name, shape, dtype in rows)
