"""The same network in another precision: TensorRT takes the precision that the ONNX file is written in."""

from __future__ import annotations

from pathlib import Path

from physhmr.config import PRECISIONS
from physhmr.errors import ConfigError, EngineError


def model_at(model: Path, precision: str) -> bytes:
    """Return the ONNX file `model` computing in `precision`; inputs and outputs stay float32.

    Raises `ConfigError` for an unknown precision, and `EngineError` where fp16 is asked for without `onnx`.
    """
    if precision not in PRECISIONS:
        raise ConfigError("precision", f"must be one of {', '.join(PRECISIONS)}", precision)
    if precision == "fp32":
        return model.read_bytes()
    try:
        import onnx
        from onnxruntime.transformers.float16 import convert_float_to_float16
    except ImportError as error:
        raise EngineError(f"making an fp16 network needs {error.name}; pip install onnx") from error
    halved = convert_float_to_float16(onnx.load(str(model)), keep_io_types=True)
    return bytes(halved.SerializeToString())
