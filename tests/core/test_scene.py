from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.skeleton import Skeleton
from physhmr.geometry.camera import camera_from_fov, camera_pose, project, with_pose
from physhmr.geometry.rays import pixel_as_ray
from physhmr.types import Keypoints2d, RayBundle
from physhmr.view import palette
from physhmr.view.film import Film
from physhmr.view.hud import PANEL
from physhmr.view.scene import SideView, frustum, look_at, ray_ends
from physhmr.view.snapshot import Snapshot

CAMERA = with_pose(camera_from_fov(640, 480, 1.0), camera_pose(1.2, 0.1))


def standing(x: float = 3.0, y: float = 0.0) -> np.ndarray:
    qpos = standing_qpos(Skeleton())
    qpos[:2] = x, y
    return qpos


def rays_through(points_w: np.ndarray) -> RayBundle:
    seen = Keypoints2d(0, project(CAMERA, points_w), np.ones(21), np.zeros((21, 3)))
    return pixel_as_ray(seen, CAMERA)


def warm_pixels(image: np.ndarray) -> np.ndarray:
    """Columns and rows of the humanoid's right side: much more red than blue."""
    rows, columns = np.nonzero(image[..., 0].astype(int) > image[..., 2].astype(int) + 30)
    return np.stack([columns, rows], 1)


coordinates = st.floats(-5, 5)


@given(st.tuples(coordinates, coordinates, coordinates), st.tuples(coordinates, coordinates, coordinates))
def test_looking_at_a_point_puts_it_in_the_middle_and_up_upwards(
    eye: tuple[float, ...], aim: tuple[float, ...]
) -> None:
    eye_w, aim_w = np.array(eye), np.array(aim)
    if np.hypot(*(aim_w - eye_w)[:2]) < 0.1:
        return
    camera = with_pose(camera_from_fov(640, 480, 1.0), look_at(eye_w, aim_w))
    middle = project(camera, aim_w)
    np.testing.assert_allclose(middle, [319.5, 239.5], atol=1e-4)
    above = project(camera, aim_w + np.array([0, 0, 1e-3]))
    assert above[1] < middle[1]
    assert above[0] == pytest.approx(middle[0], abs=1e-4)


def test_the_frustum_ends_on_the_rays_of_the_corners() -> None:
    eye, *corners = frustum(CAMERA, 0.5)
    np.testing.assert_allclose(eye, [0.0, 0.0, 1.2])
    np.testing.assert_allclose(project(CAMERA, np.array(corners)), [[0, 0], [640, 0], [640, 480], [0, 480]], atol=1e-9)


def test_rays_end_just_behind_the_person() -> None:
    person = np.array([3.0, 0.0, 1.0])
    ends = ray_ends(rays_through(np.tile(person, (21, 1))), person)
    np.testing.assert_allclose(np.linalg.norm(ends - person, axis=1), 0.25)
    assert (ends[:, 0] > 3.0).all()


def test_the_person_stays_in_the_picture_wherever_they_walk() -> None:
    view = SideView(Skeleton(), 320, 240)
    for step in range(60):
        image = view.draw(Snapshot(0, camera=CAMERA, qpos=standing(3.0 + 0.05 * step, 0.04 * step)))
        found = warm_pixels(image)
        assert len(found) > 100
        assert (found.mean(0) > [40, 30]).all() and (found.mean(0) < [280, 210]).all()


def test_who_walks_is_not_hidden_by_the_readings() -> None:
    view = SideView(Skeleton(), 480, 360)
    for step in range(60):
        image = view.draw(Snapshot(0, camera=CAMERA, qpos=standing(3.0, 1.0 - 0.04 * step)))
        columns = warm_pixels(image)[:, 0]
        assert columns.min() > PANEL and columns.max() < 479


def test_a_person_put_elsewhere_is_met_there_at_once() -> None:
    view, elsewhere = SideView(Skeleton(), 320, 240), Snapshot(0, qpos=standing(-1.0, 2.0))
    view.draw(Snapshot(0, qpos=standing()))
    np.testing.assert_array_equal(view.draw(elsewhere), SideView(Skeleton(), 320, 240).draw(elsewhere))


def test_rays_and_camera_appear_only_when_there_are_any() -> None:
    bare = SideView(Skeleton()).draw(Snapshot(0, camera=CAMERA, qpos=standing()))
    points = np.random.default_rng(0).uniform((2.8, -0.3, 0.2), (3.2, 0.3, 1.7), (21, 3))
    lit = SideView(Skeleton()).draw(Snapshot(0, camera=CAMERA, qpos=standing(), rays=rays_through(points)))
    changed = (bare != lit).any(-1)
    assert changed.sum() > 500
    blind = rays_through(points)
    unseen = RayBundle(0, blind.origin_w, blind.dir_w, np.zeros(21), blind.landmarks_w)
    np.testing.assert_array_equal(
        SideView(Skeleton()).draw(Snapshot(0, camera=CAMERA, qpos=standing(), rays=unseen)), bare
    )


def test_the_wanted_pose_is_drawn_on_top() -> None:
    image = SideView(Skeleton()).draw(Snapshot(0, qpos=standing(), reference_qpos=standing()))
    assert (image == palette.REFERENCE).all(-1).any()


def test_an_empty_snapshot_is_an_empty_room() -> None:
    image = SideView(Skeleton(), 320, 240).draw(Snapshot(0))
    assert image.shape == (240, 320, 3)
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 10


@pytest.mark.parametrize(("width", "height"), [(641, 479), (1080, 1920), (1280, 380), (30, 40)])
def test_film_frames_have_one_even_size(width: int, height: int) -> None:
    camera = with_pose(camera_from_fov(width, height, 1.0), camera_pose(1.2))
    film = Film(height=240)
    picture = film.draw(Snapshot(0, np.zeros((height, width, 3), np.uint8), camera, qpos=standing()))
    assert picture.shape[0] == 240
    assert picture.shape[1] % 2 == 0
    assert picture.shape[1] <= 240 * (16 / 9 + 4 / 3) + 2
    assert picture.shape == film.draw(Snapshot(1, np.zeros((height, width, 3), np.uint8), camera)).shape


def test_a_camera_that_changes_its_image_size_does_not_change_the_films() -> None:
    film, shapes = Film(height=240), []
    for width, height in ((640, 480), (1280, 720), (480, 640), (640, 480)):
        image = np.full((height, width, 3), 200, np.uint8)
        shapes.append(film.draw(Snapshot(0, image, camera_from_fov(width, height, 1.0))).shape)
    assert len(set(shapes)) == 1
