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
        """Count the mirror image as well: the statistics are symmetric, so normalising and mirroring commute."""
        both = {name: torch.cat([obs[name], mirror_observation(obs[name])]) for name in self.obs_groups}
        super().update_normalization(TensorDict(both, batch_size=[2 * obs.batch_size[0]]))


class _Symmetric(nn.Module):
    def __init__(self, one_sided: nn.Module) -> None:
        super().__init__()
        self.one_sided = one_sided

    def forward(self, obs: Tensor) -> Tensor:
        """(N, 580) or (N, 664) normalised observations to (N, 19) actions or (N, 1) values."""
        seen, mirrored = self.one_sided(torch.cat([obs, mirror_observation(obs)])).chunk(2)
        return 0.5 * (seen + (mirrored if mirrored.shape[1] == 1 else mirror_action(mirrored)))
