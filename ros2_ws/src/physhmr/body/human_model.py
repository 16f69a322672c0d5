"""The humanoid as REP-155 names a human body: links and joints end in the body's identifier, the root is `body_<id>`.

The REP's own model has 15 links and a waist of one hinge. Ours has more of both: where a body is one of the REP's
links it bears that name, the others keep theirs in lower case; hinges keep their names. The axes are the REP's in a
standing body, but for the arms: ours are parallel to the trunk's when the arms are held out, not when they hang.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np

from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import BODY_INDEX, BODY_NAMES, HINGE_NAMES, Skeleton
from physhmr.body.urdf import humanoid_urdf
from physhmr.types import Array

_REP_NAMES = {"Torso": "waist", "Chest": "torso"}
"""Where lower case is not enough."""


def root_link(body_id: str) -> str:
    """Return the name of the frame between the hips."""
    return f"body_{body_id}"


def link_names(body_id: str) -> tuple[str, ...]:
    """Return the names of the 24 bodies, in MuJoCo order."""
    return tuple(_link(name, body_id) for name in BODY_NAMES)


def joint_names(body_id: str) -> tuple[str, ...]:
    """Return the names of the 69 hinges, in MuJoCo order."""
    return tuple(f"{name}_{body_id}" for name in HINGE_NAMES)


def human_urdf(body_id: str, skeleton: Skeleton) -> str:
    """Return the URDF of the humanoid under these names; its root link is `body_<id>`."""
    robot = ET.fromstring(humanoid_urdf(skeleton.shape).split("\n", 1)[1])
    for link in robot.iter("link"):
        link.set("name", _link(str(link.get("name")), body_id))
    for joint in robot.iter("joint"):
        joint.set("name", f"{joint.get('name')}_{body_id}")
        for end in (*joint.iter("parent"), *joint.iter("child")):
            end.set("link", _link(str(end.get("link")), body_id))
    robot.set("name", root_link(body_id))
    ET.SubElement(robot, "link", name=root_link(body_id))
    joint = ET.SubElement(robot, "joint", name=f"pelvis_fixed_{body_id}", type="fixed")
    ET.SubElement(joint, "parent", link=root_link(body_id))
    ET.SubElement(joint, "child", link=_link(BODY_NAMES[0], body_id))
    x, y, z = -_hip_center(skeleton)
    ET.SubElement(joint, "origin", xyz=f"{x:.12g} {y:.12g} {z:.12g}", rpy="0 0 0")
    ET.indent(robot)
    return '<?xml version="1.0"?>\n' + ET.tostring(robot, encoding="unicode")


def link_poses(qpos: Array, skeleton: Skeleton) -> tuple[Array, Array]:
    """Return T_world_root (4, 4), and T_root_body (24, 4, 4) of the bodies in MuJoCo order, for a pose (76,)."""
    position_w, rotation_w = forward_kinematics(qpos, skeleton)
    T_wb = np.tile(np.eye(4), (len(BODY_NAMES), 1, 1))
    T_wb[:, :3, :3], T_wb[:, :3, 3] = rotation_w, position_w
    T_pelvis_root = np.eye(4)
    T_pelvis_root[:3, 3] = _hip_center(skeleton)
    T_w_root = T_wb[0] @ T_pelvis_root
    return T_w_root, np.linalg.inv(T_w_root) @ T_wb


def _hip_center(skeleton: Skeleton) -> Array:
    """(3,) m in the pelvis' axes: the middle of the line between the hips."""
    return np.asarray(skeleton.offsets[[BODY_INDEX["L_Hip"], BODY_INDEX["R_Hip"]]].mean(0))


def _link(name: str, body_id: str) -> str:
    return f"{_REP_NAMES.get(name, name.lower())}_{body_id}"
