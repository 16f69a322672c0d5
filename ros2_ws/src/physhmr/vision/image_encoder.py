"""A vision transformer's view of the person: one token for the crop, and one for each of its patches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physhmr.errors import NonFiniteError
from physhmr.inference.engine import InferenceEngine, check_declared, tensor_spec
from physhmr.types import PersonBox
from physhmr.vision.preprocess import IMAGENET_MEAN, IMAGENET_STD, Normaliser, crop

SIDE, PATCHES, WIDTH = 224, 16, 384
"""Pixels of the crop, patches along it, numbers of a token: DINOv2 ViT-S/14."""
_INPUT, _OUTPUT = "image", "tokens"
_normalise = Normaliser(IMAGENET_MEAN, IMAGENET_STD)


@dataclass(frozen=True)
class ImageTokens:
    """What the transformer says about one crop."""

    whole: NDArray[np.float32]
    """(384,) the class token."""
    patches: NDArray[np.float32]
    """(16, 16, 384), rows from above, in the crop's own axes."""

    def __post_init__(self) -> None:
        bad = int((~np.isfinite(self.whole)).sum() + (~np.isfinite(self.patches)).sum())
        if bad:
            raise NonFiniteError("image tokens", bad)


class ImageEncoder:
    """DINOv2 ViT-S/14 on an inference engine."""

    def __init__(self, engine: InferenceEngine) -> None:
        """Use `engine`; raises `EngineError` if it does not hold the model `dinov2_small`."""
        check_declared("the image encoder", (tensor_spec(_INPUT, 1, 3, SIDE, SIDE),), engine.inputs)
        check_declared("the image encoder", (tensor_spec(_OUTPUT, 1, 1 + PATCHES**2, WIDTH),), engine.outputs)
        self._engine = engine

    def look(self, image: NDArray[np.uint8], box: PersonBox) -> ImageTokens:
        """Return the tokens of the content of `box` in an RGB image (H, W, 3)."""
        tensor = encoder_input(crop(image, box, SIDE, replicate_border=False))
        (tokens,) = self._engine.infer({_INPUT: tensor})[_OUTPUT]
        return ImageTokens(tokens[0], tokens[1:].reshape(PATCHES, PATCHES, WIDTH))

    def close(self) -> None:
        """Free the network."""
        self._engine.close()


def encoder_input(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the network's input (1, 3, 224, 224) for an RGB crop (224, 224, 3)."""
    return _normalise(pixels)
