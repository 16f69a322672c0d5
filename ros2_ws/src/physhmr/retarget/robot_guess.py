"""A first description of an unknown robot: links matched to roles by names and by geometry.

Names decide where they can; elsewhere a leg is the chain to the lowest link of its side, an arm the chain to the
outermost one. The result is a start to be looked at, not a truth.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import mujoco
import numpy as np
import yaml

from physhmr.errors import RobotError
from physhmr.retarget.geom_points import lowest_points
from physhmr.retarget.robot import compile_model
from physhmr.retarget.roles import SIDES
from physhmr.types import Array

NAMES = {
    "hip": r"hip|thigh", "knee": r"knee|shank|calf|kfe|shin", "shoulder": r"sho|upper_?arm",
    "elbow": r"elbow|(^|_)el(_|$)|fore_?arm", "head": r"head|neck",
}  # fmt: skip
LATERAL = 0.02
"""m from the middle, beyond which a link belongs to a side."""
HAND_SHARE = 0.85
"""Of the way from elbow to fingertips, where a hand without a link of its own is."""


def guess_robot(path: Path, name: str = "") -> str:
    """The text of a first YAML for the MJCF or URDF at `path`; raises `RobotError` if no two legs are found."""
    model = compile_model(path)
    placed = mujoco.MjData(model)
    mujoco.mj_kinematics(model, placed)
    links: dict[str, object] = {"pelvis": model.body(int(model.jnt_bodyid[0])).name}
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        leg, arm = _limbs(model, placed.xpos, sign)
        links |= {f"{side}_{part}": link for part, link in _leg(model, placed.xpos, leg).items()}
        links |= {f"{side}_{part}": link for part, link in _arm(model, placed, arm).items()}
    links |= _trunk(model, links)
    content = {"name": name or path.stem, "model": str(path.resolve()), "links": links}
    if model.nkey:
        content["stand"] = model.key(0).name
    head = "# Guessed by `physhmr robot new` from names and geometry: look at the picture and correct it.\n"
    return head + yaml.safe_dump(content, sort_keys=False, default_flow_style=None)


def _limbs(model: mujoco.MjModel, pos: Array, sign: float) -> tuple[list[int], list[int]]:
    """Bodies of the leg and of the arm of one side, from the trunk outwards; the arm may be empty."""
    root = int(model.jnt_bodyid[0])
    leaves = set(range(1, model.nbody)) - set(model.body_parentid.tolist())
    chains = [_chain(model, leaf, root) for leaf in leaves if sign * pos[leaf, 1] > LATERAL]
    chains = [[body for body in chain if sign * pos[body, 1] > LATERAL] for chain in chains if root in chain]
    chains = [chain for chain in chains if sum(int(model.body_jntnum[body]) for body in chain) >= 3]
    if not chains:
        raise RobotError("no leg found: the robot must stand upright at zero, facing x, with its left side at y > 0")
    leg = min(chains, key=lambda chain: pos[chain[-1], 2])
    arms = [chain for chain in chains if chain[0] != leg[0] and pos[chain[0], 2] > pos[leg[0], 2]]
    return leg, max(arms, key=len, default=[])


def _chain(model: mujoco.MjModel, body: int, root: int) -> list[int]:
    chain = [body]
    while chain[-1] not in (0, root):
        chain.append(int(model.body_parentid[chain[-1]]))
    return chain[::-1]


def _leg(model: mujoco.MjModel, pos: Array, chain: list[int]) -> dict[str, object]:
    middle = 0.5 * (pos[chain[0], 2] + pos[chain[-1], 2])
    knee = next(iter(_named(model, chain, "knee")), min(chain[1:-1], key=lambda body: abs(pos[body, 2] - middle)))
    above = chain[: chain.index(knee)]
    hips = _named(model, above, "hip") or above
    hip = max(hips, key=lambda body: (round(abs(pos[body, 1]), 3), pos[body, 2]))
    return {part: model.body(body).name for part, body in (("hip", hip), ("knee", knee), ("foot", chain[-1]))}


def _arm(model: mujoco.MjModel, placed: mujoco.MjData, chain: list[int]) -> dict[str, object]:
    if len(chain) < 2:
        return {}
    shoulders = _named(model, chain, "shoulder") or chain[: max(1, len(chain) // 2)]
    shoulder = shoulders[len(shoulders) // 2]
    rest = chain[chain.index(shoulder) + 1 :]
    if not rest:
        return {}
    elbow = next((body for body in _named(model, rest, "elbow")), rest[min(1, len(rest) - 1)])
    hand: object = model.body(chain[-1]).name
    if np.linalg.norm(placed.xpos[chain[-1]] - placed.xpos[elbow]) < LATERAL:
        hand = {"link": hand, "point": _tip(model, placed, chain[-1])}
    return {"shoulder": model.body(shoulder).name, "elbow": model.body(elbow).name, "hand": hand}


def _tip(model: mujoco.MjModel, placed: mujoco.MjData, body: int) -> list[float]:
    """A point near the far end of a link's shapes, in its frame, m."""
    geoms = np.flatnonzero(model.geom_bodyid == body).tolist()
    points = np.concatenate([lowest_points(model, placed, geom) for geom in geoms]) - placed.xpos[body]
    far = points[np.argmax(np.linalg.norm(points, axis=1))]
    return [round(float(x), 3) for x in HAND_SHARE * far @ placed.xmat[body].reshape(3, 3)]


def _trunk(model: mujoco.MjModel, links: dict[str, object]) -> dict[str, object]:
    """The link that carries both arms, and the last one called head or neck."""
    found: dict[str, object] = {}
    if "left_shoulder" in links and "right_shoulder" in links:
        left, right = (set(_up(model, str(links[f"{side}_shoulder"]))) for side in SIDES)
        torso = max(left & right, key=lambda body: len(_up(model, model.body(body).name)))
        if model.body(torso).name != links["pelvis"]:
            found["torso"] = model.body(torso).name
    heads = _named(model, range(1, model.nbody), "head")
    if heads and model.body_jntnum[heads[-1]]:
        found["head"] = model.body(heads[-1]).name
    return found


def _up(model: mujoco.MjModel, name: str) -> list[int]:
    body, chain = int(model.body(name).id), []
    while body:
        chain.append(body)
        body = int(model.body_parentid[body])
    return chain


def _named(model: mujoco.MjModel, bodies: Iterable[int], part: str) -> list[int]:
    """Those whose own name, or a joint's, sounds like the part."""
    pattern, found = re.compile(NAMES[part], re.IGNORECASE), []
    for body in bodies:
        first, count = int(model.body_jntadr[body]), int(model.body_jntnum[body])
        names = [model.body(body).name, *(model.joint(j).name for j in range(first, first + count))]
        if any(pattern.search(name) for name in names):
            found.append(body)
    return found
