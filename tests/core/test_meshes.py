from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physhmr.body.skeleton import BODY_NAMES, Skeleton
from physhmr.errors import ShapeError
from physhmr.view.figure import FigureMaker
from physhmr.view.meshes import Mesh, body_mesh, box_mesh, capsule_mesh


def signed_volume(mesh: Mesh) -> float:
    """Positive when the faces look outwards (divergence theorem)."""
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces], 1, 0)
    return float((a * np.cross(b, c)).sum() / 6.0)


def is_closed(mesh: Mesh) -> bool:
    """Every edge is used as often forwards as backwards, once the poles' points are one."""
    _, merged = np.unique(mesh.vertices.round(9), axis=0, return_inverse=True)
    faces = merged.ravel()[mesh.faces]
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = edges[edges[:, 0] != edges[:, 1]]
    forward, backward = sorted(map(tuple, edges)), sorted(map(tuple, edges[:, ::-1]))
    return forward == backward


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_a_capsule_is_closed_and_of_its_radius(seed: int) -> None:
    rng = np.random.default_rng(seed)
    start, end = rng.normal(size=(2, 3))
    radius = float(rng.uniform(0.02, 0.5))
    mesh = capsule_mesh(start, end, radius)
    assert is_closed(mesh)
    axis = end - start
    along = np.clip((mesh.vertices - start) @ axis / (axis @ axis), 0.0, 1.0)
    distance = np.linalg.norm(mesh.vertices - start - along[:, None] * axis, axis=1)
    np.testing.assert_allclose(distance, radius, rtol=1e-9)
    exact = np.pi * radius**2 * (np.linalg.norm(axis) + 4 / 3 * radius)
    assert 0.9 * exact < signed_volume(mesh) < exact


def test_a_box_is_closed_and_of_its_volume() -> None:
    mesh = box_mesh(np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.2, 0.3]))
    assert is_closed(mesh)
    assert signed_volume(mesh) == pytest.approx(8 * 0.1 * 0.2 * 0.3)


def test_every_body_has_a_mesh_around_its_shape() -> None:
    skeleton, upright = Skeleton(), np.zeros(76)
    upright[3] = 1.0
    figure = FigureMaker(skeleton)(upright)
    for body, ends in zip(figure.capsule_bodies, figure.ends_w, strict=True):
        mesh = body_mesh(BODY_NAMES[body], skeleton)
        middle = 0.5 * (mesh.vertices.max(0) + mesh.vertices.min(0)) + figure.joints_w[body]
        np.testing.assert_allclose(middle, ends.mean(0), atol=2e-3)
    for body, corners in zip(figure.box_bodies, figure.corners_w, strict=True):
        vertices = body_mesh(BODY_NAMES[body], skeleton).vertices + figure.joints_w[body]
        np.testing.assert_allclose(vertices, corners)


def test_a_capsule_without_length_is_refused() -> None:
    with pytest.raises(ShapeError, match="two different ends"):
        capsule_mesh(np.zeros(3), np.zeros(3), 0.1)
