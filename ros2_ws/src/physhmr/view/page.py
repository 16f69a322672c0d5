"""The browser page, on viser. It never makes its caller wait, and without a visitor it draws nothing.

`show` leaves the newest snapshot in one slot; a thread of the page's own draws it at most `RATE_HZ` times a
second. For the control loop's sake run the page in another process than the simulation where you can.
"""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType

import numpy as np
import rich
import viser

from physhmr.body.skeleton import Skeleton
from physhmr.errors import ConfigError
from physhmr.types import Array
from physhmr.view.page_panel import PagePanel
from physhmr.view.page_scene import PageScene
from physhmr.view.scene import SIDE_ANGLE
from physhmr.view.snapshot import Snapshot

RATE_HZ = 24.0
"""Of the 3-D scene."""
IMAGE_EVERY, READINGS_EVERY = 2, 6
"""The image is sent with every second update (12 Hz), the readings with every sixth (4 Hz)."""


class Page:
    """A web page at `url` that shows the newest snapshot. Use as a context manager, or close it."""

    def __init__(self, skeleton: Skeleton | None = None, host: str = "127.0.0.1", port: int = 8080) -> None:
        """Serve on `host` (loopback: nobody else may look) and `port`, or the next free one; see `url`.

        Raises `ConfigError` for a port outside 1..65535.
        """
        if not 1 <= port <= 65535:
            raise ConfigError("port", "must lie in [1, 65535]", port)
        _hush()
        self._server = viser.ViserServer(host, port, label="physhmr", verbose=False)
        skeleton = skeleton or Skeleton()
        self._scene, self._panel = PageScene(self._server, skeleton), PagePanel(self._server, skeleton)
        self._placed: set[int] = set()
        self._newest: Snapshot | None = None
        self._wake, self._closing = threading.Event(), threading.Event()
        self._updates = 0
        self._server.on_client_connect(lambda _: self._wake.set())
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where to point a browser."""
        return f"http://{self._server.get_host()}:{self._server.get_port()}"

    @property
    def visitors(self) -> int:
        """How many browsers are looking."""
        return len(self._server.get_clients())

    @property
    def updates(self) -> int:
        """How many snapshots were drawn."""
        return self._updates

    def show(self, snapshot: Snapshot) -> None:
        """Leave the newest snapshot for the page; returns at once, what was not drawn yet is forgotten."""
        self._newest = snapshot
        if self.visitors:
            self._wake.set()

    def close(self) -> None:
        """Stop serving."""
        self._closing.set()
        self._wake.set()
        self._thread.join(timeout=2.0)
        self._server.stop()

    def __enter__(self) -> Page:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        shown: Snapshot | None = None
        while self._wake.wait() and not self._closing.is_set():
            self._wake.clear()
            snapshot = self._newest
            if snapshot is None or not self.visitors:
                continue
            started = time.monotonic()
            # A new visitor gets everything, even if nothing moves.
            self._draw(snapshot, everything=snapshot is shown)
            shown = snapshot
            self._closing.wait(max(1.0 / RATE_HZ - (time.monotonic() - started), 0.0))

    def _draw(self, snapshot: Snapshot, everything: bool) -> None:
        with self._server.atomic():
            self._scene.update(snapshot)
        self._place_visitors(snapshot)
        if everything or self._updates % IMAGE_EVERY == 0:
            self._panel.show_image(snapshot)
        if everything or self._updates % READINGS_EVERY == 0:
            self._panel.show_readings(snapshot)
        self._updates += 1

    def _place_visitors(self, snapshot: Snapshot) -> None:
        """Bring each new visitor in front of the humanoid once; from then on they steer themselves."""
        if snapshot.qpos is None:
            return
        clients = self._server.get_clients()
        for number in clients.keys() - self._placed:
            eye, aim = viewpoint(snapshot)
            clients[number].camera.position, clients[number].camera.look_at = eye, aim
        self._placed = set(clients)


def viewpoint(snapshot: Snapshot) -> tuple[Array, Array]:
    """Return where a visitor stands and looks, (3,) m each: beside the humanoid, which is left of the panel."""
    assert snapshot.qpos is not None
    person = snapshot.qpos[:3] * [1.0, 1.0, 0.0]
    camera = snapshot.camera
    offset = np.array([-3.0, 0.0, 0.0]) if camera is None or camera.T_wc is None else camera.T_wc[:3, 3] - person
    bearing = np.arctan2(offset[1], offset[0]) + SIDE_ANGLE
    back, right = np.array([np.cos(bearing), np.sin(bearing), 0.0]), np.array([-np.sin(bearing), np.cos(bearing), 0.0])
    return person + 2.6 * back + 0.5 * right + [0.0, 0.0, 1.4], person + 0.5 * right + [0.0, 0.0, 0.8]


def _hush() -> None:
    """Keep viser's banners and the web server's tracebacks about browsers that hang up off the terminal."""
    rich.get_console().quiet = True
    logging.getLogger("websockets.server").setLevel(logging.CRITICAL)
