"""The page without a browser: a stand-in visitor makes it draw, and viser's handles tell what it drew."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import Skeleton
from physhmr.errors import ConfigError
from physhmr.geometry.camera import camera_from_fov, camera_pose, with_pose
from physhmr.types import Status
from physhmr.view.page import Page, viewpoint
from physhmr.view.page_panel import readings_html
from physhmr.view.snapshot import Readings, Snapshot, letterbox

PORT = 18080
CAMERA = with_pose(camera_from_fov(64, 48, 1.0), camera_pose(1.2))


@pytest.fixture
def page() -> Iterator[Page]:
    with Page(port=PORT) as served:
        yield served


def welcome(page: Page, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Let one visitor in."""
    visitor = SimpleNamespace(camera=SimpleNamespace(position=None, look_at=None))
    monkeypatch.setattr(page._server, "get_clients", lambda: {0: visitor})
    return visitor


def snapshot(stamp_ns: int = 0, x: float = 3.0, **parts: object) -> Snapshot:
    qpos = standing_qpos(Skeleton())
    qpos[0] = x
    return Snapshot(stamp_ns, np.zeros((48, 64, 3), np.uint8), CAMERA, qpos=qpos, **parts)  # type: ignore[arg-type]


def wait_for(condition: object, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:  # type: ignore[operator]
        time.sleep(0.01)
    return bool(condition())  # type: ignore[operator]


def test_it_serves_itself_on_the_loopback_only(page: Page) -> None:
    assert page.url.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(page.url, timeout=10) as answer:
        assert b"<html" in answer.read().lower()


def test_without_a_visitor_nothing_is_drawn(page: Page) -> None:
    for stamp in range(50):
        page.show(snapshot(stamp))
    time.sleep(0.2)
    assert page.updates == 0


def test_a_visitor_sees_the_newest_snapshot_and_no_queue(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = welcome(page, monkeypatch)
    for step in range(100):
        page.show(snapshot(step, x=0.01 * step))
    newest = snapshot(100, x=7.0)
    page.show(newest)
    pelvis = page._scene._bodies[0]
    assert wait_for(lambda: abs(float(pelvis.position[0]) - 7.0) < 1e-9)
    time.sleep(0.2)
    assert page.updates < 20, "snapshots that came faster than they could be drawn are forgotten"
    places, _ = forward_kinematics(newest.qpos, Skeleton())
    np.testing.assert_allclose([body.position for body in page._scene._bodies], places, atol=1e-9)
    assert visitor.camera.position is not None


def test_a_visitor_is_placed_once(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = welcome(page, monkeypatch)
    page.show(snapshot())
    assert wait_for(lambda: visitor.camera.look_at is not None)
    visitor.camera.look_at = None
    drawn = page.updates
    page.show(snapshot(1))
    assert wait_for(lambda: page.updates > drawn)
    assert visitor.camera.look_at is None


def test_what_is_missing_is_hidden(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    welcome(page, monkeypatch)
    page.show(snapshot(reference_qpos=standing_qpos(Skeleton())))
    assert wait_for(lambda: page._scene._wanted.visible and page._scene._bodies[0].visible)
    page.show(Snapshot(1))
    assert wait_for(lambda: not page._scene._wanted.visible and not page._scene._bodies[0].visible)
    assert not page._scene._rays.visible


def test_a_taken_port_gives_the_next_one(page: Page) -> None:
    with Page(port=PORT) as second:
        assert second.url != page.url
        assert urllib.request.urlopen(second.url, timeout=10).status == 200


def test_closing_twice_is_fine() -> None:
    page = Page(port=PORT)
    page.close()
    page.close()
    page.show(snapshot())


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_impossible_ports_are_refused(port: int) -> None:
    with pytest.raises(ConfigError, match="65535"):
        Page(port=port)


def test_the_viewpoint_looks_past_the_humanoid_from_a_few_metres() -> None:
    eye, aim = viewpoint(snapshot(x=4.0))
    assert 1.5 < np.linalg.norm(eye[:2] - [4.0, 0.0]) < 4.0
    assert np.linalg.norm(aim[:2] - [4.0, 0.0]) < 1.0


def test_readings_are_escaped_and_complete() -> None:
    html = readings_html(Readings(Status.LOST, "<script>", {"lift<": 3.25}, fps=30.0, latency_ms=41.0))
    assert "<script>" not in html and "&lt;script&gt;" in html and "lift&lt;" in html
    for text in ("LOST", "3.2 ms", "30 fps", "41 ms"):
        assert text in html


def test_letterboxes_keep_the_picture_in_the_middle() -> None:
    image = np.full((4, 3, 3), 200, np.uint8)
    framed = letterbox(image, 9, 8)
    assert framed.shape == (8, 9, 3)
    np.testing.assert_array_equal(framed[2:6, 3:6], image)
    assert (framed[:2] != 200).all()
    assert letterbox(image, 2, 4) is image
