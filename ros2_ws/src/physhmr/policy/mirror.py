"""Observation and action as seen in a mirror: left and right exchanged, the heading frame's y axis turned.

Both are signed permutations, so a network's answer to a mirrored question must be its mirrored answer.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from physhmr.body.skeleton import BODY_INDEX, BODY_NAMES, mirror_name
from physhmr.policy.action import BALANCE_HINGES

_SWAP = np.array([BODY_INDEX[mirror_name(name)] for name in BODY_NAMES])
_VECTOR = np.array([1.0, -1.0, 1.0])
_AXIAL = -_VECTOR
"""Rotation vectors, angular velocities and hinge triples: what turns about y keeps its sign."""
_COLUMNS = np.array([1.0, -1.0, -1.0, 1.0, 1.0, -1.0])
"""x and y axis of a rotation, row by row: the y axis changes its sense as well."""


def mirror_observation(obs: Tensor) -> Tensor:
    """(N, 580) expert observations mirrored."""
    return obs[:, _OBS_SOURCE] * _OBS_SIGN


def mirror_action(action: Tensor) -> Tensor:
    """(N, 19) actions mirrored."""
    return action[:, _ACTION_SOURCE] * _ACTION_SIGN


def _bodies(signs: np.ndarray, swap: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Source index and sign of a block of one row of len(signs) numbers a body."""
    source = np.arange(len(swap) * len(signs)).reshape(len(swap), len(signs))[swap].ravel()
    return source, np.tile(signs, len(swap))


def _observation_map() -> tuple[np.ndarray, np.ndarray]:
    limbs, itself = _SWAP[1:] - 1, np.zeros(1, int)
    blocks = [
        # Proprioception: root height, positions, rotations, velocities.
        _bodies(np.ones(1), itself), _bodies(_VECTOR, limbs), _bodies(_COLUMNS, _SWAP),
        _bodies(_VECTOR, _SWAP), _bodies(_AXIAL, _SWAP),
        # Tracking: offsets, the reference root's rotation and velocities, hinge errors, hinge rates.
        _bodies(_VECTOR, _SWAP), _bodies(_COLUMNS, itself), _bodies(_VECTOR, itself), _bodies(_AXIAL, itself),
        _bodies(_AXIAL, limbs), _bodies(_AXIAL, limbs),
    ]  # fmt: skip
    starts = np.cumsum([0, *(len(source) for source, _ in blocks)])
    source = np.concatenate([block[0] + start for block, start in zip(blocks, starts, strict=False)])
    return source, np.concatenate([block[1] for block in blocks])


def _action_map() -> tuple[np.ndarray, np.ndarray]:
    source, sign = _bodies(_AXIAL, _SWAP[1:] - 1)
    hinges = list(BALANCE_HINGES)
    return np.array([hinges.index(index) for index in source[hinges]]), sign[hinges]


_OBS_SOURCE, _OBS_SIGN = (torch.tensor(part) for part in _observation_map())
_ACTION_SOURCE, _ACTION_SIGN = (torch.tensor(part) for part in _action_map())
_OBS_SIGN, _ACTION_SIGN = _OBS_SIGN.float(), _ACTION_SIGN.float()
