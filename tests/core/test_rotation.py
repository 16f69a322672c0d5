"""Rotation algebra: group identities, inverses of each other, and MuJoCo's word on hinge order."""

from __future__ import annotations

import mujoco
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from physhmr.geometry.rotation import (
    hinges_to_matrix,
    hinges_to_quat,
    matrix_to_hinges,
    matrix_to_quat,
    quat_conjugate,
    quat_multiply,
    quat_to_matrix,
    quat_to_rotvec,
    rotvec_to_quat,
    up_axis,
    yaw_of,
    yaw_quat,
)
from physhmr.types import Array

IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])
components = st.floats(-1.0, 1.0, allow_nan=False, width=64)
quats = (
    arrays(float, 4, elements=components).filter(lambda q: np.linalg.norm(q) > 0.1).map(lambda q: q / np.linalg.norm(q))
)
vectors = arrays(float, 3, elements=st.floats(-1.8, 1.8, allow_nan=False))
angles = st.floats(-3.1, 3.1, allow_nan=False)


def same_rotation(a: Array, b: Array) -> bool:
    """Quaternions of either sign."""
    return bool(abs(abs(float(a @ b)) - 1.0) < 1e-9)


@given(quats)
def test_matrix_of_a_quaternion_is_a_rotation(q: Array) -> None:
    R = quat_to_matrix(q)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert abs(np.linalg.det(R) - 1) < 1e-12


@given(quats)
def test_the_up_axis_is_the_last_column(q: Array) -> None:
    np.testing.assert_allclose(up_axis(q), quat_to_matrix(q)[:, 2], atol=1e-12)
    np.testing.assert_allclose(
        up_axis(np.stack([q, IDENTITY])), quat_to_matrix(np.stack([q, IDENTITY]))[..., 2], atol=1e-12
    )


@given(quats)
def test_quaternion_to_matrix_and_back(q: Array) -> None:
    back = matrix_to_quat(quat_to_matrix(q))
    assert same_rotation(back, q) and back[0] >= 0


@given(st.sampled_from(["x", "y", "z"]), st.floats(-1e-7, 1e-7))
def test_half_turns_where_the_trace_formula_fails(axis: str, off: float) -> None:
    rotvec = (np.pi + off) * np.eye(3)["xyz".index(axis)]
    assert same_rotation(matrix_to_quat(quat_to_matrix(rotvec_to_quat(rotvec))), rotvec_to_quat(rotvec))


@given(quats, quats)
def test_product_of_quaternions_is_product_of_matrices(a: Array, b: Array) -> None:
    np.testing.assert_allclose(quat_to_matrix(quat_multiply(a, b)), quat_to_matrix(a) @ quat_to_matrix(b), atol=1e-12)


@given(quats, quats, quats)
def test_group_axioms(a: Array, b: Array, c: Array) -> None:
    np.testing.assert_allclose(quat_multiply(quat_multiply(a, b), c), quat_multiply(a, quat_multiply(b, c)), atol=1e-12)
    np.testing.assert_allclose(quat_multiply(a, quat_conjugate(a)), IDENTITY, atol=1e-12)
    np.testing.assert_allclose(quat_multiply(IDENTITY, a), a, atol=1e-15)


@given(vectors)
def test_rotation_vector_there_and_back(rotvec: Array) -> None:
    # |rotvec| <= 1.8 sqrt(3) < pi, so the shortest vector is the one we started from.
    np.testing.assert_allclose(quat_to_rotvec(rotvec_to_quat(rotvec)), rotvec, atol=1e-9)


@given(arrays(float, 3, elements=st.floats(-1e-8, 1e-8)))
def test_rotation_vectors_are_smooth_through_zero(rotvec: Array) -> None:
    np.testing.assert_allclose(rotvec_to_quat(rotvec), [1.0, *(rotvec / 2)], atol=1e-15)
    np.testing.assert_allclose(quat_to_rotvec(rotvec_to_quat(rotvec)), rotvec, atol=1e-15)


@given(vectors)
def test_rotation_vector_is_the_shortest(rotvec: Array) -> None:
    np.testing.assert_allclose(quat_to_rotvec(-rotvec_to_quat(rotvec)), rotvec, atol=1e-9)


@given(angles, st.floats(-1.55, 1.55), angles)
def test_hinge_triple_there_and_back(x: float, y: float, z: float) -> None:
    np.testing.assert_allclose(matrix_to_hinges(hinges_to_matrix(np.array([x, y, z]))), [x, y, z], atol=1e-8)


@given(arrays(float, 3, elements=angles))
def test_the_other_hinge_triple_is_the_same_rotation(triple: Array) -> None:
    other = np.pi + triple * np.array([1.0, -1.0, 1.0])
    np.testing.assert_allclose(hinges_to_matrix(other), hinges_to_matrix(triple), atol=1e-12)


@settings(max_examples=20)
@given(arrays(float, 3, elements=angles))
def test_hinge_order_is_mujocos(triple: Array) -> None:
    hinges = "".join(f'<joint axis="{axis}"/>' for axis in ("1 0 0", "0 1 0", "0 0 1"))
    body = f'<body>{hinges}<geom size="0.1"/></body>'
    model = mujoco.MjModel.from_xml_string(f"<mujoco><worldbody>{body}</worldbody></mujoco>")
    sim = mujoco.MjData(model)
    sim.qpos[:] = triple
    mujoco.mj_kinematics(model, sim)
    np.testing.assert_allclose(hinges_to_matrix(triple), sim.xmat[1].reshape(3, 3), atol=1e-12)
    assert same_rotation(hinges_to_quat(triple), sim.xquat[1])


@given(angles, st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_yaw_ignores_how_the_body_rolls_about_its_forward_axis(yaw: float, roll: float, pitch: float) -> None:
    level = quat_multiply(yaw_quat(np.array(yaw)), rotvec_to_quat(np.array([0.0, pitch, 0.0])))
    rolled = quat_multiply(level, rotvec_to_quat(np.array([roll, 0.0, 0.0])))
    assert abs(float(yaw_of(rolled)) - yaw) < 1e-9


def test_all_functions_broadcast() -> None:
    quat = rotvec_to_quat(np.random.default_rng(0).normal(size=(4, 5, 3)))
    assert quat_to_matrix(quat).shape == (4, 5, 3, 3)
    triple = matrix_to_hinges(quat_to_matrix(quat))
    assert triple.shape == (4, 5, 3)
    np.testing.assert_allclose(quat_to_matrix(hinges_to_quat(triple)), quat_to_matrix(quat), atol=1e-9)
    np.testing.assert_allclose(quat_to_matrix(quat)[2, 3], quat_to_matrix(quat[2, 3]))
    np.testing.assert_allclose(matrix_to_quat(quat_to_matrix(quat))[1, 4], matrix_to_quat(quat_to_matrix(quat[1, 4])))
