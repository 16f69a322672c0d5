"""One humanoid: statics, contact forces, determinism, and what happens when the physics explodes."""

from __future__ import annotations

import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.skeleton import Skeleton
from physhmr.body.soles import on_floor
from physhmr.errors import DivergedError, ShapeError
from physhmr.sim.falls import has_fallen
from physhmr.sim.humanoid_sim import HumanoidSim
from physhmr.types import Array

SKELETON = Skeleton()
STANCE = on_floor(standing_qpos(SKELETON), SKELETON)


def standing_sim(steps: int) -> HumanoidSim:
    sim = HumanoidSim()
    sim.reset(STANCE)
    for _ in range(steps):
        sim.step(STANCE[7:])
    return sim


def test_feet_carry_the_weight_of_a_body_at_rest() -> None:
    state = standing_sim(20).state(0)
    force = np.sum([contact.force_w for contact in state.contacts], axis=0)
    assert force[2] == pytest.approx(9.81 * SKELETON.shape.mass, rel=0.05)
    assert {contact.body[0] for contact in state.contacts} == {"L", "R"}


def test_torque_is_the_pd_law_of_method_md() -> None:
    state = standing_sim(20).state(0)
    kp, kd, limit = SKELETON.gains.T
    law = np.clip(kp * (STANCE[7:] - state.qpos[7:]) - kd * state.qvel[6:], -limit, limit)
    assert np.allclose(state.torque, law, atol=1e-6)


def test_same_targets_same_states_bit_for_bit() -> None:
    assert np.array_equal(standing_sim(15).state(0).qpos, standing_sim(15).state(0).qpos)


def test_divergence_restores_the_last_good_state() -> None:
    sim = standing_sim(3)
    before = sim.state(0).qpos
    sim._sim_state.qvel[:] = 1e9
    with pytest.raises(DivergedError):
        sim.step(STANCE[7:])
    assert np.array_equal(sim.state(0).qpos, before)
    assert np.array_equal(sim.state(0).qvel, np.zeros(75))


def test_wrong_shapes_are_refused() -> None:
    sim = HumanoidSim()
    with pytest.raises(ShapeError, match="target"):
        sim.step(np.zeros(3))
    with pytest.raises(ShapeError, match="qpos"):
        sim.reset(np.zeros(3))


@pytest.mark.parametrize(("height", "pitch", "fallen"), [(0.0, 0.0, False), (-0.5, 0.0, True), (0.0, 1.5, True)])
def test_a_fall_is_told_from_the_reference(height: float, pitch: float, fallen: bool) -> None:
    pose: Array = STANCE.copy()
    pose[2] += height
    pose[3:7] = [np.cos(pitch / 2), 0.0, np.sin(pitch / 2), 0.0]
    assert has_fallen(pose, STANCE) is fallen
    assert not has_fallen(pose, pose)
