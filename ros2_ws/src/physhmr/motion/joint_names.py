"""Which joints of a skeleton are those of a body, by the names that exporters give them: a table for all of them.

HumanIK (MotionBuilder, Mixamo, LAFAN1, Rokoko), classic Biovision and Xsens, Poser and DAZ, 3ds Max' biped, Unreal,
Character Creator, SMPL.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from physhmr.errors import MotionFileError

PARTS: dict[str, tuple[str, ...]] = {
    "Hip": ("upleg", "upperleg", "thigh", "hip"),
    "Knee": ("leg", "lowleg", "lowerleg", "shin", "calf", "knee"),
    "Ankle": ("ankle", "foot"),
    "Toe": ("toebase", "toe", "toe0", "toes", "ball", "foot"),
    "Shoulder": ("arm", "uparm", "upperarm", "shldr", "shoulder"),
    "Thorax": ("collar", "clavicle", "shoulder"),
    "Elbow": ("forearm", "lowarm", "lowerarm", "elbow"),
    "Wrist": ("wrist", "hand"),
}
"""Limbs of ours -> what they are called, without the side. The first name that is there and not taken yet counts:
HumanIK's shoulder is a collar bone, because it has an arm."""
OPTIONAL = ("Toe", "Thorax")
TRUNK = {"Neck": ("neck", "neck1", "neck01", "necktwist01"), "Head": ("head", "head1")}
_SIDES = {"left": "L", "l": "L", "right": "R", "r": "R"}
_NAMESPACE = re.compile(r"^(.*:|mixamorig\d*_?|bip\d*[ _]+|cc_base_)", re.IGNORECASE)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]|\d+")


def bodies_of(name: str, joints: Sequence[str]) -> dict[str, int]:
    """Which of `joints` stands for which of our bodies: all of `PARTS` on either side, neck and head.

    Toes and collar bones (`OPTIONAL`) may be missing; raises `MotionFileError` that names what else is.
    """
    place: dict[tuple[str, str], int] = {}
    for index, joint in enumerate(joints):
        place.setdefault(_side_and_part(joint), index)
    found: dict[str, int] = {}
    for side in "LR":
        for body, parts in PARTS.items():
            _find(found, f"{side}_{body}", [(side, part) for part in parts], place)
    for body, parts in TRUNK.items():
        _find(found, body, [("", part) for part in parts], place)
    wanted = [f"{side}_{body}" for side in "LR" for body in PARTS if body not in OPTIONAL] + list(TRUNK)
    missing = [body for body in wanted if body not in found]
    if missing:
        names = PARTS.get(missing[0][2:], ()) or TRUNK[missing[0]]
        raise MotionFileError(
            f"{name}: no joint is known for {', '.join(missing)} (the first is called {' or '.join(names)} elsewhere); "
            f"it has: {', '.join(joints)}"
        )
    return found


def _find(found: dict[str, int], body: str, names: list[tuple[str, str]], place: dict[tuple[str, str], int]) -> None:
    free = [place[key] for key in names if key in place and place[key] not in found.values()]
    if free:
        found[body] = free[0]


def _side_and_part(joint: str) -> tuple[str, str]:
    """LeftUpLeg, mixamorig:LeftUpLeg, L_UpLeg, upleg_l -> L, upleg; without a side it is empty."""
    bare = _NAMESPACE.sub("", joint)
    words = [word.lower() for word in _WORD.findall(bare.title() if bare.isupper() else bare)]
    for position in (0, -1):
        if len(words) > 1 and words[position] in _SIDES:
            side = _SIDES[words.pop(position)]
            return side, "".join(words)
    return "", "".join(words)
