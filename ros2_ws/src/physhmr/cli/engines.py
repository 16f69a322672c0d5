"""`physhmr engines build|list`: compile the networks ahead of time, and see what is kept."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Literal

import tyro

from physhmr.config import ENGINES
from physhmr.errors import EngineError
from physhmr.inference.choose import AUTO, EngineConfig, build_engines, candidates, ready
from physhmr.inference.engine_cache import EngineCache
from physhmr.inference.model_files import find_model
from physhmr.inference.nvidia import find_gpu
from physhmr.vision.blazepose import blazepose_files


def main(
    what: Annotated[Literal["build", "list"], tyro.conf.Positional] = "list",
    engine: Literal["auto", "openvino", "tensorrt", "tensorrt_rtx"] = "auto",
    model: str = "full",
    only: tuple[str, ...] = (),
    precision: str = "fp32",
    threads: int = 1,
    cache: Path | None = None,
) -> None:
    """Build the engines of the perception node, or list what is installed and kept.

    Args:
        what: build compiles what the node would at its first start, validates it and exits; list shows what is there.
        engine: auto (what the node would choose), openvino, tensorrt or tensorrt_rtx (which needs no GPU to build).
        model: BlazePose landmark network, as the node's parameter.
        only: Build these models of `physhmr models list` instead.
        precision: fp32 or fp16.
        threads: CPU threads of each network.
        cache: Folder of the engines; physhmr/engines in the user's cache if not given.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if what == "list":
        _list(EngineCache(cache))
        return
    files = [find_model(name) for name in only] or blazepose_files(model)
    for path in build_engines(files, EngineConfig(engine, precision, threads, cache)):
        print(path)


def _list(kept: EngineCache) -> None:
    gpu, found = find_gpu(), ready()
    print(f"GPU: {gpu or 'no NVIDIA GPU'}")
    for name in ENGINES[1:]:
        print(f"  {name:<15}{'ready' if name in found else 'not installed'}")
    choice = candidates(AUTO, gpu, found)[0]
    print(f"auto chooses {choice.engine}: {choice.reason}\nkept in {kept.directory}:")
    for path, engine in kept.engines():
        if isinstance(engine, EngineError):
            print(f"  {path.name}: {engine}")
        else:
            size = f"{len(engine.plan) / 1e6:.1f} MB"
            print(f"  {engine.source:<28}{engine.key.library:<24}{engine.key.device}, {engine.key.precision}, {size}")
