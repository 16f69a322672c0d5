"""A robot's recorded motion, told as a human's, so that another robot can follow it.

The robot's links stand for the bodies that drive the same roles; its standing pose is the human's upright one.
"""

from __future__ import annotations

import mujoco
import numpy as np

from physhmr.body.skeleton import BODY_INDEX
from physhmr.errors import RobotError
from physhmr.retarget.goals import hand_axes
from physhmr.retarget.human import HumanFrame
from physhmr.retarget.robot import Robot
from physhmr.retarget.roles import SIDES
from physhmr.retarget.target import RobotTarget
from physhmr.types import NUM_BODIES, Array


def robot_as_human(robot: Robot, target: RobotTarget, follower: Robot) -> HumanFrame:
    """The human whose bodies are where the robot's links are; bodies that nobody asks for are at the pelvis.

    Its proportions are `robot.proportions`. Raises `RobotError` if the follower has arms and the robot has none.
    """
    missing = [role for role in follower.body if "shoulder" in role and role not in robot.body]
    if missing:
        raise RobotError(f"'{robot.cfg.name}' has no arms for those of '{follower.cfg.name}' to follow")
    placed = robot.placed(target.q)
    upright = {role: _upright(robot, placed, role) for role in robot.body}
    upright.setdefault("torso", upright["pelvis"])
    upright.setdefault("head", upright["torso"])
    for sign, side in zip((1.0, -1.0), SIDES, strict=True):
        if f"{side}_shoulder" in robot.body:
            upright |= _arm(robot, placed, side, sign)
    pos = np.repeat(robot.points(placed, "pelvis")[None], NUM_BODIES, 0)
    rot = np.repeat(upright["pelvis"][None], NUM_BODIES, 0)
    for role, link in follower.cfg.links.items():
        rot[BODY_INDEX[link.human]] = upright[role]
        if role in robot.body:
            pos[BODY_INDEX[link.human]] = robot.points(placed, role)
    return HumanFrame(target.stamp_ns, pos, rot, np.asarray(target.pinned.reshape(2, 2, 2).any(-1)))


def _upright(robot: Robot, placed: mujoco.MjData, role: str) -> Array:
    """(3, 3) of a link, the identity while the robot stands facing x."""
    return placed.xmat[robot.body[role]].reshape(3, 3) @ robot.rest_rot[role].T


def _arm(robot: Robot, placed: mujoco.MjData, side: str, sign: float) -> dict[str, Array]:
    """(3, 3) of shoulder and hand as a human's in its T-pose: y along the left arm, flexing about -z."""
    at = {part: robot.points(placed, f"{side}_{part}") for part in ("shoulder", "elbow", "hand")}
    joint, flexes = robot.elbow[f"{side}_elbow"]
    axis = flexes * placed.xaxis[joint]
    turned = {f"{side}_shoulder": _limb(sign * (at["elbow"] - at["shoulder"]), -sign * axis)}
    known = hand_axes(robot, side)
    if known is None:
        turned[f"{side}_hand"] = _limb(sign * (at["hand"] - at["elbow"]), -sign * axis)
    else:
        turned[f"{side}_hand"] = placed.xmat[robot.body[f"{side}_hand"]].reshape(3, 3) @ known.T
    return turned


def _limb(along: Array, up: Array) -> Array:
    """(3, 3) with y along one vector and z near another."""
    y = along / max(float(np.linalg.norm(along)), 1e-9)
    z = up - (up @ y) * y
    z /= max(float(np.linalg.norm(z)), 1e-9)
    return np.stack([np.cross(y, z), y, z], axis=1)
