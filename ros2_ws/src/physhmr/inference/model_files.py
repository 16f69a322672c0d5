"""Model files, found by name and verified by checksum: those that ship with the project, and the user's own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from physhmr.errors import ModelFileError, UnknownNameError
from physhmr.inference.engine_file import sha256_of
from physhmr.inference.onnx import declared_tensors

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class ModelFile:
    """One entry of a manifest."""

    name: str
    file: str
    """Path relative to the manifest."""
    sha256: str | None
    """None: known, but not here; `physhmr models add` records it."""
    licence: str
    source: str
    """Where the weights came from."""
    input_shape: tuple[int, ...]
    """Of the first input."""
    get: str = ""
    """For what does not ship: how a person gets the file."""
    keypoints: Mapping[str, Any] | None = None
    """For keypoint networks: what `physhmr.vision.keypoint_network` needs to know."""


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


def user_models_dir() -> Path:
    """Return where the user's own models are kept: physhmr/models in $XDG_DATA_HOME, else in ~/.local/share."""
    root = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(root) / "physhmr" / "models"


def read_manifest(directory: Path) -> dict[str, ModelFile]:
    """Return the manifest's entries by name; raises `ModelFileError` if it is missing or malformed."""
    path = directory / MANIFEST
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["models"]
        files = [ModelFile(**{**entry, "input_shape": tuple(entry["input_shape"])}) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"cannot read {path}: {error}") from error
    return {file.name: file for file in files}


def known_models(directory: Path | None = None) -> dict[str, tuple[Path, ModelFile]]:
    """Return every model by name, with the directory of its manifest; the user's win over the shipped ones.

    A given `directory` is looked at alone.
    """
    folders = [directory] if directory else [models_dir(), *_existing(user_models_dir())]
    return {name: (folder, entry) for folder in folders for name, entry in read_manifest(folder).items()}


def known_model(name: str, directory: Path | None = None) -> tuple[Path, ModelFile]:
    """Return the path and the entry of a model, whether or not the file is there; raises `UnknownNameError`."""
    known = known_models(directory)
    if name not in known:
        raise UnknownNameError("model", name, known)
    folder, entry = known[name]
    return folder / entry.file, entry


def find_model(name: str, directory: Path | None = None) -> Path:
    """Return the verified path of the model called `name` (default: of the shipped and the user's own ones).

    Raises `UnknownNameError`, and `ModelFileError` for a missing file or a wrong checksum.
    """
    path, entry = known_model(name, directory)
    verify(path, entry)
    return path


def verify(path: Path, entry: ModelFile) -> None:
    """Raise `ModelFileError`, with the step to take, unless `path` is the file that `entry` describes."""
    restore = "restore it with `git checkout -- models`, or reinstall physhmr"
    if entry.get:
        restore = f"{entry.get}; then `physhmr models add {entry.name} FILE`"
    if not path.is_file():
        raise ModelFileError(f"model '{entry.name}' is missing: {path}; {restore}")
    found = sha256_of(path)
    if entry.sha256 is not None and found != entry.sha256:
        raise ModelFileError(
            f"{path} is not the expected file: sha256 {found[:12]}... instead of {entry.sha256[:12]}...; {restore}"
        )


def add_model(name: str, file: Path, licence: str = "", source: str = "", like: str = "") -> ModelFile:
    """Copy an ONNX file to the user's models and record its checksum; return the new entry.

    What is not said about it is taken from the known model `like` (default: the one of this `name`). Raises
    `UnknownNameError`, and `ModelFileError` for a file that is no ONNX network or has another input than that model.
    """
    known = known_models()
    if like and like not in known:
        raise UnknownNameError("model", like, known)
    _, model = known.get(like or name, (None, None))
    first = declared_tensors(file)[0][0]
    if model is not None and not _same_shape(first.shape, model.input_shape):
        raise ModelFileError(f"{file} takes {first}; {model.name} takes {model.input_shape}")
    if model is None and not (licence and source):
        raise ModelFileError(f"'{name}' is not known: say its licence and source, or which known model it is like")
    shape = model.input_shape if model else tuple(size or 1 for size in first.shape)
    blank = ModelFile(name, "", None, "", "", shape)
    entry = replace(
        model or blank, name=name, file=f"{name}.onnx", sha256=sha256_of(file),
        licence=licence or (model or blank).licence, source=source or (model or blank).source,
    )  # fmt: skip
    _record(entry, file)
    return entry


def _record(entry: ModelFile, file: Path) -> None:
    folder = user_models_dir()
    folder.mkdir(parents=True, exist_ok=True)
    if file.resolve() != (folder / entry.file).resolve():
        shutil.copyfile(file, folder / entry.file)
    entries = read_manifest(folder) if _existing(folder) else {}
    rows = [asdict(one) for one in (entries | {entry.name: entry}).values()]
    (folder / MANIFEST).write_text(json.dumps({"models": rows}, indent=2) + "\n", encoding="utf-8")


def _existing(folder: Path) -> list[Path]:
    return [folder] if (folder / MANIFEST).is_file() else []


def _same_shape(declared: tuple[int | None, ...], wanted: tuple[int, ...]) -> bool:
    return len(declared) == len(wanted) and all(size in (None, want) for size, want in zip(declared, wanted))
