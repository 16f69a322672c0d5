"""A torch module as one ONNX file that says the same, to a tolerance."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from physhmr.errors import ModelFileError
from physhmr.inference.onnx import OnnxEngine
from physhmr.inference.precision import with_fp16_storage

OPSET = 17
TOLERANCE = 1e-4
"""Largest difference between what torch and the ONNX file say."""
LARGEST_FP32 = 1.8e9
"""Bytes: an ONNX file ends at 2 GiB, and beyond that the weights are stored as fp16, rounded in the module before."""


def export_onnx(module: nn.Module, example: Mapping[str, Tensor], outputs: Sequence[str], target: Path) -> Path:
    """Write `module`, called with the tensors of `example` in their order, to `target`, and return it.

    Raises `ModelFileError` if the file does not say what torch says about `example`.
    """
    large = sum(weight.numel() * 4 for weight in module.parameters()) > LARGEST_FP32
    if large:
        module = module.half().float()
    target.parent.mkdir(parents=True, exist_ok=True)
    with torch.inference_mode(), tempfile.TemporaryDirectory() as folder:
        parts = Path(folder, "model.onnx")  # and its weights beside it, if they are many
        torch.onnx.export(
            module.eval(), tuple(example.values()), str(parts), input_names=list(example),
            output_names=list(outputs), opset_version=OPSET, dynamo=False,
        )  # fmt: skip
        model = onnx.load(str(parts))
        onnx.save(with_fp16_storage(model) if large else model, str(target))
        told = module(*example.values())
    _compare(target, example, dict(zip(outputs, told if isinstance(told, tuple) else (told,), strict=True)))
    return target


def _compare(target: Path, example: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    engine = OnnxEngine(target)
    found = engine.infer({name: value.numpy() for name, value in example.items()})
    engine.close()
    for name, value in expected.items():
        error = float(np.abs(found[name] - value.numpy()).max())
        if not error <= TOLERANCE:
            raise ModelFileError(f"'{name}' of {target} differs from torch by {error:.1e}, more than {TOLERANCE:.0e}")
