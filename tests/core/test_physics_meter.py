"""Balance, wrenches on the feet, sliding, penetration: known poses, statics, invariances, the evaluation's formulas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.skeleton import BODY_INDEX, Skeleton
from physhmr.body.soles import corner_positions, on_floor
from physhmr.errors import NonFiniteError, ShapeError
from physhmr.eval import physics_metrics
from physhmr.geometry.rotation import quat_multiply, quat_to_matrix
from physhmr.sim.foot_wrench import FEET, foot_wrenches
from physhmr.sim.humanoid_sim import HumanoidSim
from physhmr.sim.physics_meter import TOUCH, sliding
from physhmr.sim.support import support_polygon
from physhmr.types import Array, Contact, HumanoidState

SKELETON = Skeleton()
STANCE = on_floor(standing_qpos(SKELETON), SKELETON)
SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
NEAR = 2e-6
"""m; the hull is computed in single precision."""

metres = st.floats(-1.0, 1.0).map(lambda value: round(value, 3))
places = arrays(float, 2, elements=metres)
footprints = st.integers(1, 9).flatmap(lambda count: arrays(float, (count, 2), elements=metres))
vectors = arrays(float, 3, elements=st.floats(-500.0, 500.0))


def turned(points: Array, yaw: float, shift: Array) -> Array:
    c, s = np.cos(yaw), np.sin(yaw)
    return points @ np.array([[c, s], [-s, c]]) + shift


def margin_by_directions(points: Array, com: Array) -> float:
    """The least that any direction leaves between `com` and the outermost point.

    The least is found across an edge of the hull or right away from a corner, so those directions are enough.
    """
    along = (points[:, None] - points[None]).reshape(-1, 2)
    candidates = np.vstack([along @ [[0.0, 1.0], [-1.0, 0.0]], com - points])
    length = np.linalg.norm(candidates, axis=1, keepdims=True)
    direction = (candidates / np.maximum(length, 1e-12))[length[:, 0] > 0]
    return float(((points - com) @ direction.T).max(0).min(initial=0.0 if len(direction) == 0 else np.inf))


@pytest.mark.parametrize(
    ("com", "margin"),
    [((0.5, 0.5), 0.5), ((0.9, 0.5), 0.1), ((1.0, 0.3), 0.0), ((1.5, 0.5), -0.5), ((4.0, 5.0), -5.0)],
)
def test_the_margin_of_a_square(com: tuple[float, float], margin: float) -> None:
    hull, found = support_polygon(np.vstack([SQUARE, [[0.5, 0.4]]]), np.array(com))
    assert found == pytest.approx(margin, abs=NEAR)
    assert {tuple(corner) for corner in hull.round(5)} == {tuple(corner) for corner in SQUARE}


@given(footprints, places)
def test_the_margin_is_the_least_that_any_direction_leaves(points: Array, com: Array) -> None:
    _, margin = support_polygon(points, com)
    assert margin == pytest.approx(margin_by_directions(points, com), abs=NEAR)


@given(footprints, places, st.floats(-4.0, 4.0), arrays(float, 2, elements=st.floats(-100.0, 100.0)))
def test_the_margin_is_the_same_wherever_the_body_stands_and_faces(
    points: Array, com: Array, yaw: float, shift: Array
) -> None:
    _, margin = support_polygon(points, com)
    hull, there = support_polygon(turned(points, yaw, shift), turned(com, yaw, shift))
    assert there == pytest.approx(margin, abs=NEAR)
    assert len(hull) >= 1


@given(footprints, places, places)
def test_another_point_on_the_floor_never_makes_it_less_stable(points: Array, com: Array, more: Array) -> None:
    _, margin = support_polygon(points, com)
    _, wider = support_polygon(np.vstack([points, more]), com)
    assert margin is not None and wider is not None and wider >= margin - NEAR


def test_zeros_of_either_sign_are_one_point() -> None:
    assert support_polygon(np.array([[0.0, -0.0], [0.0, 0.0]]), np.zeros(2))[1] == 0.0


def test_in_the_air_there_is_no_margin() -> None:
    hull, margin = support_polygon(np.zeros((0, 2)), np.zeros(2))
    assert hull.shape == (0, 2) and margin is None


def standing_sim(steps: int = 20, shift: float = 0.0) -> HumanoidSim:
    sim, qpos = HumanoidSim(), STANCE.copy()
    qpos[0] += shift
    sim.reset(qpos)
    for _ in range(steps):
        sim.step(STANCE[7:])
    return sim


def state_with(contacts: tuple[Contact, ...]) -> HumanoidState:
    return replace(standing_sim(1).state(0), contacts=contacts)


STANDING = state_with(())


def felt(state: HumanoidState) -> Array:
    return foot_wrenches(state, quat_to_matrix(state.body_quat_w[[BODY_INDEX[name] for name in FEET]]))


@given(vectors, vectors)
def test_a_push_on_the_toes_turns_the_ankle_by_its_lever(force: Array, torque: Array) -> None:
    state = replace(STANDING, contacts=(Contact("R_Toe", force, torque),))
    lever = state.body_pos_w[BODY_INDEX["R_Toe"]] - state.body_pos_w[BODY_INDEX["R_Ankle"]]
    rot = quat_to_matrix(state.body_quat_w[BODY_INDEX["R_Ankle"]])
    left, right = felt(state)
    np.testing.assert_allclose(rot @ right[:3], force, atol=1e-9)
    np.testing.assert_allclose(rot @ right[3:], torque + np.cross(lever, force), atol=1e-9)
    assert not left.any()


@given(vectors, vectors, arrays(float, 4, elements=st.floats(0.1, 1.0)), vectors)
def test_a_sensor_in_the_foot_does_not_feel_where_the_world_is(
    force: Array, torque: Array, quat: Array, shift: Array
) -> None:
    quat = quat / np.linalg.norm(quat)
    rot = quat_to_matrix(quat)
    contacts = (Contact("L_Ankle", force, torque), Contact("L_Toe", torque, force))
    there = replace(
        STANDING,
        body_pos_w=STANDING.body_pos_w @ rot.T + shift,
        body_quat_w=quat_multiply(np.tile(quat, (24, 1)), STANDING.body_quat_w),
        contacts=tuple(Contact(one.body, rot @ one.force_w, rot @ one.torque_w) for one in contacts),
    )
    np.testing.assert_allclose(felt(there), felt(replace(STANDING, contacts=contacts)), atol=1e-8)


def test_at_rest_the_wrenches_carry_the_weight_through_the_centre_of_mass() -> None:
    sim = standing_sim(60)
    physics, state = sim.physics(), sim.state(0)
    feet = [BODY_INDEX[name] for name in FEET]
    rot = quat_to_matrix(state.body_quat_w[feet])
    np.testing.assert_allclose(physics.foot_wrench_b, felt(state), atol=1e-9)
    force = (rot @ physics.foot_wrench_b[:, :3, None])[..., 0]
    torque = (rot @ physics.foot_wrench_b[:, 3:, None])[..., 0]
    weight = 9.81 * SKELETON.shape.mass
    np.testing.assert_allclose(force.sum(0), [0.0, 0.0, weight], atol=0.03 * weight)
    about_com = torque + np.cross(state.body_pos_w[feet] - physics.com_w, force)
    # A millimetre between the centres of mass and pressure; the ankle's own lever would be some centimetres.
    np.testing.assert_allclose(about_com.sum(0)[:2], 0.0, atol=4e-3 * weight)


def test_who_stands_is_balanced_and_who_leans_far_is_not() -> None:
    sim = standing_sim()
    upright = sim.physics()
    assert upright.support_margin is not None and 0.02 < upright.support_margin < 0.15
    np.testing.assert_allclose(upright.com_w[:2], 0.0, atol=0.02)
    assert 0.0 < upright.penetration_mm < 1.0
    leaning = STANCE.copy()
    leaning[3:7] = np.cos(0.35), 0.0, np.sin(0.35), 0.0
    sim.reset(on_floor(leaning, SKELETON) - 1e-4 * np.eye(76)[2])
    tipped = sim.physics()
    assert tipped.support_margin is not None and tipped.support_margin < -0.1


def test_in_the_air_nothing_is_felt() -> None:
    sim = HumanoidSim()
    sim.reset(STANCE + 0.5 * np.eye(76)[2])
    sim.physics()
    sim.step(STANCE[7:])
    physics = sim.physics()
    assert physics.support_margin is None and not len(physics.support_w)
    assert not physics.foot_wrench_b.any()
    assert (physics.standing_corners, physics.penetration_mm) == (0, 0.0)


def test_the_simulations_corners_are_those_of_the_kinematics() -> None:
    sim = standing_sim()
    np.testing.assert_allclose(sim._meter.corners(sim._sim_state), corner_positions(sim.qpos, SKELETON), atol=1e-9)


def test_skate_and_penetration_are_those_of_the_evaluation() -> None:
    """Pushed sideways, the humanoid slides and lifts its feet; steps without a standing corner tell nothing."""
    sim = standing_sim()
    sim._sim_state.qvel[:2] = 1.5, 0.5
    told, corners = [sim.physics()], [corner_positions(sim.qpos, SKELETON)]
    for _ in range(12):
        sim.step(STANCE[7:])
        told.append(sim.physics())
        corners.append(corner_positions(sim.qpos, SKELETON))
    points = np.array(corners)
    for index in range(1, len(told)):
        pair = points[index - 1 : index + 1]
        expected = physics_metrics.skate(pair, physics_metrics.touching(pair, TOUCH))
        assert told[index].skate_mm == pytest.approx(np.nan_to_num(expected), abs=1e-6)
        assert (told[index].standing_corners == 0) == np.isnan(expected)
    mean = np.mean([one.penetration_mm for one in told])
    assert mean == pytest.approx(physics_metrics.penetration(points), abs=1e-6)
    assert max(one.skate_mm for one in told) > 1.0


def test_a_reading_after_several_steps_tells_the_way_of_one() -> None:
    """A film at 10 images a second makes three control steps an image."""
    sim = standing_sim()
    sim.physics()
    start = corner_positions(sim.qpos, SKELETON)
    sim._sim_state.qvel[1] = 1.0
    for _ in range(3):
        sim.step(STANCE[7:])
    pair = np.array([start, corner_positions(sim.qpos, SKELETON)])
    way = physics_metrics.skate(pair, physics_metrics.touching(pair, TOUCH))
    assert way > 0.1 and sim.physics().skate_mm == pytest.approx(way / 3, abs=1e-6)
    assert sim.physics().skate_mm == 0.0


@given(
    arrays(float, (16, 3), elements=st.floats(-0.01, 0.01)), arrays(float, (16, 3), elements=st.floats(-0.01, 0.01)),
    st.floats(-4.0, 4.0), places,
)  # fmt: skip
def test_sliding_is_the_same_in_every_direction(before: Array, after: Array, yaw: float, shift: Array) -> None:
    there = [np.column_stack([turned(points[:, :2], yaw, shift), points[:, 2]]) for points in (before, after)]
    found, count = sliding(*there)
    expected, standing = sliding(before, after)
    assert (found, count) == (pytest.approx(expected, abs=1e-9), standing)
    assert count == np.count_nonzero((before[:, 2] < TOUCH) & (after[:, 2] < TOUCH))


def test_being_set_up_elsewhere_is_no_sliding() -> None:
    sim = standing_sim()
    sim.physics()
    sim.reset(STANCE + np.eye(76)[0])
    sim.step(STANCE[7:])
    first = sim.physics()
    assert (first.skate_mm, first.standing_corners) == (0.0, 0)
    sim.step(STANCE[7:])
    assert sim.physics().standing_corners == 16


def test_the_same_stance_elsewhere_measures_the_same() -> None:
    here, there = (standing_sim(10, shift).physics() for shift in (0.0, 30.0))
    assert there.support_margin == pytest.approx(here.support_margin, abs=NEAR)
    np.testing.assert_allclose(there.com_w - here.com_w, [30.0, 0.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(there.foot_wrench_b, here.foot_wrench_b, atol=0.1)


def test_what_is_not_finite_or_contradicts_itself_is_refused() -> None:
    physics = standing_sim(1).physics()
    with pytest.raises(NonFiniteError):
        replace(physics, com_w=np.full(3, np.nan))
    with pytest.raises(NonFiniteError):
        replace(physics, skate_mm=float("inf"))
    with pytest.raises(ShapeError, match="support_margin"):
        replace(physics, support_margin=None)
    with pytest.raises(ShapeError, match="foot_wrench_b"):
        replace(physics, foot_wrench_b=np.zeros((2, 3)))
