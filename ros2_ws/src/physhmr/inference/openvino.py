"""OpenVINO on the CPU."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from physhmr.errors import EngineError
from physhmr.inference.engine import Tensors, TensorSpec, check_tensors, zeros_for
from physhmr.inference.onnx import declared_tensors

HINTS = {"fp32": "f32", "bf16": "bf16"}
"""Precision -> OpenVINO's word for it."""


class OpenVinoLibrary:
    """Compiles for the CPU of this machine; an `EngineLibrary`."""

    def __init__(self, threads: int = 1) -> None:
        """Run engines on `threads` CPU threads."""
        self._core = openvino.Core()
        self._threads = threads

    @property
    def name(self) -> str:
        """OpenVINO and its version."""
        return f"openvino {openvino.__version__.split('-')[0]}"

    @property
    def device(self) -> str:
        """Marketing name of the CPU."""
        return str(self._core.get_property("CPU", "FULL_DEVICE_NAME"))

    def build(self, model: Path, precision: str) -> bytes:
        """Compile `model`; raises `EngineError` for a precision that this CPU lacks, and where OpenVINO refuses."""
        stream, properties = io.BytesIO(), self._properties(precision)
        try:
            network = self._core.read_model(str(model))
            # Compiling adds the names of steps that it removes, so the right ones travel in front of the plan.
            stream.write(json.dumps(_names(network, model)).encode() + b"\n")
            self._core.compile_model(network, "CPU", properties).export_model(stream)
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot compile {model}: {_reason(error)}") from error
        return stream.getvalue()

    def check(self, plan: bytes) -> None:
        """Load the plan once: its device is always at hand."""
        self.open(plan, "fp32").close()

    def open(self, plan: bytes, precision: str) -> OpenVinoEngine:
        """Load a plan; raises `EngineError` if OpenVINO does not take it."""
        names, _, content = plan.partition(b"\n")
        try:
            network = self._core.import_model(io.BytesIO(content), "CPU", self._properties(precision))
            return OpenVinoEngine(network, json.loads(names), f"openvino on cpu, {precision}")
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"{self.name} does not take this engine: {_reason(error)}") from error

    def _properties(self, precision: str) -> dict[str, Any]:
        """Settings of a network. Unless told, OpenVINO takes bf16 where the CPU has it: BlazePose cannot bear that."""
        if precision not in HINTS:
            raise EngineError(f"OpenVINO runs {' or '.join(HINTS)} here, not {precision}")
        if precision == "bf16" and "BF16" not in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise EngineError(f"{self.device} does not compute in bf16; choose fp32")
        return {
            "INFERENCE_PRECISION_HINT": HINTS[precision], "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": self._threads, "NUM_STREAMS": 1,
        }  # fmt: skip


class OpenVinoEngine:
    """A compiled network; an `InferenceEngine`."""

    def __init__(self, network: Any, names: list[list[str]], name: str) -> None:
        """Use an `openvino.CompiledModel` whose inputs and outputs bear these `names`."""
        self.name = name
        self.inputs = tuple(map(_spec, network.inputs, names[0]))
        self.outputs = tuple(map(_spec, network.outputs, names[1]))
        self._request = network.create_infer_request()

    def warm_up(self) -> None:
        """Run once on zeros."""
        self.infer(zeros_for(self.inputs))

    def infer(self, tensors: Tensors) -> dict[str, NDArray[Any]]:
        """Run the network; one tensor per declared input, all outputs by name."""
        check_tensors(self.inputs, tensors)
        found = self._request.infer([tensors[spec.name] for spec in self.inputs], share_inputs=True)
        return {spec.name: found[index] for index, spec in enumerate(self.outputs)}

    def close(self) -> None:
        """Drop the network."""
        del self._request


def _names(network: Any, model: Path) -> list[list[str]]:
    """Names that the ONNX file declares for inputs and outputs, in the network's order."""
    ports = (network.inputs, network.outputs)
    return [
        [min(port.get_names() & {spec.name for spec in specs}) for port in side]
        for side, specs in zip(ports, declared_tensors(model), strict=True)
    ]


def _spec(port: Any, name: str) -> TensorSpec:
    shape = tuple(size.get_length() if size.is_static else None for size in port.get_partial_shape())
    return TensorSpec(name, shape, np.dtype(port.get_element_type().to_dtype()))


def _reason(error: Exception) -> str:
    """What went wrong, without the places in OpenVINO's source that the other lines name."""
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("Exception from")]
    return " ".join(lines)
