"""A network's inputs for the content of a box: cropped and scaled here, or left to a `PictureEngine`'s own device."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from physhmr.inference.engine import Tensors, TensorSpec, check_declared, tensor_spec
from physhmr.inference.image_front import IMAGE, TO_IMAGE, ImageFront
from physhmr.inference.picture_engine import PICTURE_INPUTS
from physhmr.types import PersonBox
from physhmr.vision.preprocess import crop, pixels_to_image

Crops = Callable[[NDArray[np.uint8], PersonBox], Tensors]
"""From an RGB image (H, W, 3) and a box in it to what a network is given."""


def square_crops(what: str, inputs: tuple[TensorSpec, ...], name: str, front: ImageFront) -> Crops:
    """Return what makes these `inputs`: the crop itself as the tensor `name`, or picture and place for the device.

    The crop is a square with colours last and one scale for all of them. Raises `EngineError`, naming `what`, for a
    network that takes something else.
    """
    side = front.height
    if any(one.name == IMAGE for one in inputs):
        check_declared(what, PICTURE_INPUTS, inputs)
        return lambda image, box: {IMAGE: image, TO_IMAGE: pixels_to_image(box, side).astype(np.float32)}
    check_declared(what, (tensor_spec(name, 1, side, side, 3),), inputs)
    scale, offset = np.float32(front.scale[0]), np.float32(front.offset[0])

    def cropped(image: NDArray[np.uint8], box: PersonBox) -> Tensors:
        tensor = np.multiply(crop(image, box, side, front.replicate_border), scale, dtype=np.float32)[None]
        tensor += offset
        return {name: tensor}

    return cropped
