"""Whom a detector turns around from one image to the next is turned back; who turns by themselves is believed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.keypoints import keypoints_of
from physhmr.body.skeleton import Skeleton, mirror_name
from physhmr.geometry.facing import FacingConfig, FacingGuard, lateral, turned_over
from physhmr.geometry.rotation import yaw_quat
from physhmr.types import KEYPOINTS, MIRRORED_KEYPOINTS, Keypoints2d

FRAME_NS = 33_333_333
# A camera that looks along world x: right is -y, down is -z.
R_CW = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])


def person(yaw: float, frame: int = 0) -> Keypoints2d:
    """Somebody who stands there and faces `yaw`; pi faces the camera."""
    qpos = standing_qpos(Skeleton())
    qpos[3:7] = yaw_quat(np.array(yaw))
    points_c = keypoints_of(qpos, Skeleton()) @ R_CW.T
    hips = points_c[[KEYPOINTS.index("L_Hip"), KEYPOINTS.index("R_Hip")]].mean(0)
    return Keypoints2d(frame * FRAME_NS, 100.0 * points_c[:, :2], np.linspace(0.1, 1.0, 21), points_c - hips)


def test_counterparts_are_those_of_the_names() -> None:
    assert [KEYPOINTS[index] for index in MIRRORED_KEYPOINTS] == [mirror_name(name) for name in KEYPOINTS]


@given(st.floats(-np.pi, np.pi))
def test_facing_is_the_cosine_of_the_heading(yaw: float) -> None:
    assert lateral(person(yaw).landmarks_c) == pytest.approx(-np.cos(yaw), abs=1e-6)


@given(st.floats(-np.pi, np.pi))
def test_the_double_faces_the_other_way_and_turned_twice_is_the_same(yaw: float) -> None:
    here = person(yaw)
    double = turned_over(here)
    assert lateral(double.landmarks_c) == pytest.approx(-lateral(here.landmarks_c), abs=1e-6)
    again = turned_over(double)
    for name in ("xy", "score", "landmarks_c"):
        np.testing.assert_array_equal(getattr(again, name), getattr(here, name))


def test_a_spell_of_backs_is_turned_over() -> None:
    guard = FacingGuard()
    for frame in range(60):
        seen = person(np.pi, frame)
        shown = turned_over(seen) if 20 <= frame < 40 else seen
        np.testing.assert_allclose(guard.step(shown).landmarks_c, seen.landmarks_c)


def test_who_turns_around_by_themselves_is_believed() -> None:
    guard = FacingGuard()
    for frame in range(31):
        seen = person(np.pi + np.pi * frame / 30, frame)
        np.testing.assert_array_equal(guard.step(seen).xy, seen.xy)


def test_a_detector_that_insists_is_believed() -> None:
    guard, last = FacingGuard(), 30 + round(FacingConfig().insistence * 30)
    answers = []
    for frame in range(last + 5):
        shown = person(np.pi if frame < 30 else 0.0, frame)
        answers.append(guard.step(shown).xy is shown.xy)
    assert all(answers[:30]) and not any(answers[31 : last - 1]) and all(answers[-3:])


def test_somebody_else_after_a_while_may_face_any_way() -> None:
    guard = FacingGuard()
    guard.step(person(np.pi, 0))
    back = person(0.0, 30)
    assert guard.step(back) is back
