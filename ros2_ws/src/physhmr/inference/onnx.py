"""ONNX Runtime: on the CPU, which needs nothing more, or through its CUDA and TensorRT providers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from physhmr.errors import ConfigError, EngineError, ModelFileError
from physhmr.inference.engine import Tensors, TensorSpec, check_tensors, zeros_for

_DTYPES = {
    "tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16,
    "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(uint8)": np.uint8,
}  # fmt: skip
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
"""Device -> ONNX Runtime's name of the provider that runs on it."""


class OnnxEngine:
    """An ONNX file on one of ONNX Runtime's providers; an `InferenceEngine`."""

    def __init__(
        self, path: Path, threads: int = 1, device: str = "cpu", options: dict[str, str] | None = None,
        precision: str = "fp32",
    ) -> None:  # fmt: skip
        """Load `path`, which is written in `precision`, on `device` (a key of `PROVIDERS`) with its own `options`.

        `threads` are those of the CPU. Raises `ModelFileError` if the file is missing or no ONNX file, and
        `EngineError` if the provider does not start here: ONNX Runtime alone would go on, on the CPU.
        """
        if threads < 1:
            raise ConfigError("threads", "must be at least 1", threads)
        self._session = _session(path, _session_options(threads), device, options or {})
        half = (options or {}).get("trt_fp16_enable") == "1"
        self.name = f"onnx on {device}, {'fp16' if half else precision}"
        self._inputs = tuple(_spec(value) for value in self._session.get_inputs())
        self._outputs = tuple(_spec(value) for value in self._session.get_outputs())

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Declared inputs."""
        return self._inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """Declared outputs."""
        return self._outputs

    @property
    def metadata(self) -> dict[str, str]:
        """The file's own key-value metadata."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    def warm_up(self) -> None:
        """Run once on zeros."""
        self.infer(zeros_for(self._inputs))

    def infer(self, tensors: Tensors) -> dict[str, NDArray[Any]]:
        """Run the network; one tensor per declared input, all outputs by name."""
        check_tensors(self._inputs, tensors)
        names = [spec.name for spec in self._outputs]
        return dict(zip(names, self._session.run(names, dict(tensors)), strict=True))

    def close(self) -> None:
        """Drop the session."""
        del self._session


def declared_tensors(path: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Return inputs and outputs of an ONNX file without optimising it; raises `ModelFileError`."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = _session(path, options, "cpu", {})
    return tuple(map(_spec, session.get_inputs())), tuple(map(_spec, session.get_outputs()))


def _session(
    path: Path, options: onnxruntime.SessionOptions, device: str, provider_options: dict[str, str]
) -> onnxruntime.InferenceSession:
    if not path.is_file():
        raise ModelFileError(f"no model file at {path}; check the path")
    provider = PROVIDERS[device]
    if provider not in onnxruntime.get_available_providers():
        raise EngineError(f"this ONNX Runtime has no {provider}; install onnxruntime-gpu in place of onnxruntime")
    providers: list[Any] = [(provider, provider_options)]
    if device == "tensorrt":  # what TensorRT cannot do stays on the GPU
        providers.append(PROVIDERS["cuda"])
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    # ONNX Runtime's own exceptions share no base below Exception.
    except Exception as error:
        if device != "cpu":
            raise EngineError(f"ONNX Runtime's {provider} cannot run {path}: {error}") from error
        raise ModelFileError(f"{path} is damaged or not an ONNX model: {error}") from error
    if session.get_providers()[0] != provider:
        raise EngineError(f"ONNX Runtime's {provider} does not start here; its libraries or the driver are missing")
    return session


def _session_options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Idle workers must sleep: on two cores a spinning one starves the simulation.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return options


def _spec(value: Any) -> TensorSpec:
    shape = tuple(size if isinstance(size, int) else None for size in value.shape)
    if value.type not in _DTYPES:
        raise ModelFileError(f"tensor '{value.name}' is of type {value.type}; supported: {', '.join(_DTYPES)}")
    return TensorSpec(value.name, shape, np.dtype(_DTYPES[value.type]))
