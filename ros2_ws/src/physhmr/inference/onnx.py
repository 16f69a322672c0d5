"""ONNX Runtime on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from physhmr.errors import ConfigError, ModelFileError
from physhmr.inference.engine import Tensors, TensorSpec, check_tensors, zeros_for

_DTYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}


class OnnxEngine:
    """An ONNX file on ONNX Runtime's CPU provider; an `InferenceEngine`."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load `path` for `threads` CPU threads; raises `ModelFileError` if it is missing or no ONNX file."""
        if not path.is_file():
            raise ModelFileError(f"no model file at {path}; check the path")
        if threads < 1:
            raise ConfigError("threads", "must be at least 1", threads)
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), _session_options(threads), providers=["CPUExecutionProvider"]
            )
        # ONNX Runtime's own exceptions share no base below Exception.
        except Exception as error:
            raise ModelFileError(f"{path} is damaged or not an ONNX model: {error}") from error
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
