"""Make the shipped BlazePose files from tf2onnx's conversions: drop the mask branch, store weights as fp16.

usage: python models/prepare_blazepose.py SOURCE.onnx TARGET.onnx

The computation stays fp32: each stored weight is cast back by a node that ONNX Runtime folds at load.
Tensor names stay those of tf2onnx, so an unprepared file works in the same place, only bigger and slower.
"""

from __future__ import annotations

import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, utils

SEGMENTATION_MASK = "Identity_2"
SMALLEST_STORED = 256  # elements; below that fp16 saves nothing


def without_mask(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model without the person mask and everything that only the mask needs."""
    outputs = [output.name for output in model.graph.output if output.name != SEGMENTATION_MASK]
    extractor = utils.Extractor(model)
    return extractor.extract_model([value.name for value in model.graph.input], outputs)


def with_fp16_storage(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with its large weights stored as fp16 and cast back to fp32."""
    stored, casts = [], []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < SMALLEST_STORED or np.abs(values).max() > 6e4:
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


def main(source: str, target: str) -> None:
    """Read `source`, write `target`."""
    model = onnx.load(source)
    if len(model.graph.output) > 2:  # the detector has two outputs and no mask
        model = without_mask(model)
    model = with_fp16_storage(model)
    onnx.checker.check_model(model)
    onnx.save(model, target)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
