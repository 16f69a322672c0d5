"""A network that takes the camera's picture as it is: crop, scaling and layout become part of its ONNX graph.

On a GPU this saves the CPU the crop, and copies bytes up instead of floats. Nothing undistorts pixels, here or
anywhere: the keypoints of a crop become rays through the lens model, which is exact and free.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from physhmr.errors import EngineError, ModelFileError

IMAGE, TO_IMAGE = "picture", "to_picture"
"""Inputs: RGB (H, W, 3) uint8, and the map (2, 3) float32 from the crop's pixels (x, y, 1) to the picture's."""
_PREFIX = "image_front/"


@dataclass(frozen=True)
class ImageFront:
    """How a network wants its picture."""

    height: int
    """px of the crop."""
    width: int
    scale: tuple[float, float, float]
    """Of RGB from 0 to 255."""
    offset: tuple[float, float, float]
    """Added then."""
    planes: bool
    """(1, 3, H, W) instead of (1, H, W, 3)."""
    replicate_border: bool
    """Outside the picture there is its border, not black."""


def with_image_front(model: Path, front: ImageFront, height: int, width: int) -> bytes:
    """Return the ONNX file `model`, whose only input is a crop, taking pictures of `height` x `width` px instead.

    Raises `EngineError` where `onnx` is missing, `ModelFileError` for a network with another input.
    """
    try:
        import onnx
    except ImportError as error:
        raise EngineError("cropping on the GPU needs onnx; pip install onnx") from error
    network = onnx.load(str(model))
    taken = [value.name for value in network.graph.input]
    wanted = [1, 3, front.height, front.width] if front.planes else [1, front.height, front.width, 3]
    found = [size.dim_value for size in network.graph.input[0].type.tensor_type.shape.dim]
    if len(taken) != 1 or found != wanted:
        raise ModelFileError(f"{model} takes {taken} of shape {found}, not one crop {wanted}")
    nodes, constants = _graph(onnx, front, height, width, taken[0])
    rest = list(network.graph.node)
    del network.graph.input[:], network.graph.node[:]
    network.graph.initializer.extend(constants)
    network.graph.node.extend([*nodes, *rest])
    tensor, kinds = onnx.helper.make_tensor_value_info, onnx.TensorProto
    network.graph.input.append(tensor(IMAGE, kinds.UINT8, [height, width, 3]))
    network.graph.input.append(tensor(TO_IMAGE, kinds.FLOAT, [2, 3]))
    onnx.checker.check_model(network)
    return bytes(network.SerializeToString())


def _graph(onnx: Any, front: ImageFront, height: int, width: int, target: str) -> tuple[list[Any], list[Any]]:
    """Nodes from the picture to the tensor `target`, and their constants."""
    constants = {
        "pixels": _pixels(front),
        "to_unit": np.array([2.0 / (width - 1), 2.0 / (height - 1)], np.float32),
        "minus_one": np.array(-1.0, np.float32),
        "grid_shape": np.array([1, front.height, front.width, 2], np.int64),
        "batch": np.array([0], np.int64),
        "scale": np.array(front.scale, np.float32).reshape(1, 3, 1, 1),
        "offset": np.array(front.offset, np.float32).reshape(1, 3, 1, 1),
    }

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> Any:
        names = [name if name in (IMAGE, TO_IMAGE) else _PREFIX + name for name in inputs]
        return onnx.helper.make_node(kind, names, [output if output == target else _PREFIX + output], **attributes)

    last = "normalised" if not front.planes else target
    nodes = [
        node("Transpose", [TO_IMAGE], "columns", perm=[1, 0]),
        node("MatMul", ["pixels", "columns"], "places"),
        node("Mul", ["places", "to_unit"], "units"),
        node("Add", ["units", "minus_one"], "rows"),
        node("Reshape", ["rows", "grid_shape"], "grid"),
        node("Cast", [IMAGE], "floats", to=onnx.TensorProto.FLOAT),
        node("Transpose", ["floats"], "channels", perm=[2, 0, 1]),
        node("Unsqueeze", ["channels", "batch"], "planes"),
        node("GridSample", ["planes", "grid"], "crop", mode="bilinear", align_corners=1,
             padding_mode="border" if front.replicate_border else "zeros"),
        node("Mul", ["crop", "scale"], "scaled"),
        node("Add", ["scaled", "offset"], last),
    ]  # fmt: skip
    if not front.planes:
        nodes.append(node("Transpose", [last], target, perm=[0, 2, 3, 1]))
    weights = [onnx.numpy_helper.from_array(value, _PREFIX + name) for name, value in constants.items()]
    return nodes, weights


def _pixels(front: ImageFront) -> np.ndarray:
    """(H W, 3) homogeneous pixels of the crop, row by row."""
    y, x = np.mgrid[: front.height, : front.width].astype(np.float32)
    return np.stack([x.ravel(), y.ravel(), np.ones(x.size, np.float32)], 1)
