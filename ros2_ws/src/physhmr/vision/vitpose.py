"""ViTPose from a checkpoint folder of `transformers` to an ONNX file; torch is needed for this alone."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from physhmr.errors import ModelFileError
from physhmr.inference.torch_onnx import export_onnx
from physhmr.vision.joint_sets import JOINT_SETS

DATASETS = {"coco17": 0, "wholebody133": 5}
"""Joint set -> index of the dataset whose experts a ViTPose+ checkpoint uses for it."""


class _Heatmaps(nn.Module):
    """A ViTPose without the options of its interface."""

    def __init__(self, model: nn.Module, dataset: int | None) -> None:
        super().__init__()
        self.model, self._dataset = model, dataset

    def forward(self, image: Tensor) -> Tensor:
        """(1, 3, H, W) normalised -> (1, J, H / 4, W / 4)."""
        index = None if self._dataset is None else torch.full((1,), self._dataset, dtype=torch.long)
        return self.model(image, dataset_index=index).heatmaps


def convert_vitpose(folder: Path, target: Path, joints: str = "coco17") -> Path:
    """Write the ViTPose in `folder` (config.json, model.safetensors) to the ONNX file `target`, and return it.

    Raises `ModelFileError` if `transformers` is missing, if the folder holds no ViTPose for these joints, and if
    the ONNX file does not say what torch says.
    """
    module, size = _load(folder, joints)
    image = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
    return export_onnx(module, {"image": image}, ["heatmaps"], target)


def _load(folder: Path, joints: str) -> tuple[nn.Module, tuple[int, int]]:
    try:
        from transformers import VitPoseForPoseEstimation
    except ImportError as error:
        raise ModelFileError("converting a ViTPose needs transformers; pip install 'physhmr[vitpose]'") from error
    try:
        # safetensors only: the other format is a pickle, which runs what it likes.
        model, loading = VitPoseForPoseEstimation.from_pretrained(
            str(folder), local_files_only=True, use_safetensors=True, attn_implementation="eager",
            output_loading_info=True,
        )  # fmt: skip
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelFileError(f"{folder} holds no ViTPose checkpoint of transformers: {error}") from error
    # transformers would go on with random numbers in their place.
    missing = sorted(map(str, (*loading["missing_keys"], *loading["mismatched_keys"])))
    if missing:
        raise ModelFileError(f"{folder} lacks weights of a ViTPose, such as {missing[0]}")
    config = model.config
    if config.num_labels != len(JOINT_SETS[joints].names):
        raise ModelFileError(f"{folder} tells {config.num_labels} joints, {joints} are {len(JOINT_SETS[joints].names)}")
    dataset = DATASETS[joints] if config.backbone_config.num_experts > 1 else None
    return _Heatmaps(model.eval(), dataset).eval(), tuple(config.backbone_config.image_size)
