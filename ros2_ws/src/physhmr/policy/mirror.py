"""Observation and action as seen in a mirror: left and right exchanged, the heading frame's y axis turned.

Both are signed permutations, so a network's answer to a mirrored question must be its mirrored answer.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from physhmr.body.skeleton import BALANCE_HINGES, BODY_INDEX, BODY_NAMES, mirror_name
from physhmr.policy.observation import EXPERT_SIZE, PREVIEW_SIZE, PREVIEW_STEPS, VISION_SIZE
from physhmr.types import MIRRORED_KEYPOINTS

_SWAP = np.array([BODY_INDEX[mirror_name(name)] for name in BODY_NAMES])
_VECTOR = np.array([1.0, -1.0, 1.0])
_AXIAL = -_VECTOR
"""Rotation vectors, angular velocities and hinge triples: what turns about y keeps its sign."""
_COLUMNS = np.array([1.0, -1.0, -1.0, 1.0, 1.0, -1.0])
"""x and y axis of a rotation, row by row: the y axis changes its sense as well."""


def mirror_observation(obs: Tensor) -> Tensor:
    """(N, 580) observations of the expert, (N, 664) of the vision policy, (N, 225 or 805) of its critic, mirrored."""
    source, sign = _OBSERVATIONS[int(obs.shape[1])]
    return obs[:, source] * sign


def mirror_action(action: Tensor) -> Tensor:
    """(N, 19) actions, mirrored."""
    source, sign = _ACTION
    return action[:, source] * sign


def _bodies(signs: np.ndarray, swap: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Source index and sign of a block of one row of len(signs) numbers a body."""
    source = np.arange(len(swap) * len(signs)).reshape(len(swap), len(signs))[swap].ravel()
    return source, np.tile(signs, len(swap))


def _joined(blocks: list[tuple[np.ndarray, np.ndarray]]) -> tuple[Tensor, Tensor]:
    starts = np.cumsum([0, *(len(source) for source, _ in blocks)])
    source = np.concatenate([block[0] + start for block, start in zip(blocks, starts, strict=False)])
    return torch.tensor(source), torch.tensor(np.concatenate([block[1] for block in blocks])).float()


_LIMBS, _ITSELF = _SWAP[1:] - 1, np.zeros(1, int)
_HINGES = _bodies(_AXIAL, _LIMBS)
_EXPERT = [
    # Proprioception: root height, positions, rotations, velocities.
    _bodies(np.ones(1), _ITSELF), _bodies(_VECTOR, _LIMBS), _bodies(_COLUMNS, _SWAP),
    _bodies(_VECTOR, _SWAP), _bodies(_AXIAL, _SWAP),
    # Tracking: offsets, the reference root's rotation and velocities, hinge errors, hinge rates.
    _bodies(_VECTOR, _SWAP), _bodies(_COLUMNS, _ITSELF), _bodies(_VECTOR, _ITSELF), _bodies(_AXIAL, _ITSELF),
    _HINGES, _HINGES,
]  # fmt: skip
_RAYS = [_bodies(_VECTOR, np.array(MIRRORED_KEYPOINTS)), _bodies(np.ones(1), np.array(MIRRORED_KEYPOINTS))]
_PREVIEW = len(PREVIEW_STEPS) * [_bodies(_VECTOR, _SWAP)] + len(PREVIEW_STEPS) * [_bodies(_VECTOR, _ITSELF)]
_OBSERVATIONS = {
    EXPERT_SIZE: _joined(_EXPERT),
    VISION_SIZE: _joined(_EXPERT + _RAYS),
    PREVIEW_SIZE: _joined(_PREVIEW),
    EXPERT_SIZE + PREVIEW_SIZE: _joined(_EXPERT + _PREVIEW),
}
_BALANCE = list(BALANCE_HINGES)
_ACTION = _joined([(np.array([_BALANCE.index(i) for i in _HINGES[0][_BALANCE]]), _HINGES[1][_BALANCE])])
