"""OpenVINO on the CPU."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from physhmr.errors import EngineError
from physhmr.inference.engine import Tensors, TensorSpec, check_tensors, zeros_for


class OpenVinoLibrary:
    """Compiles for the CPU of this machine; an `EngineLibrary`."""

    def __init__(self, threads: int = 1) -> None:
        """Run engines on `threads` CPU threads."""
        self._core = openvino.Core()
        # bf16, the default where the CPU has it, moves landmarks by a hundred millimetres.
        self._properties = {
            "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1,
        }  # fmt: skip

    @property
    def name(self) -> str:
        """OpenVINO and its version."""
        return f"openvino {openvino.__version__.split('-')[0]}"

    @property
    def device(self) -> str:
        """Marketing name of the CPU: plans hold its instructions."""
        return str(self._core.get_property("CPU", "FULL_DEVICE_NAME"))

    def build(self, model: Path, precision: str) -> bytes:
        """Compile `model`; raises `EngineError` for another precision than fp32, and where OpenVINO refuses."""
        if precision != "fp32":
            raise EngineError(f"OpenVINO runs fp32 here, not {precision}: on CPUs the others are slower or wrong")
        stream = io.BytesIO()
        try:
            self._core.compile_model(self._core.read_model(str(model)), "CPU", self._properties).export_model(stream)
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot compile {model}: {error}") from error
        return stream.getvalue()

    def check(self, plan: bytes) -> None:
        """Load the plan once: its device is always at hand."""
        self.open(plan, "fp32").close()

    def open(self, plan: bytes, precision: str) -> OpenVinoEngine:
        """Load a plan; raises `EngineError` if OpenVINO does not take it."""
        try:
            network = self._core.import_model(io.BytesIO(plan), "CPU", self._properties)
        except RuntimeError as error:
            raise EngineError(f"{self.name} does not take this engine: {error}") from error
        return OpenVinoEngine(network, f"openvino on cpu, {precision}")


class OpenVinoEngine:
    """A compiled network; an `InferenceEngine`."""

    def __init__(self, network: Any, name: str) -> None:
        """Use an `openvino.CompiledModel`."""
        self.name = name
        self.inputs = tuple(map(_spec, network.inputs))
        self.outputs = tuple(map(_spec, network.outputs))
        self._request = network.create_infer_request()

    def warm_up(self) -> None:
        """Run once on zeros."""
        self.infer(zeros_for(self.inputs))

    def infer(self, tensors: Tensors) -> dict[str, NDArray[Any]]:
        """Run the network; one tensor per declared input, all outputs by name."""
        check_tensors(self.inputs, tensors)
        found = self._request.infer(dict(tensors), share_inputs=True)
        return {spec.name: found[index] for index, spec in enumerate(self.outputs)}

    def close(self) -> None:
        """Drop the network."""
        del self._request


def _spec(port: Any) -> TensorSpec:
    shape = tuple(size.get_length() if size.is_static else None for size in port.get_partial_shape())
    return TensorSpec(port.get_any_name(), shape, np.dtype(port.get_element_type().to_dtype()))
