"""The parts that a human and a robot have in common, by which one drives the other."""

from __future__ import annotations

SIDES = ("left", "right")
LIMB_PARTS = ("hip", "knee", "foot", "shoulder", "elbow", "hand")
ROLES: tuple[str, ...] = ("pelvis", "torso", "head", *(f"{side}_{part}" for side in SIDES for part in LIMB_PARTS))
"""All parts that a robot may name."""
REQUIRED: tuple[str, ...] = ("pelvis", *(f"{side}_{part}" for side in SIDES for part in ("hip", "knee", "foot")))
"""A robot needs these; without a torso, a head or arms the rest still follows."""
ARM = ("shoulder", "elbow", "hand")
"""An arm has all three or none."""

_BODY_OF = {"hip": "Hip", "knee": "Knee", "foot": "Ankle", "shoulder": "Shoulder", "elbow": "Elbow", "hand": "Wrist"}
HUMAN_BODY: dict[str, str] = {
    "pelvis": "Pelvis",
    "torso": "Chest",
    "head": "Head",
    **{f"{side}_{part}": f"{side[0].upper()}_{_BODY_OF[part]}" for side in SIDES for part in LIMB_PARTS},
}
"""The humanoid's body that drives each role unless a robot says otherwise."""
