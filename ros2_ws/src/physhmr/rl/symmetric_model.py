"""An rsl-rl model that cannot tell left from right: f(o) = (g(o) + M g(M o)) / 2, M the mirror.

Every sample teaches both sides at once, exactly: unlike mirrored copies of the samples, which PPO's ratio
takes for off-policy data.
"""

from __future__ import annotations

from typing import Any

import torch
from rsl_rl.models import MLPModel
from tensordict import TensorDict
from torch import Tensor, nn

from physhmr.policy.mirror import mirror_action, mirror_observation


class SymmetricModel(MLPModel):
    """Actor (actions turn in the mirror) or critic (a value does not)."""

    mlp: nn.Module

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.mlp = _Symmetric(self.mlp)

    def update_normalization(self, obs: TensorDict) -> None:
        """Count the mirror image as well: the statistics are symmetric, so normalising and mirroring commute.

        Every fourth of the observations: they are plenty, and counting all of them takes a twentieth of the training.
        """
        some = obs[::4]
        both = {name: torch.cat([some[name], mirror_observation(some[name])]) for name in self.obs_groups}
        super().update_normalization(TensorDict(both, batch_size=[2 * len(some)]))


class _Symmetric(nn.Module):
    def __init__(self, one_sided: nn.Module) -> None:
        super().__init__()
        self.one_sided = one_sided

    def forward(self, obs: Tensor) -> Tensor:
        """(N, 580), (N, 664) or (N, 805) normalised observations to (N, 19) actions or (N, 1) values."""
        first, *others, last = self.one_sided
        # Whole hidden layers, not only their products: what goes through memory is halved, too.
        with torch.autocast("cpu", torch.bfloat16, enabled=_may_be_rough()):
            # W (M o) = (W M) o, and M is its own transpose: mirrored are one layer's weights, not all observations.
            turned = nn.functional.linear(obs, mirror_observation(first.weight), first.bias)
            both = torch.cat([first(obs), turned])
            for layer in others:
                both = layer(both)
        seen, mirrored = last(both.float()).chunk(2)
        return 0.5 * (seen + (mirrored if mirrored.shape[1] == 1 else mirror_action(mirrored)))


def _may_be_rough() -> bool:
    """True where the process lets networks compute in bfloat16 and the processor can; what is exported never does."""
    if torch.onnx.is_in_onnx_export():
        return False
    return torch.get_float32_matmul_precision() == "medium" and torch.ops.mkldnn._is_mkldnn_bf16_supported()
