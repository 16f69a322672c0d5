"""Where the keypoints that a camera sees sit on our body."""

from __future__ import annotations

from physhmr.body.kinematics import forward_kinematics
from physhmr.body.points import BodyPoint, place_points
from physhmr.body.skeleton import Skeleton
from physhmr.types import KEYPOINTS, Array


def keypoint_points(skeleton: Skeleton) -> tuple[BodyPoint, ...]:
    """Where on our body each of the 21 keypoints sits, in the order of `KEYPOINTS`."""
    unit = skeleton.shape.height
    sole = -0.045
    special = {
        "Nose": ("Head", (0.065, 0.0, 0.035)), "L_Ear": ("Head", (0.0, 0.045, 0.04)),
        "R_Ear": ("Head", (0.0, -0.045, 0.04)), "L_Heel": ("L_Ankle", (-0.035, 0.0, sole)),
        "R_Heel": ("R_Ankle", (-0.035, 0.0, sole)), "L_Toe": ("L_Toe", (0.035, 0.0, -0.014)),
        "R_Toe": ("R_Toe", (0.035, 0.0, -0.014)), "L_Hand": ("L_Hand", (0.0, 0.01, 0.0)),
        "R_Hand": ("R_Hand", (0.0, -0.01, 0.0)),
    }  # fmt: skip
    points = []
    for name in KEYPOINTS:
        body, (x, y, z) = special.get(name, (name, (0.0, 0.0, 0.0)))
        points.append(BodyPoint(body, (unit * x, unit * y, unit * z)))
    return tuple(points)


def keypoints_of(qpos: Array, skeleton: Skeleton) -> Array:
    """(..., 21, 3) m, the keypoints of poses (..., 76) in the world."""
    return place_points(keypoint_points(skeleton), *forward_kinematics(qpos, skeleton))
