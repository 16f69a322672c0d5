"""URDF of the humanoid, the same body as the MJCF: for `robot_description`, RViz and robot_state_publisher.

A URDF joint turns about one axis, so a hinge triple becomes two massless links in between:
parent -> `<Body>_x` -> `<Body>_xy` -> `<Body>`. Masses and inertias are those that MuJoCo compiled.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import mujoco
import numpy as np

from physhmr.body.humanoid_mjcf import build_model
from physhmr.body.skeleton import BODY_NAMES, PARENTS, Shape, Skeleton
from physhmr.geometry.rotation import quat_to_matrix
from physhmr.types import Array

ROOT_LINK = BODY_NAMES[0]
MAX_RATE = 30.0
"""rad/s, what a URDF must say about a hinge's speed; the simulation does not limit it."""
_ZERO = "0 0 0"


def humanoid_urdf(shape: Shape | None = None) -> str:
    """The URDF text of a humanoid of `shape` (default: 1.70 m, 70 kg); its root link is the pelvis.

    The 69 revolute joints have the MJCF's names, axes and ranges, and the actuators' torque limits as effort.
    """
    model, skeleton = build_model(shape), Skeleton(shape or Shape())
    robot = ET.Element("robot", name="physhmr_humanoid")
    ET.SubElement(ET.SubElement(robot, "material", name="body"), "color", rgba="0.55 0.63 0.75 1")
    for body, name in enumerate(BODY_NAMES):
        if body:
            _add_hinges(robot, body, skeleton)
        _add_link(robot, name, model)
    ET.indent(robot)
    return '<?xml version="1.0"?>\n' + ET.tostring(robot, encoding="unicode")


def _add_hinges(robot: ET.Element, body: int, skeleton: Skeleton) -> None:
    """Three revolute joints in series; the first one sits at the body's origin in its parent."""
    name = BODY_NAMES[body]
    links = [BODY_NAMES[PARENTS[body]], f"{name}_x_link", f"{name}_xy_link", name]
    for axis in range(3):
        if axis < 2:
            ET.SubElement(robot, "link", name=links[axis + 1])
        row = 3 * (body - 1) + axis
        low, high = skeleton.ranges[row]
        joint = ET.SubElement(robot, "joint", name=f"{name}_{'xyz'[axis]}", type="revolute")
        ET.SubElement(joint, "parent", link=links[axis])
        ET.SubElement(joint, "child", link=links[axis + 1])
        ET.SubElement(joint, "origin", xyz=_text(skeleton.offsets[body]) if axis == 0 else _ZERO, rpy=_ZERO)
        ET.SubElement(joint, "axis", xyz=_text(np.eye(3)[axis]))
        effort = _text(skeleton.gains[row, 2])
        ET.SubElement(joint, "limit", lower=_text(low), upper=_text(high), effort=effort, velocity=_text(MAX_RATE))


def _add_link(robot: ET.Element, name: str, model: mujoco.MjModel) -> None:
    body = model.body(name)
    link = ET.SubElement(robot, "link", name=name)
    inertial = ET.SubElement(link, "inertial")
    ET.SubElement(inertial, "origin", xyz=_text(body.ipos), rpy=_ZERO)
    ET.SubElement(inertial, "mass", value=_text(body.mass))
    # The tensor is written in the link's axes, so the frame above needs no rotation.
    R = quat_to_matrix(body.iquat)
    tensor = R @ np.diag(body.inertia) @ R.T
    entries = {"ixx": (0, 0), "ixy": (0, 1), "ixz": (0, 2), "iyy": (1, 1), "iyz": (1, 2), "izz": (2, 2)}
    ET.SubElement(inertial, "inertia", {key: _text(tensor[index]) for key, index in entries.items()})
    for geom in range(body.geomadr[0], body.geomadr[0] + body.geomnum[0]):
        _add_geom(link, model.geom(geom))


def _add_geom(link: ET.Element, geom: Any) -> None:
    """A box as it is; a capsule, which URDF has not, as a cylinder with a sphere at either end."""
    R = quat_to_matrix(geom.quat)
    if geom.type[0] == mujoco.mjtGeom.mjGEOM_BOX:
        _add_shape(link, geom.pos, R, "box", size=_text(2 * geom.size))
        return
    radius, half_length = geom.size[:2]
    _add_shape(link, geom.pos, R, "cylinder", radius=_text(radius), length=_text(2 * half_length))
    for side in (-1.0, 1.0):
        _add_shape(link, geom.pos + side * half_length * R[:, 2], R, "sphere", radius=_text(radius))


def _add_shape(link: ET.Element, center: Array, R: Array, kind: str, **dimensions: str) -> None:
    """The same primitive to look at and to collide with."""
    for role in ("visual", "collision"):
        element = ET.SubElement(link, role)
        ET.SubElement(element, "origin", xyz=_text(center), rpy=_text(_roll_pitch_yaw(R)))
        ET.SubElement(ET.SubElement(element, "geometry"), kind, dimensions)
        if role == "visual":
            ET.SubElement(element, "material", name="body")


def _roll_pitch_yaw(R: Array) -> Array:
    """(3,) rad with R = Rz(yaw) Ry(pitch) Rx(roll), URDF's fixed axes."""
    pitch = np.arctan2(-R[2, 0], np.hypot(R[0, 0], R[1, 0]))
    if np.hypot(R[0, 0], R[1, 0]) < 1e-9:
        # Looking straight up or down roll and yaw are one angle; all of it goes into yaw.
        return np.array([0.0, pitch, np.arctan2(-R[0, 1], R[1, 1])])
    return np.array([np.arctan2(R[2, 1], R[2, 2]), pitch, np.arctan2(R[1, 0], R[0, 0])])


def _text(values: object) -> str:
    return " ".join(f"{float(v):.12g}" for v in np.asarray(values, float).ravel())
