"""URDF and MJCF are one body: kinematics, masses, limits; read with a tiny URDF reader of the test's own."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import mujoco
import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import build_model
from physhmr.body.skeleton import BODY_NAMES, HINGE_NAMES, Shape, Skeleton
from physhmr.body.urdf import humanoid_urdf
from physhmr.types import Array

SHAPES = [Shape(), Shape(height=1.52, mass=48.0), Shape(height=2.0, mass=110.0)]


def numbers(text: str | None) -> Array:
    return np.array((text or "").split(), float)


def rpy_matrix(rpy: Array) -> Array:
    (cr, cp, cy), (sr, sp, sy) = np.cos(rpy), np.sin(rpy)
    Rx = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    Ry = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    Rz = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    return Rz @ Ry @ Rx


def axis_angle(axis: Array, angle: float) -> Array:
    K = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + np.sin(angle) * K + (1 - np.cos(angle)) * K @ K


def origin(element: ET.Element) -> tuple[Array, Array]:
    found = element.find("origin")
    assert found is not None
    return numbers(found.get("xyz")), rpy_matrix(numbers(found.get("rpy")))


class Robot:
    """Just enough of a URDF reader."""

    def __init__(self, text: str) -> None:
        self.root = ET.fromstring(text)
        self.links = {link.get("name"): link for link in self.root.findall("link")}
        self.joints = {joint.get("name"): joint for joint in self.root.findall("joint")}

    def end(self, joint: ET.Element, role: str) -> str:
        found = joint.find(role)
        assert found is not None
        return str(found.get("link"))

    def forward(self, angles: dict[str, float]) -> dict[str, tuple[Array, Array]]:
        """Link poses in the root link's frame."""
        children: dict[str, list[ET.Element]] = {}
        for joint in self.joints.values():
            children.setdefault(self.end(joint, "parent"), []).append(joint)
        poses = {"Pelvis": (np.zeros(3), np.eye(3))}
        queue = ["Pelvis"]
        while queue:
            link = queue.pop()
            pos, rot = poses[link]
            for joint in children.get(link, []):
                offset, turn = origin(joint)
                axis = joint.find("axis")
                assert axis is not None
                local = turn @ axis_angle(numbers(axis.get("xyz")), angles[str(joint.get("name"))])
                poses[self.end(joint, "child")] = (pos + rot @ offset, rot @ local)
                queue.append(self.end(joint, "child"))
        return poses


@pytest.fixture(params=SHAPES, ids=lambda shape: f"{shape.height}m")
def shape(request: pytest.FixtureRequest) -> Shape:
    return request.param


def test_forward_kinematics_equal_mujocos(shape: Shape) -> None:
    model, robot = build_model(shape), Robot(humanoid_urdf(shape))
    sim, rng = mujoco.MjData(model), np.random.default_rng(3)
    ranges = Skeleton(shape).ranges
    for _ in range(5):
        sim.qpos[:3], sim.qpos[3:7] = rng.normal(size=3), rng.normal(size=4)
        sim.qpos[3:7] /= np.linalg.norm(sim.qpos[3:7])
        sim.qpos[7:] = rng.uniform(ranges[:, 0], ranges[:, 1])
        mujoco.mj_kinematics(model, sim)
        poses = robot.forward(dict(zip(HINGE_NAMES, sim.qpos[7:].tolist(), strict=True)))
        root_pos, root_rot = sim.body("Pelvis").xpos, sim.body("Pelvis").xmat.reshape(3, 3)
        for name in BODY_NAMES:
            pos, rot = poses[name]
            np.testing.assert_allclose(root_pos + root_rot @ pos, sim.body(name).xpos, atol=1e-9)
            np.testing.assert_allclose(root_rot @ rot, sim.body(name).xmat.reshape(3, 3), atol=1e-9)


def test_masses_and_inertias_are_the_compiled_ones(shape: Shape) -> None:
    model, robot = build_model(shape), Robot(humanoid_urdf(shape))
    total = 0.0
    for name in BODY_NAMES:
        body, inertial = model.body(name), robot.links[name].find("inertial")
        assert inertial is not None
        mass, inertia = inertial.find("mass"), inertial.find("inertia")
        assert mass is not None and inertia is not None
        np.testing.assert_allclose(origin(inertial)[0], body.ipos, atol=1e-12)
        assert float(mass.get("value", "nan")) == pytest.approx(float(body.mass[0]), rel=1e-11)
        total += float(mass.get("value", "nan"))
        xx, xy, xz, yy, yz, zz = (float(inertia.get(k, "nan")) for k in ("ixx", "ixy", "ixz", "iyy", "iyz", "izz"))
        tensor = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        principal = np.sort(np.linalg.eigvalsh(tensor))
        np.testing.assert_allclose(principal, np.sort(body.inertia), rtol=1e-8)
        assert principal[0] > 0 and principal[0] + principal[1] >= principal[2] * (1 - 1e-9)
        R = np.empty(9)
        mujoco.mju_quat2Mat(R, body.iquat)
        np.testing.assert_allclose(tensor, R.reshape(3, 3) @ np.diag(body.inertia) @ R.reshape(3, 3).T, atol=1e-10)
    assert total == pytest.approx(shape.mass, rel=1e-9)


def test_joints_are_the_models_with_ranges_and_torques(shape: Shape) -> None:
    model, robot = build_model(shape), Robot(humanoid_urdf(shape))
    assert tuple(robot.joints) == HINGE_NAMES == tuple(model.joint(j).name for j in range(1, model.njnt))
    for name, joint in robot.joints.items():
        limit, axis = joint.find("limit"), joint.find("axis")
        assert joint.get("type") == "revolute" and limit is not None and axis is not None
        np.testing.assert_allclose(
            [float(limit.get("lower", "nan")), float(limit.get("upper", "nan"))], model.joint(name).range, atol=1e-11
        )
        assert float(limit.get("effort", "nan")) == model.actuator(name).forcerange[1]
        assert float(limit.get("velocity", "nan")) > 0
        np.testing.assert_array_equal(numbers(axis.get("xyz")), model.joint(name).axis)


def test_tree_is_one_that_robot_state_publisher_accepts() -> None:
    robot = Robot(humanoid_urdf())
    children = [robot.end(joint, "child") for joint in robot.joints.values()]
    assert len(robot.root.findall("link")) == len(robot.links) == 24 + 2 * 23
    assert len(set(children)) == len(children)
    assert set(robot.links) - set(children) == {"Pelvis"}
    for name, link in robot.links.items():
        assert (link.find("inertial") is not None) == (name in BODY_NAMES)
        assert len(link.findall("visual")) == len(link.findall("collision")) > 0 or name not in BODY_NAMES


def surface_points(rng: np.random.Generator, element: ET.Element) -> Array:
    """Points on a primitive, in the link's frame."""
    center, R = origin(element)
    geometry = element.find("geometry")
    assert geometry is not None
    (solid,) = geometry
    directions = rng.normal(size=(200, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    if solid.tag == "box":
        half = numbers(solid.get("size")) / 2
        local = half * np.sign(directions)
    elif solid.tag == "sphere":
        local = float(solid.get("radius", "nan")) * directions
    else:
        radius, length = float(solid.get("radius", "nan")), float(solid.get("length", "nan"))
        ring = directions[:, :2] / np.linalg.norm(directions[:, :2], axis=1)[:, None]
        local = np.c_[radius * ring, rng.uniform(-length / 2, length / 2, 200)]
    return center + local @ R.T


def test_primitives_trace_the_surface_of_mujocos_geoms() -> None:
    model, robot, rng = build_model(), Robot(humanoid_urdf()), np.random.default_rng(0)
    for name in BODY_NAMES:
        geom = model.geom(name)
        R = np.empty(9)
        mujoco.mju_quat2Mat(R, geom.quat)
        for element in robot.links[name].findall("collision"):
            local = (surface_points(rng, element) - geom.pos) @ R.reshape(3, 3)
            if geom.type[0] == mujoco.mjtGeom.mjGEOM_BOX:
                np.testing.assert_allclose(np.abs(local), np.tile(geom.size, (200, 1)), atol=1e-9)
            else:
                along = np.clip(local[:, 2], -geom.size[1], geom.size[1])
                distance = np.linalg.norm(local - along[:, None] * np.eye(3)[2], axis=1)
                # A sphere's inner half lies inside the capsule, nothing lies outside.
                assert distance.max() == pytest.approx(geom.size[0], rel=1e-6)
