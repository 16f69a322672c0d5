"""ViTPose's own checkpoints (.pth of its authors' repository): their parameters under the names of `transformers`.

What kind of ViTPose it is (width, depth, decoder, experts) follows from the parameters' names and shapes.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from physhmr.errors import ModelFileError

HEADS = {384: 12, 768: 12, 1024: 16, 1280: 16}
"""Width -> attention heads of ViTPose S, B, L and H, which no shape tells."""
NAMES = (
    (r"backbone\.pos_embed", "backbone.embeddings.position_embeddings"),
    (r"backbone\.patch_embed\.proj\.", "backbone.embeddings.patch_embeddings.projection."),
    (r"backbone\.last_norm\.", "backbone.layernorm."),
    (r"backbone\.blocks\.(\d+)\.norm1\.", r"backbone.encoder.layer.\1.layernorm_before."),
    (r"backbone\.blocks\.(\d+)\.norm2\.", r"backbone.encoder.layer.\1.layernorm_after."),
    (r"backbone\.blocks\.(\d+)\.attn\.proj\.", r"backbone.encoder.layer.\1.attention.output.dense."),
    (r"backbone\.blocks\.(\d+)\.mlp\.", r"backbone.encoder.layer.\1.mlp."),
    (r"keypoint_head\.deconv_layers\.0\.", "head.deconv1."),
    (r"keypoint_head\.deconv_layers\.1\.", "head.batchnorm1."),
    (r"keypoint_head\.deconv_layers\.3\.", "head.deconv2."),
    (r"keypoint_head\.deconv_layers\.4\.", "head.batchnorm2."),
    (r"keypoint_head\.final_layer\.", "head.conv."),
)
"""Beginning of an official name -> that of transformers."""
_QKV = re.compile(r"backbone\.blocks\.(\d+)\.attn\.qkv\.(weight|bias)")
_NOT_NEEDED = re.compile(r"backbone\.cls_token|associate_(keypoint_)?heads\.")
"""Left over from pretraining; heads for other data sets' joints."""


def read_official(path: Path) -> dict[str, Tensor]:
    """Return the parameters in a .pth file under their official names; raises `ModelFileError`."""
    try:
        # Tensors and plain containers only: whatever else a pickle asks for is refused, not run.
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ModelFileError(
            f"{path} is no checkpoint that can be read safely: {error}; if you trust it, load it in torch yourself and "
            "save {'state_dict': its state_dict} alone"
        ) from error
    weights = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(weights, dict) or "backbone.pos_embed" not in weights:
        raise ModelFileError(f"{path} holds no ViTPose of its authors' repository: it has no 'backbone.pos_embed'")
    return weights


def renamed(official: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the parameters under transformers' names; raises `ModelFileError` for one that is not known."""
    found: dict[str, Tensor] = {}
    for name, value in official.items():
        if _NOT_NEEDED.match(name):
            continue
        if joined := _QKV.fullmatch(name):
            layer, kind = joined.groups()
            for part, rows in zip(("query", "key", "value"), value.chunk(3), strict=True):
                found[f"backbone.encoder.layer.{layer}.attention.attention.{part}.{kind}"] = rows
        else:
            found[_name(name)] = value
    return found


def configuration(official: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return what kind of head these have, as arguments of transformers' VitPoseConfig; raises `ModelFileError`."""
    if "keypoint_head.final_layer.weight" not in official:
        raise ModelFileError("this checkpoint has no 'keypoint_head.final_layer': it tells no joints")
    simple = not any(name.startswith("keypoint_head.deconv_layers.") for name in official)
    return {"num_labels": official["keypoint_head.final_layer.weight"].shape[0], "use_simple_decoder": simple}


def backbone_configuration(official: Mapping[str, Tensor], size: tuple[int, int]) -> dict[str, Any]:
    """Return what kind of transformer these are, as arguments of transformers' VitPoseBackboneConfig.

    `size` is (height, width) px of its input. Raises `ModelFileError` if they were made for another one.
    """
    _, places, width = official["backbone.pos_embed"].shape
    wanted = 1 + size[0] * size[1] // 256
    if places != wanted or width not in HEADS:
        widths = ", ".join(map(str, HEADS))
        raise ModelFileError(
            f"this ViTPose has {places} places of {width} numbers; wanted are {wanted} for a picture of "
            f"{size[1]}x{size[0]} px, of {widths} numbers"
        )
    layers = len({name.split(".")[2] for name in official if name.startswith("backbone.blocks.")})
    experts = [name for name in official if re.fullmatch(r"backbone\.blocks\.0\.mlp\.experts\.\d+\.weight", name)]
    return {
        "hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": HEADS[width],
        "image_size": list(size), "out_indices": [layers], "num_experts": max(len(experts), 1),
        "part_features": official[experts[0]].shape[0] if experts else 0,
    }  # fmt: skip


def _name(official: str) -> str:
    for pattern, ours in NAMES:
        if found := re.match(pattern, official):
            return found.expand(ours) + official[found.end() :]
    raise ModelFileError(f"'{official}' is no parameter of a ViTPose")
