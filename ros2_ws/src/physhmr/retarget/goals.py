"""From the human's pose to what is wanted of a robot: directions of limbs at the robot's own lengths.

The root moves by the ratio of the legs; feet keep the robot's stance width; arms keep the human's directions, so
that every wanted hand is within the robot's reach if its joints allow.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from physhmr.body.skeleton import BODY_INDEX
from physhmr.retarget.human import HumanFrame
from physhmr.retarget.proportions import Proportions
from physhmr.retarget.robot import Robot
from physhmr.retarget.roles import SIDES
from physhmr.types import Array

STRAIGHT = 0.3
"""Sine of an elbow's bend at which its direction counts as much as the hinge's."""


@dataclass(frozen=True)
class Goals:
    """What is wanted of a robot at one instant; world frame, m."""

    points: dict[str, Array]
    """Role -> (3,): feet absolutely, `hips` for the middle of the hips; knees from their hip, elbows and hands from
    their shoulder."""
    rotations: dict[str, Array]
    """Role -> (3, 3) of the role's link."""
    axes: dict[str, Array]
    """Elbow -> (3,) unit direction about which it flexes: it decides the twist of the upper arm."""


class GoalMaker:
    """Scales the motion of one human onto one robot."""

    def __init__(self, robot: Robot, human: Proportions) -> None:
        self._robot, self._human = robot, human
        own = robot.proportions
        self.scale = robot.cfg.scale.legs * own.leg / human.leg
        """Of root and step lengths."""
        self._widen = 0.5 * (own.stance_width - self.scale * human.stance_width)
        reach = robot.cfg.scale.arms
        self._upper_arm, self._forearm = reach * own.upper_arm, reach * own.forearm
        self._hand_rest = {side: hand_axes(robot, side) for side in SIDES}

    def __call__(self, human: HumanFrame) -> Goals:
        """The goals of one frame."""
        cfg = self._robot.cfg
        rotations: dict[str, Array] = {}
        axes: dict[str, Array] = {}
        for role in ("pelvis", "torso", "head", *(f"{side}_foot" for side in SIDES)):
            if role in cfg.links:
                rotations[role] = human.rot_w[BODY_INDEX[cfg.links[role].human]] @ self._robot.rest_rot[role]
        points = {"hips": self._hips(human)}
        for sign, side in zip((1.0, -1.0), SIDES, strict=True):
            points[f"{side}_foot"] = self._foot(human, side, sign)
            points[f"{side}_knee"] = self._robot.proportions.thigh * self._direction(human, side, "hip", "knee")
            if f"{side}_hand" in cfg.links:
                elbow = self._upper_arm * self._direction(human, side, "shoulder", "elbow")
                points[f"{side}_elbow"] = elbow
                points[f"{side}_hand"] = elbow + self._forearm * self._direction(human, side, "elbow", "hand")
                axes[f"{side}_elbow"] = self._elbow_axis(human, side, sign)
                hand = self._hand_rest[side]
                if hand is not None:
                    rotations[f"{side}_hand"] = human.rot_w[BODY_INDEX[cfg.links[f"{side}_hand"].human]] @ hand
        return Goals(points, rotations, axes)

    def _at(self, human: HumanFrame, role: str) -> Array:
        return human.pos_w[BODY_INDEX[self._robot.cfg.links[role].human]]

    def _direction(self, human: HumanFrame, side: str, first: str, second: str) -> Array:
        bone = self._at(human, f"{side}_{second}") - self._at(human, f"{side}_{first}")
        return bone / max(float(np.linalg.norm(bone)), 1e-6)

    def _elbow_axis(self, human: HumanFrame, side: str, sign: float) -> Array:
        """Across upper arm and forearm; of an arm that is nearly straight, the humanoid's own hinge (left: -z)."""
        upper, fore = self._direction(human, side, "shoulder", "elbow"), self._direction(human, side, "elbow", "hand")
        hinge = -sign * human.rot_w[BODY_INDEX[self._robot.cfg.links[f"{side}_shoulder"].human]][:, 2]
        axis = np.cross(upper, fore) + STRAIGHT * hinge
        return axis / max(float(np.linalg.norm(axis)), 1e-6)

    def _hips(self, human: HumanFrame) -> Array:
        middle = 0.5 * (self._at(human, "left_hip") + self._at(human, "right_hip"))
        return self._scaled(middle)

    def _foot(self, human: HumanFrame, side: str, sign: float) -> Array:
        """The scaled ankle, moved outwards to the robot's own stance."""
        left = human.rot_w[0, :2, 1] / max(float(np.linalg.norm(human.rot_w[0, :2, 1])), 1e-6)
        point = self._scaled(self._at(human, f"{side}_foot"))
        point[:2] += sign * self._widen * left
        return point

    def _scaled(self, point: Array) -> Array:
        """Heights count from the ankle of somebody who stands."""
        scaled = self.scale * point
        scaled[2] += self._robot.proportions.ankle_height - self.scale * self._human.ankle_height
        return scaled


def hand_errors(robot: Robot, placed: mujoco.MjData, goals: Goals) -> dict[str, float]:
    """m that each hand is away from what was wanted, seen from its shoulder."""
    found = {}
    for side in (side for side in SIDES if f"{side}_hand" in robot.body):
        reached = robot.points(placed, f"{side}_hand") - robot.points(placed, f"{side}_shoulder")
        found[side] = float(np.linalg.norm(reached - goals.points[f"{side}_hand"]))
    return found


def hand_axes(robot: Robot, side: str) -> Array | None:
    """(3, 3) of the link in the human hand's frame: y outward along the left fingers, x along the thumb."""
    link = robot.cfg.links.get(f"{side}_hand")
    if link is None or link.fingers is None or link.thumb is None:
        return None
    outward = np.array(link.fingers) * (1.0 if side == "left" else -1.0)
    y = outward / np.linalg.norm(outward)
    x = np.array(link.thumb) - (np.array(link.thumb) @ y) * y
    x /= np.linalg.norm(x)
    return np.stack([x, y, np.cross(x, y)])
