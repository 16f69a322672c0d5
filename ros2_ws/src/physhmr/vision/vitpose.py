"""ViTPose from a checkpoint, of `transformers` or of its authors, to an ONNX file; torch is needed for this alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from physhmr.errors import ModelFileError
from physhmr.inference.torch_onnx import export_onnx
from physhmr.vision.joint_sets import JOINT_SETS
from physhmr.vision.vitpose_official import backbone_configuration, configuration, read_official, renamed

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


class _Tokens(nn.Module):
    """A ViTPose without its head."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        """(1, 3, H, W) normalised -> (1, H W / 256, C), patches row by row."""
        return self.model(image).feature_maps[-1]


def convert_hmr2(checkpoint: Path, target: Path, size: tuple[int, int] = (256, 192)) -> Path:
    """Write the image encoder of HMR2 (a ViTPose without head) to the ONNX file `target`, and return it.

    `checkpoint` is that of 4D-Humans, its `state_dict` at least. Raises as `convert_vitpose` does.
    """
    transformers = _transformers()
    official = {name: value for name, value in read_official(checkpoint).items() if name.startswith("backbone.")}
    config = transformers.VitPoseBackboneConfig(**backbone_configuration(official, size))
    weights = {name.removeprefix("backbone."): value for name, value in renamed(official).items()}
    model = _filled(transformers.VitPoseBackbone(config), weights, checkpoint)
    image = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
    return export_onnx(_Tokens(model), {"image": image}, ["tokens"], target)


def convert_vitpose(
    checkpoint: Path, target: Path, joints: str = "coco17", official_size: tuple[int, int] = (256, 192)
) -> Path:
    """Write a ViTPose to the ONNX file `target`, and return it.

    `checkpoint` is a folder of transformers (config.json, model.safetensors), or the .pth file of ViTPose's authors,
    which was made for pictures of `official_size` (height, width). Raises `ModelFileError` if `transformers` is
    missing, if there is no ViTPose for these joints, and if the ONNX file does not say what torch says.
    """
    model = _from_official(checkpoint, official_size) if checkpoint.is_file() else _from_folder(checkpoint)
    module, size = _for_joints(model, checkpoint, joints)
    image = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
    return export_onnx(module, {"image": image}, ["heatmaps"], target)


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise ModelFileError("converting a ViTPose needs transformers; pip install 'physhmr[vitpose]'") from error
    return transformers


def _from_official(file: Path, size: tuple[int, int]) -> Any:
    transformers, official = _transformers(), read_official(file)
    backbone = transformers.VitPoseBackboneConfig(**backbone_configuration(official, size))
    config = transformers.VitPoseConfig(backbone_config=backbone, **configuration(official))
    return _filled(transformers.VitPoseForPoseEstimation(config), renamed(official), file)


def _filled(model: Any, weights: dict[str, Tensor], file: Path) -> Any:
    try:
        model.load_state_dict(weights)  # strict: nothing may be missing or left over
    except RuntimeError as error:
        raise ModelFileError(f"{file} does not fit into a ViTPose: {error}") from error
    return model.eval()


def _from_folder(folder: Path) -> Any:
    transformers = _transformers()
    try:
        # safetensors only: the other format is a pickle, which runs what it likes.
        model, loading = transformers.VitPoseForPoseEstimation.from_pretrained(
            str(folder), local_files_only=True, use_safetensors=True, attn_implementation="eager",
            output_loading_info=True,
        )  # fmt: skip
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelFileError(f"{folder} holds no ViTPose checkpoint of transformers: {error}") from error
    # transformers would go on with random numbers in their place.
    missing = sorted(map(str, (*loading["missing_keys"], *loading["mismatched_keys"])))
    if missing:
        raise ModelFileError(f"{folder} lacks weights of a ViTPose, such as {missing[0]}")
    return model


def _for_joints(model: Any, source: Path, joints: str) -> tuple[nn.Module, tuple[int, int]]:
    config = model.config
    if config.num_labels != len(JOINT_SETS[joints].names):
        raise ModelFileError(f"{source} tells {config.num_labels} joints, {joints} are {len(JOINT_SETS[joints].names)}")
    dataset = DATASETS[joints] if config.backbone_config.num_experts > 1 else None
    return _Heatmaps(model.eval(), dataset).eval(), tuple(config.backbone_config.image_size)
