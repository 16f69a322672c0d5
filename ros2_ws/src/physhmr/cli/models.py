"""`physhmr models list|card|add|verify`: which networks there are, under which licence, and whether they are intact."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Literal

import tyro

from physhmr.errors import ModelFileError, PhyshmrError
from physhmr.inference.model_files import ModelFile, add_model, known_model, known_models, verify
from physhmr.inference.onnx import declared_tensors

CHECKPOINTS = (".pth", ".ckpt")
"""Files of torch, which are converted."""
HMR2 = "hmr2_vit_huge"


def main(
    what: Annotated[Literal["list", "card", "add", "verify"], tyro.conf.Positional] = "list",
    name: Annotated[str, tyro.conf.Positional] = "",
    file: Annotated[Path | None, tyro.conf.Positional] = None,
    like: str = "",
    licence: str = "",
    source: str = "",
    accept_licence: bool = False,
) -> int:
    """Show, add or check models.

    Args:
        what: list all; card: all that is known about one; add a file of yours; verify one, or all that are here.
        name: Name of a model.
        file: ONNX file to add; for a ViTPose also its checkpoint, a folder of transformers or its authors' .pth file;
            for HMR2 its .ckpt file.
        like: Known model that the added one is like (same input, joints and decoding).
        licence: Licence of the added file.
        source: Where the added file came from.
        accept_licence: Confirm that you have read and accept the licence of what you add.
    """
    if what == "list":
        return _list()
    if what == "verify":
        return _verify([name] if name else [key for key, (_, entry) in known_models().items() if entry.sha256])
    if not name:
        raise ModelFileError(f"`physhmr models {what}` needs the name of a model; `physhmr models list` shows them")
    if what == "card":
        return _card(name)
    return _add(name, file, like, licence, source, accept_licence)


def _list() -> int:
    for name, (folder, entry) in known_models().items():
        print(f"{name:<24}{entry.licence:<14}{_state(folder / entry.file, entry)}")
    return 0


def _card(name: str) -> int:
    path, entry = known_model(name)
    print(f"{name}\n  licence  {entry.licence}\n  source   {entry.source}\n  file     {path}")
    print(f"  state    {_state(path, entry)}")
    if entry.get and not path.is_file():
        print(f"  get it   {entry.get}")
    for key, value in (entry.keypoints or {}).items():
        print(f"  {key:<9}{value}")
    if path.is_file():
        print(f"  sha256   {entry.sha256}")
        for word, specs in zip(("input", "output"), declared_tensors(path), strict=True):
            for spec in specs:
                print(f"  {word:<9}{spec}")
    return 0


def _verify(names: list[str]) -> int:
    broken = 0
    for name in names:
        path, entry = known_model(name)
        try:
            verify(path, entry)
            declared_tensors(path)
            print(f"{name:<24}intact")
        except PhyshmrError as error:
            broken += 1
            print(f"{name:<24}{error}")
    return 2 if broken else 0


def _add(name: str, file: Path | None, like: str, licence: str, source: str, accepted: bool) -> int:
    if file is None:
        raise ModelFileError(f"`physhmr models add {name}` needs the ONNX file: physhmr models add {name} FILE")
    known = known_models()
    terms = licence or (known[like or name][1].licence if (like or name) in known else "not known: say --licence")
    print(f"licence of {name}: {terms}")
    if not accepted:
        raise ModelFileError("read the licence, then say --accept-licence")
    with tempfile.TemporaryDirectory() as folder:
        if file.is_dir() or file.suffix in CHECKPOINTS:
            file = _converted(file, known.get(like or name), Path(folder))
        entry = add_model(name, file, licence, source, like)
    print(f"added {name}, sha256 {entry.sha256}")
    return 0


def _converted(checkpoint: Path, known: tuple[Path, ModelFile] | None, target: Path) -> Path:
    if known is not None and known[1].name == HMR2:
        from physhmr.vision.vitpose import convert_hmr2

        return convert_hmr2(checkpoint, target / "hmr2.onnx")
    keypoints = known[1].keypoints if known else None
    if known is None or keypoints is None or keypoints["decoder"] != "heatmap":
        raise ModelFileError(
            f"{checkpoint} is no ONNX file; only a ViTPose or HMR2 is converted: say its name, or --like vitpose_base"
        )
    # Only this needs torch and transformers.
    from physhmr.vision.vitpose import convert_vitpose

    _, _, height, width = known[1].input_shape
    return convert_vitpose(checkpoint, target / "vitpose.onnx", keypoints["joints"], (height, width))


def _state(path: Path, entry: ModelFile) -> str:
    """Cheap: whether the file is there, not whether it is intact."""
    if path.is_file():
        return f"here, {path.stat().st_size / 1e6:.1f} MB"
    return "not here; `physhmr models card` says how to get it" if entry.get else "missing"
