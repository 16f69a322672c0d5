"""The one place that chooses which library runs the networks, and says why."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnxruntime

from physhmr.config import ENGINES
from physhmr.errors import ConfigError, EngineError
from physhmr.inference import tensorrt
from physhmr.inference.engine import InferenceEngine
from physhmr.inference.engine_cache import EngineCache, EngineLibrary
from physhmr.inference.engine_file import sha256_of, write_whole
from physhmr.inference.nvidia import NvidiaGpu, find_gpu
from physhmr.inference.onnx import PROVIDERS, OnnxEngine
from physhmr.inference.precision import model_at

_log = logging.getLogger(__name__)
AUTO = "auto"
ON_GPU = ("tensorrt", "tensorrt_rtx", "onnx_cuda")
"""What `auto` tries on a machine with an NVIDIA GPU, best first."""
ENGINES_ON_GPU = (*ON_GPU, "onnx_tensorrt")
"""Those that run networks on a GPU."""
ON_CPU = ("onnx",)
"""What `auto` uses without one. OpenVINO gains about a tenth, and is for those who ask for it."""
COMPILED = ("openvino", "tensorrt", "tensorrt_rtx")
"""Those whose engines are built and kept."""
PRECISION_OF: dict[str, tuple[str, ...]] = {
    "onnx": ("fp32", "int8"),
    "openvino": ("fp32", "bf16"),
    "tensorrt": ("fp32", "fp16"),
    "tensorrt_rtx": ("fp32", "fp16"),
    "onnx_cuda": ("fp32",),
    "onnx_tensorrt": ("fp32", "fp16"),
}
"""Precisions that each engine runs in; docs/engines.md has the reasons."""
STEPS = {
    "openvino": "pip install 'physhmr[openvino]'",
    "tensorrt": "pip install 'physhmr[tensorrt]' with NVIDIA's package index",
    "tensorrt_rtx": "pip install 'physhmr[tensorrt-rtx]'",
    "onnx_cuda": "replace onnxruntime by onnxruntime-gpu",
    "onnx_tensorrt": "replace onnxruntime by onnxruntime-gpu, and install TensorRT",
}
"""What to do to get each engine."""


@dataclass(frozen=True)
class EngineConfig:
    """What is wanted of the engines."""

    engine: str = AUTO
    """One of `ENGINES`."""
    precision: str = "fp32"
    threads: int = 1
    """CPU threads of each network."""
    cache: Path | None = None
    """Where compiled engines are kept; None: `engine_cache.default_directory`."""

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise ConfigError("engine", f"must be one of {', '.join(ENGINES)}", self.engine)
        if self.engine != AUTO and self.precision not in PRECISION_OF[self.engine]:
            allowed = ", ".join(PRECISION_OF[self.engine])
            raise ConfigError("precision", f"must be one of {allowed} for engine '{self.engine}'", self.precision)


@dataclass(frozen=True)
class Choice:
    """Which engine runs, and why."""

    engine: str
    reason: str
    degraded: bool = False
    """True if something faster should have run here."""


def ready() -> set[str]:
    """Return the engines whose libraries are installed."""
    providers = onnxruntime.get_available_providers()
    found = {"onnx"} | {f"onnx_{device}" for device in ("cuda", "tensorrt") if PROVIDERS[device] in providers}
    found |= {kind for kind in tensorrt.MODULES if tensorrt.installed(kind)}
    return found | ({"openvino"} if importlib.util.find_spec("openvino") else set())


def candidates(wanted: str, gpu: NvidiaGpu | None, libraries: Collection[str]) -> list[Choice]:
    """Return what to try, best first; what is asked for by name is tried alone.

    Raises `EngineError`, with the step to take, if what was asked for is not installed.
    """
    if wanted != AUTO:
        if wanted not in libraries:
            raise EngineError(f"engine '{wanted}' is not installed; {STEPS[wanted]}, or choose engine 'auto'")
        return [Choice(wanted, "asked for")]
    if gpu is None:
        return [Choice(name, "no NVIDIA GPU here") for name in ON_CPU]
    fast = [Choice(name, f"best that is installed for {gpu}") for name in ON_GPU if name in libraries]
    slow = f"nothing for {gpu} is installed: {STEPS['tensorrt_rtx']}" if not fast else f"nothing works on {gpu}"
    return [*fast, *(Choice(name, slow, degraded=True) for name in ON_CPU)]


def open_engines(
    models: Sequence[Path],
    config: EngineConfig,
    gpu: Callable[[], NvidiaGpu | None] = find_gpu,
    libraries: Callable[[], Collection[str]] = ready,
) -> tuple[list[InferenceEngine], Choice]:
    """Return one engine per ONNX file, all of the same kind, and the choice that was made; it is logged too.

    Raises `EngineError` if nothing that may be tried works, `ModelFileError` for an unusable file.
    """
    tried: list[str] = []
    for choice in candidates(config.engine, gpu(), libraries()):
        try:
            engines = _open_all(models, choice.engine, config)
        except EngineError as error:
            tried.append(f"{choice.engine}: {error}")
            _log.warning("engine %s does not work here: %s", choice.engine, error)
            continue
        if tried:
            choice = Choice(choice.engine, f"{choice.reason}; tried {'; '.join(tried)}", degraded=True)
        _log.log(
            logging.WARNING if choice.degraded else logging.INFO, "networks run with %s (%s)",
            engines[0].name if engines else choice.engine, choice.reason,
        )  # fmt: skip
        return engines, choice
    raise EngineError("; ".join(tried))


def build_engines(models: Sequence[Path], config: EngineConfig) -> list[Path]:
    """Build, validate and keep the engines that `open_engines` would use here; none where nothing is compiled.

    Raises `EngineError`.
    """
    engine = candidates(config.engine, find_gpu(), ready())[0].engine
    if engine not in COMPILED:
        _log.info("nothing to build: here the networks run with %s, which takes the ONNX files as they are", engine)
        return []
    cache, compiler = EngineCache(config.cache), library(engine, config.threads)
    return [cache.build(compiler, model, _precision(engine, config)) for model in models]


def library(engine: str, threads: int = 1) -> EngineLibrary:
    """Return the library of one of the `COMPILED` engines; raises `EngineError` if it is not installed."""
    if engine == "openvino":
        try:
            from physhmr.inference.openvino import OpenVinoLibrary
        except ImportError as error:
            raise EngineError(f"engine 'openvino' is not installed; {STEPS['openvino']}") from error
        return OpenVinoLibrary(threads)
    if engine not in COMPILED:
        raise ConfigError("engine", f"must be one of {', '.join(COMPILED)} to be built", engine)
    return tensorrt.TensorRtLibrary(engine)


def _open_all(models: Sequence[Path], engine: str, config: EngineConfig) -> list[InferenceEngine]:
    opened: list[InferenceEngine] = []
    try:
        for model in models:
            opened.append(_open(model, engine, config))
    except EngineError:
        for one in opened:
            one.close()
        raise
    return opened


def _open(model: Path, engine: str, config: EngineConfig) -> InferenceEngine:
    cache = EngineCache(config.cache)
    if engine in COMPILED:
        return cache.open(library(engine, config.threads), model, _precision(engine, config))
    if engine == "onnx" and config.precision == "int8":
        return OnnxEngine(_int8_file(model, cache.directory / "int8"), config.threads, precision="int8")
    device = engine.removeprefix("onnx_").replace("onnx", "cpu")
    options = {}
    if device == "tensorrt":
        half = "1" if config.precision == "fp16" else "0"
        folder = str(cache.directory / "onnxruntime")
        options = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": folder, "trt_fp16_enable": half}
    return OnnxEngine(model, config.threads, device, options)


def _int8_file(model: Path, folder: Path) -> Path:
    """The int8 network, made once: quantising a large one takes a minute."""
    path = folder / f"{sha256_of(model)}.onnx"
    if not path.exists():
        _log.info("quantising %s ...", model.name)
        content = model_at(model, "int8")
        try:
            write_whole(path, content)
        except OSError as error:
            raise EngineError(f"cannot write {path}: {error}; choose another `cache`") from error
    return path


def _precision(engine: str, config: EngineConfig) -> str:
    """The wanted precision where the engine has it; under `auto` the CPU's is fp32."""
    return config.precision if config.precision in PRECISION_OF[engine] else "fp32"
