"""The model files that ship with the project: found by name, verified by checksum."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from physhmr.errors import ModelFileError, UnknownNameError

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class ModelFile:
    """One entry of the manifest."""

    name: str
    file: str
    """Path relative to the manifest."""
    sha256: str | None
    """None: the user puts the file there, and nothing is known about it."""
    licence: str
    source: str
    """Where the weights came from."""
    input_shape: tuple[int, ...]


def models_dir() -> Path:
    """Return the directory that holds the manifest: the source tree's or the installed share/physhmr/models.

    Raises `ModelFileError` when there is neither.
    """
    for parent in Path(__file__).resolve().parents:
        for candidate in (parent / "models", parent / "share" / "physhmr" / "models"):
            if (candidate / MANIFEST).is_file():
                return candidate
    raise ModelFileError(
        f"no models/{MANIFEST} above {Path(__file__).parent}: reinstall physhmr, or pass the models' directory"
    )


def read_manifest(directory: Path) -> dict[str, ModelFile]:
    """Return the manifest's entries by name; raises `ModelFileError` if it is missing or malformed."""
    path = directory / MANIFEST
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["models"]
        files = [ModelFile(**{**entry, "input_shape": tuple(entry["input_shape"])}) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"cannot read {path}: {error}") from error
    return {file.name: file for file in files}


def find_model(name: str, directory: Path | None = None) -> Path:
    """Return the verified path of the model called `name` under `directory` (default: `models_dir`).

    Raises `UnknownNameError`, and `ModelFileError` for a missing file or a wrong checksum.
    """
    directory = directory or models_dir()
    manifest = read_manifest(directory)
    if name not in manifest:
        raise UnknownNameError("model", name, manifest)
    entry = manifest[name]
    path = directory / entry.file
    if not path.is_file():
        step = "restore it with `git checkout -- models`, or reinstall physhmr"
        if entry.sha256 is None:
            step = f"it does not ship with physhmr; README.md in {path.parent} says how to make it"
        raise ModelFileError(f"model '{name}' is missing: {path}; {step}")
    if entry.sha256 is None:
        return path
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != entry.sha256:
        raise ModelFileError(
            f"{path} is not the expected file: sha256 {found[:12]}... instead of {entry.sha256[:12]}...; "
            "restore it with `git checkout -- models`, or correct the manifest if you replaced the file on purpose"
        )
    return path
