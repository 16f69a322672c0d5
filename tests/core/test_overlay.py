"""Drawing is tested by where which colours appear, not by how they look."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import build_model, standing_qpos
from physhmr.body.skeleton import BODY_NAMES, Shape, Skeleton
from physhmr.errors import CameraError, ShapeError
from physhmr.geometry.camera import camera_from_fov, camera_pose, project, with_pose
from physhmr.types import KEYPOINTS, CameraModel, Estimate, Frame, HumanoidState, Keypoints2d, Reference, Status
from physhmr.view import palette
from physhmr.view.canvas import Canvas
from physhmr.view.figure import Figure, FigureMaker
from physhmr.view.hud import draw_readings, draw_status
from physhmr.view.overlay import KEYPOINT_BONES, Overlay, draw_keypoints
from physhmr.view.snapshot import Readings, Snapshot, fit_image, take_snapshot

RED, BLUE = (255, 0, 0), (0, 0, 255)
CAMERA = with_pose(camera_from_fov(320, 240, 1.0), camera_pose(1.0))


def black(width: int = 320, height: int = 240) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


def at(image: np.ndarray, pixel: np.ndarray) -> tuple[int, ...]:
    column, row = np.round(pixel).astype(int)
    return tuple(int(value) for value in image[row, column])


def humanoid_at(distance: float) -> np.ndarray:
    qpos = standing_qpos(Skeleton())
    qpos[0] = distance
    return qpos


def keypoints(score: float) -> Keypoints2d:
    xy = np.random.default_rng(0).uniform(40, 200, (len(KEYPOINTS), 2))
    return Keypoints2d(0, xy, np.full(len(KEYPOINTS), score), np.zeros((len(KEYPOINTS), 3)))


def test_a_line_is_drawn_where_the_lens_puts_it() -> None:
    bent = CameraModel(K=CAMERA.K, width=320, height=240, distortion=np.array([-0.2, 0.05, 0, 0]), T_wc=CAMERA.T_wc)
    start, end = np.array([[2.0, 0.6, 1.2]]), np.array([[3.0, 0.7, 0.8]])
    image = black()
    Canvas(image, bent).segments(start, end, [RED], 3)
    for point in (start, end):
        assert at(image, project(bent, point)[0]) == RED


def test_what_is_behind_the_lens_is_not_drawn_and_what_crosses_it_is_cut() -> None:
    image, behind, ahead = black(), np.array([[-2.0, 0.0, 1.0]]), np.array([[4.0, 0.4, 1.0]])
    Canvas(image, CAMERA).segments(behind, behind - 1.0, [RED])
    assert not image.any()
    Canvas(image, CAMERA).segments(behind, ahead, [RED], 3)
    assert at(image, project(CAMERA, ahead)[0]) == RED
    # The line from (-2, 0) to (4, 0.4) passes the lens on its left: nothing right of the middle may be touched.
    assert not image[:, 165:].any()


@pytest.mark.parametrize("near_first", [True, False])
def test_the_nearer_shape_hides_the_farther_one(near_first: bool) -> None:
    left, right, order = BODY_NAMES.index("L_Hand"), BODY_NAMES.index("R_Hand"), 1 if near_first else -1
    ends = np.array([[[2.0, -0.2, 1.0], [2.0, 0.2, 1.0]], [[3.0, -0.3, 1.0], [3.0, 0.3, 1.0]]])[::order]
    figure = Figure(np.zeros((24, 3)), (left, right)[::order], ends, np.full(2, 0.1), (), np.zeros((0, 8, 3)))
    image = black()
    Canvas(image, CAMERA).figure(figure)
    red, _, blue = at(image, project(CAMERA, np.array([2.0, 0.0, 1.0])))
    assert blue > red, "the nearer hand is the left one, which is blue"


def test_a_camera_without_a_pose_cannot_draw() -> None:
    with pytest.raises(CameraError, match="unknown"):
        Canvas(black(), camera_from_fov(320, 240, 1.0))


def test_the_figure_has_the_shapes_of_the_simulated_body() -> None:
    shape = Shape(height=1.85)
    model, make = build_model(shape), FigureMaker(Skeleton(shape))
    sim, qpos = mujoco.MjData(model), np.random.default_rng(0).uniform(-0.5, 0.5, 76)
    qpos[3:7] /= np.linalg.norm(qpos[3:7])
    sim.qpos[:] = qpos
    mujoco.mj_kinematics(model, sim)
    figure = make(qpos)
    for body, ends, radius in zip(figure.capsule_bodies, figure.ends_w, figure.radius, strict=True):
        geom = model.geom(BODY_NAMES[body]).id
        np.testing.assert_allclose(ends.mean(0), sim.geom_xpos[geom], atol=1e-7)
        assert radius == pytest.approx(model.geom_size[geom, 0])
    for body, corners in zip(figure.box_bodies, figure.corners_w, strict=True):
        geom = model.geom(BODY_NAMES[body]).id
        np.testing.assert_allclose(corners.mean(0), sim.geom_xpos[geom], atol=1e-7)
        np.testing.assert_allclose(np.linalg.norm(corners - corners.mean(0), axis=1), model.geom_rbound[geom])
    assert set(figure.capsule_bodies) | set(figure.box_bodies) == set(range(24))


def test_the_overlay_covers_the_humanoid_and_leaves_the_input_alone() -> None:
    image, qpos = black(), humanoid_at(3.0)
    drawn = Overlay(Skeleton()).draw(Snapshot(0, image, CAMERA, qpos=qpos))
    assert not image.any()
    assert any(at(drawn, project(CAMERA, qpos[:3])))
    assert not any(at(drawn, np.array([20.0, 200.0])))


def test_without_a_pose_only_the_keypoints_are_drawn() -> None:
    camera = camera_from_fov(320, 240, 1.0)
    overlay, qpos = Overlay(Skeleton()), humanoid_at(3.0)
    plain = overlay.draw(Snapshot(0, black(), camera))
    np.testing.assert_array_equal(overlay.draw(Snapshot(0, black(), camera, qpos=qpos)), plain)
    marked = overlay.draw(Snapshot(0, black(), camera, keypoints=keypoints(1.0)))
    assert at(marked, keypoints(1.0).xy[0]) == palette.SEEN


def test_keypoints_show_their_confidence() -> None:
    doubtful, hidden = black(), black()
    draw_keypoints(doubtful, keypoints(0.3))
    draw_keypoints(hidden, keypoints(0.1))
    assert at(doubtful, keypoints(0.3).xy[3]) == palette.DOUBTED
    assert not hidden.any()


def test_keypoints_far_outside_do_no_harm() -> None:
    far = Keypoints2d(0, np.full((21, 2), 1e12), np.ones(21), np.zeros((21, 3)))
    image = black()
    draw_keypoints(image, far)
    assert not image.any()


def test_the_bones_join_known_keypoints_and_reach_all_of_them() -> None:
    assert {name for bone in KEYPOINT_BONES for name in bone} == set(KEYPOINTS)


def test_the_status_has_its_colour_and_the_panel_only_its_corner() -> None:
    image = black(400, 300)
    draw_status(image, Status.LOST, "nobody seen")
    assert at(image, np.array([12.0, 12.0])) == palette.STATUS[Status.LOST]
    assert set(palette.STATUS) == set(Status)
    panel = black(400, 300)
    draw_readings(panel, Readings(stage_ms={"lift": 3.0, "physics": 1.0}, fps=30.0))
    assert panel[:100, :240].any()
    assert not panel[150:].any()
    assert not panel[:, 250:].any()


def test_a_longer_stage_has_a_longer_bar() -> None:
    image = black(400, 300)
    draw_readings(image, Readings(stage_ms={"slow": 20.0, "fast": 5.0}))
    lengths = [int((image == colour).all(-1).sum(1).max()) for colour in palette.STAGES[:2]]
    assert lengths[0] == pytest.approx(4 * lengths[1], abs=4)


@pytest.mark.parametrize("size", [(2, 2), (40, 30)])
def test_tiny_images_are_drawn_on_without_error(size: tuple[int, int]) -> None:
    image = black(*size)
    draw_readings(image, Readings(stage_ms={"lift": 1.0}))
    assert not image.any()
    drawn = Overlay(Skeleton()).draw(Snapshot(0, image, readings=Readings(Status.STALE, "a long reason " * 9)))
    assert drawn.shape == image.shape


def test_shrinking_keeps_keypoints_and_camera_together() -> None:
    camera = with_pose(camera_from_fov(1280, 960, 1.0), camera_pose(1.2, 0.1))
    points = np.random.default_rng(0).uniform((2, -1, 0), (4, 1, 2), (21, 3))
    seen = Keypoints2d(0, project(camera, points), np.ones(21), np.zeros((21, 3)))
    small = fit_image(Snapshot(0, black(1280, 960), camera, seen), 800, 480)
    assert small.image is not None and small.image.shape == (480, 640, 3)
    assert small.camera is not None and small.keypoints is not None
    np.testing.assert_allclose(project(small.camera, points), small.keypoints.xy, atol=1e-9)


def test_a_snapshot_refuses_other_shapes() -> None:
    with pytest.raises(ShapeError, match="qpos"):
        Snapshot(0, qpos=np.zeros(75))
    with pytest.raises(ShapeError, match="image"):
        Snapshot(0, image=np.zeros((4, 4), np.uint8))


def test_a_snapshot_takes_the_pose_that_perception_found() -> None:
    unplaced = camera_from_fov(320, 240, 1.0)
    frame = Frame(black(), 7, unplaced)
    early = take_snapshot(frame, None, None, None, None, {"find": 1.0})
    assert early.camera is unplaced and early.qpos is None
    assert early.readings == Readings(Status.SEARCHING, stage_ms={"find": 1.0})
    body_pos, qpos = np.zeros((24, 3)), humanoid_at(3.0)
    state = HumanoidState(7, qpos, np.zeros(75), body_pos, np.tile([1.0, 0, 0, 0], (24, 1)), np.zeros(69))
    estimate = Estimate(state, Reference(7, humanoid_at(3.1), np.zeros(75)), Status.STALE, "old", {"lift": 2.0}, {})
    later = take_snapshot(frame, CAMERA, keypoints(1.0), None, estimate, {"find": 1.0}, fps=30.0, latency_ms=40.0)
    assert later.camera is CAMERA and later.stamp_ns == 7
    np.testing.assert_array_equal(later.qpos, qpos)
    assert later.reference_qpos is not None and later.reference_qpos[0] == 3.1
    assert later.readings == Readings(Status.STALE, "old", {"find": 1.0, "lift": 2.0}, 30.0, 40.0)
