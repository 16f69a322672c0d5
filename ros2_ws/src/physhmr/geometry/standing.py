"""What keypoints tell about a standing body: centre of mass, support, straightness. Any metric axes; (..., 21, 3) m."""

from __future__ import annotations

import numpy as np

from physhmr.types import KEYPOINTS, Array

_SEGMENTS: tuple[tuple[str, str, float, float], ...] = (
    ("Ear", "Ear", 0.0694, 0.5),
    ("Shoulder", "Hip", 0.4346, 0.5),
    ("Shoulder", "Elbow", 0.0271, 0.577),
    ("Elbow", "Wrist", 0.0162, 0.457),
    ("Wrist", "Hand", 0.0061, 0.79),
    ("Hip", "Knee", 0.1416, 0.41),
    ("Knee", "Ankle", 0.0433, 0.446),
    ("Heel", "Toe", 0.0137, 0.442),
)
"""Upper end, lower end, mass fraction of one side (head and trunk: of both), place of its centre from the upper end.

De Leva, J. Biomech. 29 (1996), table 4, men."""

_SAME_HEIGHT = 0.1
"""m; a foot that is higher than the other by this is on the floor e times less."""
_STEP = 0.15
"""m by which a foot is lifted in a step; more, and somebody stands on the other leg.

Walkers are balanced over the middle of both feet, on average: over the one that carries they fall from step to step."""
_MORE_THAN_A_STEP = 0.05
"""m above that, by which a foot carries e times less."""


def _sides(part: str) -> Array:
    return np.array([KEYPOINTS.index(f"{side}_{part}") for side in "LR"])


def _mass_weights() -> Array:
    """How much each keypoint counts in the centre of mass, (21,), sum 1."""
    weights = np.zeros(len(KEYPOINTS))
    for upper, lower, mass, place in _SEGMENTS:
        share = mass / 2 if upper in ("Ear", "Shoulder") and lower in ("Ear", "Hip") else mass
        weights[_sides(upper)] += share * (1 - place)
        weights[_sides(lower)] += share * place
    return weights / weights.sum()


_MASS = _mass_weights()
_FOOT = np.stack([_sides(part) for part in ("Ankle", "Heel", "Toe")])  # (3, 2)
_SOLE = _FOOT[1:]
_LEG = np.stack([_sides(part) for part in ("Hip", "Knee", "Ankle")])


def center_of_mass(body: Array) -> Array:
    """Return the centre of mass (..., 3)."""
    return np.einsum("k,...ki->...i", _MASS, body)


def support_point(body: Array, up: Array) -> Array:
    """Return the middle of both feet (..., 3), of one when the other is lifted higher than in a step."""
    feet = body[..., _FOOT, :].mean(-3)
    return _weighed(feet, np.maximum(_lift(body, up) - _STEP, 0.0) / _MORE_THAN_A_STEP)


def floor_point(body: Array, up: Array) -> Array:
    """Return where the lower foot's sole (heel to toe) is (..., 3), between the soles when both touch the floor."""
    soles = body[..., _SOLE, :].mean(-3)
    return _weighed(soles, _lift(body, up) / _SAME_HEIGHT)


def leg_and_trunk_length(body: Array) -> Array:
    """Return the mean leg, hip to ankle along the bones, plus the trunk, hips to shoulders (...), m."""
    bones = np.linalg.norm(np.diff(body[..., _LEG, :], axis=-3), axis=-1)
    return bones.sum(-2).mean(-1) + _trunk(body)


def straightness(body: Array) -> Array:
    """Return shoulders-to-ankle distance over the bones between, of the straighter side (...); 1 is upright."""
    bones = np.linalg.norm(np.diff(body[..., _LEG, :], axis=-3), axis=-1).sum(-2)
    reach = np.linalg.norm(body[..., _LEG[2], :] - body[..., _sides("Shoulder"), :].mean(-2)[..., None, :], axis=-1)
    return (reach / (bones + _trunk(body)[..., None])).max(-1)


def _trunk(body: Array) -> Array:
    return np.linalg.norm(body[..., _sides("Shoulder"), :].mean(-2) - body[..., _sides("Hip"), :].mean(-2), axis=-1)


def _lift(body: Array, up: Array) -> Array:
    """How far (..., 2) m each foot is above the other, at its lower end: a heel or toes carry too."""
    height = (body[..., _SOLE, :] @ up).min(-2)
    return np.asarray(height - height.min(-1, keepdims=True))


def _weighed(feet: Array, doubt: Array) -> Array:
    """Mean (..., 3) of both feet (..., 2, 3), each counting e times less for 1 of `doubt` (..., 2)."""
    weight = np.exp(-doubt)
    return (weight[..., None] * feet).sum(-2) / weight.sum(-1)[..., None]
