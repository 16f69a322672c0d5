"""The same network in another precision: TensorRT and ONNX Runtime take that which the ONNX file is written in."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from physhmr.errors import ConfigError, EngineError

SMALLEST_STORED = 256
"""Elements; below that fp16 saves nothing."""
LARGEST_FP16 = 6e4


def model_at(model: Path, precision: str) -> bytes:
    """Return the ONNX file `model` computing in `precision`; inputs and outputs stay float32.

    int8 is for transformers on a CPU: the weights of matrix products, and their inputs as they come. Raises
    `ConfigError` for an unknown precision, and `EngineError` where another one than fp32 is asked for without `onnx`.
    """
    if precision not in _MADE:
        raise ConfigError("precision", f"of an ONNX file must be one of {', '.join(_MADE)}", precision)
    return _MADE[precision](model)


def _halved(model: Path) -> bytes:
    try:
        import onnx
        from onnxruntime.transformers.float16 import convert_float_to_float16
    except ImportError as error:
        raise EngineError(f"making an fp16 network needs {error.name}; pip install onnx") from error
    halved = convert_float_to_float16(onnx.load(str(model)), keep_io_types=True)
    return bytes(_without_repeated_casts(halved).SerializeToString())


def _quantised(model: Path) -> bytes:
    try:
        from onnxruntime.quantization import quantize_dynamic
    except ImportError as error:
        raise EngineError(f"making an int8 network needs {error.name}; pip install onnx") from error
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "int8.onnx")
        quantize_dynamic(str(model), str(target), per_channel=True, op_types_to_quantize=["MatMul", "Gemm"])
        return target.read_bytes()


_MADE: dict[str, Callable[[Path], bytes]] = {"fp32": Path.read_bytes, "fp16": _halved, "int8": _quantised}


def _without_repeated_casts(model: Any) -> Any:
    """The `onnx.ModelProto` with one cast of each constant that several nodes need; the conversion makes several."""
    constants = {weight.name for weight in model.graph.initializer}
    first: dict[tuple[str, ...], Any] = {}
    for node in model.graph.node:
        first.setdefault(tuple(node.output), node)
    nodes = sorted(first.values(), key=lambda node: not (node.op_type == "Cast" and node.input[0] in constants))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def with_fp16_storage(model: Any) -> Any:
    """Return an `onnx.ModelProto` with its large weights stored as fp16, each cast back to fp32 by a node.

    Engines fold the casts when they load: the file is half as large and computes in fp32, with rounded weights.
    """
    from onnx import TensorProto, helper, numpy_helper

    stored, casts = [], []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < SMALLEST_STORED or np.abs(values).max() > LARGEST_FP16:
            stored.append(weight)
            continue
        name = f"{weight.name}_fp16"
        stored.append(numpy_helper.from_array(values.astype(np.float16), name))
        casts.append(helper.make_node("Cast", [name], [weight.name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(stored)
    model.graph.node.extend(nodes)
    return model
