"""A torch module as an engine: the yardstick for the others, and for networks that have no ONNX file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from physhmr.errors import ConfigError, EngineError, ShapeError
from physhmr.inference.engine import Tensors, TensorSpec, check_tensors, zeros_for

_KINDS = {"fp32": torch.float32, "fp16": torch.float16}


class TorchEngine:
    """Runs `module` on named tensors; an `InferenceEngine`."""

    def __init__(
        self,
        module: torch.nn.Module,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[str],
        device: str = "cpu",
        precision: str = "fp32",
        compiled: bool = False,
    ) -> None:
        """Call `module` with the inputs in their order; it returns one tensor, or a tuple, named by `outputs`.

        Every dimension of the inputs is fixed; inputs and outputs are float32 in every precision. The module is
        moved to `device` and `precision`. Raises `EngineError` if torch has no such device.
        """
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise EngineError(f"torch {torch.__version__} sees no CUDA device; use device 'cpu'")
        if precision not in _KINDS:
            raise ConfigError("precision", f"must be one of {', '.join(_KINDS)}", precision)
        self.name = f"torch{'.compile' if compiled else ''} on {device}, {precision}"
        self.inputs, self._device, self._kind = tuple(inputs), torch.device(device), _KINDS[precision]
        module = module.eval().to(self._device, self._kind)
        self._run = torch.compile(module, mode="reduce-overhead") if compiled else module
        found = self._forward(zeros_for(self.inputs), tuple(outputs))
        self.outputs = tuple(TensorSpec(name, value.shape, value.dtype) for name, value in found.items())

    def warm_up(self) -> None:
        """Run once on zeros."""
        self.infer(zeros_for(self.inputs))

    def infer(self, tensors: Tensors) -> dict[str, NDArray[Any]]:
        """Run the module; one tensor per declared input, all outputs by name."""
        check_tensors(self.inputs, tensors)
        return self._forward(tensors, tuple(spec.name for spec in self.outputs))

    def close(self) -> None:
        """Drop the module."""
        del self._run

    def _forward(self, tensors: Tensors, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
        rows = [self._given(tensors[spec.name]) for spec in self.inputs]
        with torch.inference_mode():
            found = self._run(*rows)
        values = found if isinstance(found, tuple) else (found,)
        if len(values) != len(names):
            raise ShapeError("outputs of the torch module", f"{len(names)} tensors", len(values))
        return {name: value.float().cpu().numpy() for name, value in zip(names, values, strict=True)}

    def _given(self, value: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(value)).to(self._device, self._kind)
