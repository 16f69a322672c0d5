"""Make the shipped BlazePose files from tf2onnx's conversions: drop the mask branch, store weights as fp16.

usage: python models/prepare_blazepose.py SOURCE.onnx TARGET.onnx

The computation stays fp32: each stored weight is cast back by a node that ONNX Runtime folds at load.
Tensor names stay those of tf2onnx, so an unprepared file works in the same place, only bigger and slower.
"""

from __future__ import annotations

import sys

import onnx
from onnx import utils

from physhmr.inference.precision import with_fp16_storage

SEGMENTATION_MASK = "Identity_2"


def without_mask(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model without the person mask and everything that only the mask needs."""
    outputs = [output.name for output in model.graph.output if output.name != SEGMENTATION_MASK]
    extractor = utils.Extractor(model)
    return extractor.extract_model([value.name for value in model.graph.input], outputs)


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
