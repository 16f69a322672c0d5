"""MJCF of the humanoid: 24 bodies, a free root, 69 position-controlled hinges, box feet, a floor.

`<Body>_x|y|z` hinges act in series, so a body's rotation in its parent is R = Rx Ry Rz. Contacts: every
body against the floor, the left leg against the right leg; nothing else, for speed.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass

import mujoco
import numpy as np

from physhmr.body.skeleton import BODY_NAMES, PARENTS, Shape, Skeleton, segment
from physhmr.types import Array

CONTROL_HZ = 30
SUBSTEPS = 5
TIMESTEP = 1.0 / (CONTROL_HZ * SUBSTEPS)
ARMATURE = 0.06
"""kg m^2 on every hinge: with it, white PD targets of 0.3 rad stay stable at this time step; with 0.02 they do not."""
FOOT_BODIES = ("L_Ankle", "L_Toe", "R_Ankle", "R_Toe")


@dataclass(frozen=True)
class Geom:
    """A collision and visual shape; lengths are fractions of the body height, in the body's frame."""

    kind: str
    start: tuple[float, float, float]
    """Capsule: first end. Box: centre."""
    end: tuple[float, float, float]
    """Capsule: second end. Box: half sizes."""
    radius: float = 0.0


def body_geom(name: str, skeleton: Skeleton) -> Geom:
    """The shape of body `name`: limbs are capsules along their bone, feet are boxes that stand on the floor."""
    sign = -1.0 if name.startswith("R_") else 1.0
    part = segment(name)
    limb_radius = {"Hip": 0.042, "Knee": 0.031, "Thorax": 0.032, "Shoulder": 0.027, "Elbow": 0.022, "Neck": 0.030}
    if part in limb_radius:
        child = next(i for i, p in enumerate(PARENTS) if p == BODY_NAMES.index(name))
        x, y, z = (skeleton.offsets[child] / skeleton.shape.height).tolist()
        return Geom("capsule", (0.0, 0.0, 0.0), (x, y, z), limb_radius[part])
    return {
        "Pelvis": Geom("capsule", (0.0, -0.040, -0.015), (0.0, 0.040, -0.015), 0.055),
        "Torso": Geom("capsule", (0.0, -0.030, 0.020), (0.0, 0.030, 0.020), 0.055),
        "Spine": Geom("capsule", (0.0, -0.030, 0.020), (0.0, 0.030, 0.020), 0.058),
        "Chest": Geom("capsule", (0.0, -0.040, 0.035), (0.0, 0.040, 0.035), 0.062),
        "Head": Geom("capsule", (0.008, 0.0, 0.040), (0.008, 0.0, 0.055), 0.050),
        "Wrist": Geom("capsule", (0.0, 0.0, 0.0), (0.0, sign * 0.045, 0.0), 0.018),
        "Hand": Geom("capsule", (0.0, 0.0, 0.0), (0.0, sign * 0.040, 0.0), 0.016),
        "Ankle": Geom("box", (0.020, sign * 0.003, -0.025), (0.060, 0.026, 0.020)),
        "Toe": Geom("box", (0.020, 0.0, -0.003), (0.020, 0.026, 0.011)),
    }[part]


def humanoid_xml(shape: Shape | None = None) -> str:
    """The MJCF text of a humanoid of `shape` (default: 1.70 m, 70 kg), standing on a floor at z = 0."""
    skeleton = Skeleton(shape or Shape())
    root = ET.Element("mujoco", model="physhmr_humanoid")
    ET.SubElement(root, "compiler", angle="radian", autolimits="true")
    ET.SubElement(root, "option", timestep=repr(TIMESTEP), integrator="implicitfast", cone="pyramidal", iterations="20")
    _add_defaults(root)
    world = ET.SubElement(root, "worldbody")
    ET.SubElement(world, "light", pos="0 0 4", dir="0 0 -1", diffuse="0.7 0.7 0.7")
    ET.SubElement(
        world, "geom", name="floor", type="plane", size="0 0 1", contype="1", conaffinity="1", rgba="0.8 0.8 0.8 1"
    )
    elements = {-1: world}
    for index, name in enumerate(BODY_NAMES):
        elements[index] = _add_body(elements[PARENTS[index]], index, name, skeleton)
    _add_actuators(root, skeleton)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")


def build_model(shape: Shape | None = None) -> mujoco.MjModel:
    """Compile the humanoid of `shape`."""
    model = mujoco.MjModel.from_xml_string(humanoid_xml(shape))
    # One body is one island: looking for others costs an eighth of a step and changes nothing.
    model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_ISLAND
    # MuJoCo's 1e-8 costs a tenth of a step more, and moves a pose by a hundredth of a millimetre in a control step.
    model.opt.tolerance = 1e-5
    return model


def mass_centers(skeleton: Skeleton) -> Array:
    """(24, 3) m, the centre of mass of every body in its own frame: the middle of its one geom."""
    geoms = [body_geom(name, skeleton) for name in BODY_NAMES]
    middles = [np.add(geom.start, geom.end) / 2.0 if geom.kind == "capsule" else geom.start for geom in geoms]
    return skeleton.shape.height * np.array(middles)


def center_of_mass(pos: Array, rot: Array, skeleton: Skeleton) -> Array:
    """(..., 3) m of bodies at (..., 24, 3) m, turned by (..., 24, 3, 3)."""
    of_bodies = pos + np.einsum("...bij,bj->...bi", rot, mass_centers(skeleton))
    return np.asarray(np.einsum("b,...bi->...i", skeleton.masses / skeleton.shape.mass, of_bodies))


def standing_qpos(skeleton: Skeleton) -> Array:
    """(76,) an upright stance at the origin, facing x, arms hanging."""
    qpos = np.zeros(76)
    qpos[2] = skeleton.standing_root_height
    qpos[3] = 1.0
    for body, angle in (("L_Shoulder", -1.35), ("R_Shoulder", 1.35)):
        qpos[7 + 3 * (BODY_NAMES.index(body) - 1)] = angle
    return qpos


def _add_defaults(root: ET.Element) -> None:
    default = ET.SubElement(root, "default")
    ET.SubElement(default, "joint", type="hinge", armature=repr(ARMATURE))
    # Humanoid geoms meet the floor (conaffinity 1); the legs' classes make left meet right as well.
    ET.SubElement(
        default, "geom", contype="0", conaffinity="1", condim="3", friction="1.0 0.005 0.0001", rgba="0.55 0.63 0.75 1"
    )
    for side, contype, conaffinity in (("left_leg", "2", "1"), ("right_leg", "0", "3")):
        leg = ET.SubElement(default, "default", {"class": side})
        ET.SubElement(leg, "geom", contype=contype, conaffinity=conaffinity)


def _add_body(parent: ET.Element, index: int, name: str, skeleton: Skeleton) -> ET.Element:
    offset = (0.0, 0.0, skeleton.standing_root_height) if index == 0 else skeleton.offsets[index]
    body = ET.SubElement(parent, "body", name=name, pos=_text(offset))
    if index == 0:
        ET.SubElement(body, "freejoint", name="root")
    for axis in range(3 if index else 0):
        low, high = skeleton.ranges[3 * (index - 1) + axis]
        ET.SubElement(
            body, "joint", name=f"{name}_{'xyz'[axis]}", axis=_text(np.eye(3)[axis]), range=_text((low, high))
        )
    body.append(_geom_element(name, skeleton, float(skeleton.masses[index])))
    return body


def _geom_element(name: str, skeleton: Skeleton, mass: float) -> ET.Element:
    geom, height = body_geom(name, skeleton), skeleton.shape.height
    start, end = height * np.array(geom.start), height * np.array(geom.end)
    attributes = {"name": name, "type": geom.kind, "mass": repr(mass)}
    if geom.kind == "capsule":
        attributes |= {"fromto": _text((*start, *end)), "size": repr(height * geom.radius)}
    else:
        attributes |= {"pos": _text(start), "size": _text(end)}
    if name[2:] in ("Hip", "Knee", "Ankle", "Toe"):
        attributes["class"] = "left_leg" if name[0] == "L" else "right_leg"
    return ET.Element("geom", attributes)


def _add_actuators(root: ET.Element, skeleton: Skeleton) -> None:
    actuator = ET.SubElement(root, "actuator")
    hinges = [f"{name}_{axis}" for name in BODY_NAMES[1:] for axis in "xyz"]
    for hinge, (kp, kd, limit) in zip(hinges, skeleton.gains, strict=True):
        ET.SubElement(
            actuator, "position", name=hinge, joint=hinge, kp=repr(float(kp)), kv=repr(float(kd)),
            forcerange=_text((-limit, limit)),
        )  # fmt: skip


def _text(values: object) -> str:
    return " ".join(f"{float(v):.9g}" for v in np.asarray(values).ravel())
