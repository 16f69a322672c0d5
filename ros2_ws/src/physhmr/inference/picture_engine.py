"""A network behind an `ImageFront`, with an engine for the size of the camera's pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physhmr.errors import ModelFileError, ShapeError
from physhmr.inference.engine import InferenceEngine, Tensors, TensorSpec, check_tensors, tensor_spec
from physhmr.inference.engine_file import sha256_of, write_whole
from physhmr.inference.image_front import IMAGE, TO_IMAGE, ImageFront, with_image_front

PICTURE_INPUTS = (TensorSpec(IMAGE, (None, None, 3), np.dtype(np.uint8)), tensor_spec(TO_IMAGE, 2, 3))


class PictureEngine:
    """Takes whole pictures in place of crops; an `InferenceEngine`."""

    inputs = PICTURE_INPUTS

    def __init__(
        self, plain: InferenceEngine, model: Path, front: ImageFront, open_engine: Callable[[Path], InferenceEngine],
        folder: Path,
    ) -> None:  # fmt: skip
        """Stand in for `plain`, which runs `model` on crops and is closed; `open_engine` runs files in `folder`."""
        self.name, self.outputs = f"{plain.name}, crops on its device", plain.outputs
        plain.close()
        self._model, self._front, self._open, self._folder = model, front, open_engine, folder
        self._engine: InferenceEngine | None = None
        self._size = (0, 0)

    def warm_up(self) -> None:
        """Nothing: the size of the pictures is not known yet, and their engine is warmed up when it is opened."""

    def infer(self, tensors: Tensors) -> dict[str, NDArray[Any]]:
        """Run the network on a crop of a picture; the first one of another size takes as long as opening an engine."""
        check_tensors(self.inputs, tensors)
        height, width = tensors[IMAGE].shape[:2]
        if min(height, width) < 2:
            raise ShapeError("picture", "at least (2, 2, 3)", (height, width, 3))
        return self._for_size(height, width).infer(tensors)

    def close(self) -> None:
        """Free the network."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _for_size(self, height: int, width: int) -> InferenceEngine:
        if self._engine is None or self._size != (height, width):
            self.close()
            self._engine = self._open(self._file(height, width))
            self._engine.warm_up()
            self._size = (height, width)
        return self._engine

    def _file(self, height: int, width: int) -> Path:
        """The network for this size, written anew: it costs less than knowing whether what is there is whole."""
        path = self._folder / f"{self._model.stem}-{sha256_of(self._model)[:12]}-{width}x{height}.onnx"
        try:
            write_whole(path, with_image_front(self._model, self._front, height, width))
        except OSError as error:
            raise ModelFileError(f"cannot write {path}: {error}; choose another `engine_cache`") from error
        return path
