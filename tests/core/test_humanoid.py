"""The compiled humanoid: what the constants claim is what MuJoCo simulates."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import (
    ARMATURE,
    CONTROL_HZ,
    FOOT_BODIES,
    SUBSTEPS,
    build_model,
    humanoid_xml,
    mass_centers,
    standing_qpos,
)
from physhmr.body.skeleton import BODY_NAMES, HINGE_NAMES, Shape, Skeleton, mirror_name
from physhmr.types import NQ, NV

SHAPES = [Shape(), Shape(1.4, 40.0), Shape(2.1, 140.0)]


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    return build_model()


def at(model: mujoco.MjModel, qpos: np.ndarray) -> mujoco.MjData:
    sim = mujoco.MjData(model)
    sim.qpos[:] = qpos
    mujoco.mj_forward(model, sim)
    return sim


def sole_height(model: mujoco.MjModel, sim: mujoco.MjData) -> float:
    """Height of the lowest corner of the foot boxes."""
    lowest = np.inf
    for name in FOOT_BODIES:
        geom = model.geom(name)
        R = sim.geom_xmat[geom.id].reshape(3, 3)
        lowest = min(lowest, sim.geom_xpos[geom.id][2] - np.abs(R[2]) @ geom.size)
    return float(lowest)


def test_sizes_and_names(model: mujoco.MjModel) -> None:
    assert (model.nq, model.nv, model.nu, model.nbody) == (NQ, NV, 69, 25)
    assert tuple(model.body(i).name for i in range(1, 25)) == BODY_NAMES
    assert tuple(model.joint(i).name for i in range(1, 70)) == HINGE_NAMES
    assert tuple(model.actuator(i).name for i in range(69)) == HINGE_NAMES


def test_compiled_gains_are_the_stated_ones(model: mujoco.MjModel) -> None:
    kp, kd, limit = Skeleton().gains.T
    np.testing.assert_array_equal(model.actuator_gainprm[:, 0], kp)
    np.testing.assert_array_equal(model.actuator_biasprm[:, 1], -kp)
    np.testing.assert_array_equal(model.actuator_biasprm[:, 2], -kd)
    np.testing.assert_array_equal(model.actuator_forcerange, np.stack([-limit, limit], 1))
    assert model.actuator_forcelimited.all()
    np.testing.assert_array_equal(model.actuator_trnid[:, 0], np.arange(1, 70))


def test_compiled_ranges_and_armature(model: mujoco.MjModel) -> None:
    np.testing.assert_allclose(model.jnt_range[1:], Skeleton().ranges, atol=1e-8)
    assert model.jnt_limited[1:].all()
    np.testing.assert_array_equal(model.dof_armature[6:], ARMATURE)
    np.testing.assert_array_equal(model.dof_armature[:6], 0.0)


def test_control_rate(model: mujoco.MjModel) -> None:
    assert model.opt.timestep * SUBSTEPS * CONTROL_HZ == pytest.approx(1.0, rel=1e-12)


def test_no_force_but_torques_gravity_and_contacts(model: mujoco.MjModel) -> None:
    assert model.neq == 0 and model.ntendon == 0
    np.testing.assert_array_equal(model.opt.gravity, [0, 0, -9.81])
    assert (model.actuator_trnid[:, 0] != 0).all(), "an actuator drives the root"


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_soles_touch_the_floor_in_the_t_pose(shape: Shape) -> None:
    model = build_model(shape)
    qpos = standing_qpos(Skeleton(shape))
    assert sole_height(model, at(model, qpos)) == pytest.approx(0.0, abs=2e-3 * shape.height)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_total_mass_and_inertia(shape: Shape) -> None:
    model = build_model(shape)
    assert model.body_mass.sum() == pytest.approx(shape.mass, rel=1e-6)
    np.testing.assert_allclose(mass_centers(Skeleton(shape)), model.body_ipos[1:], atol=1e-12)
    assert (model.body_inertia[1:] > 0).all()


def test_geometry_is_symmetric(model: mujoco.MjModel) -> None:
    for name in BODY_NAMES:
        geom, other = model.geom(name), model.geom(mirror_name(name))
        np.testing.assert_allclose(other.size, geom.size, atol=1e-9)
        np.testing.assert_allclose(other.pos, geom.pos * (1, -1, 1), atol=1e-9)
        np.testing.assert_allclose(model.body(other.bodyid[0]).inertia, model.body(geom.bodyid[0]).inertia, rtol=1e-6)


def test_reaches_its_height(model: mujoco.MjModel) -> None:
    sim, head = at(model, standing_qpos(Skeleton())), model.geom("Head")
    top = sim.geom_xpos[head.id][2] + head.size[1] * abs(sim.geom_xmat[head.id][8]) + head.size[0]
    assert top == pytest.approx(1.70, abs=0.03)


def test_stands_for_three_seconds_on_its_gains_alone(model: mujoco.MjModel) -> None:
    qpos = standing_qpos(Skeleton())
    sim = at(model, qpos)
    sim.ctrl[:] = qpos[7:]
    mujoco.mj_step(model, sim, 3 * CONTROL_HZ * SUBSTEPS)
    assert sim.body("Head").xpos[2] > 1.35
    assert sole_height(model, sim) > -0.01


def test_contact_pairs(model: mujoco.MjModel) -> None:
    def collide(a: str, b: str) -> bool:
        first, second = model.geom(a), model.geom(b)
        return bool(first.contype[0] & second.conaffinity[0] or second.contype[0] & first.conaffinity[0])

    assert all(collide("floor", name) for name in BODY_NAMES)
    assert collide("L_Knee", "R_Knee") and collide("L_Toe", "R_Ankle")
    assert not collide("L_Knee", "L_Hip") and not collide("L_Hand", "Torso") and not collide("R_Hand", "R_Knee")


def test_the_text_is_the_same_every_time() -> None:
    assert humanoid_xml() == humanoid_xml(Shape()) != humanoid_xml(Shape(height=1.71))
