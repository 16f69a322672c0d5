"""Checkpoints are read without running what is pickled in them."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from physhmr.errors import ModelFileError


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The tensors and numbers that a training saved; raises `ModelFileError` for a file that is damaged or no such."""
    try:
        return torch.load(path, weights_only=True, map_location="cpu")
    except (OSError, RuntimeError, EOFError, ValueError, UnpicklingError) as error:
        raise ModelFileError(f"{path} is not a readable checkpoint: {error}") from error
