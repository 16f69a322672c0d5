"""The page's panel: camera image with overlay, status, a bar per stage, the latency of the last minute."""

from __future__ import annotations

from collections import deque
from html import escape

import numpy as np
import viser
import viser.uplot

from physhmr.body.skeleton import Skeleton
from physhmr.view import palette
from physhmr.view.overlay import Overlay
from physhmr.view.palette import Colour
from physhmr.view.snapshot import Readings, Snapshot, fit_image, letterbox

IMAGE_HEIGHT, IMAGE_WIDTH = 480, 640
"""px of the picture; other shapes get dark margins, so that the panel keeps its height."""
HISTORY = 240
"""Points of the plot."""
_JPEG_QUALITY = 70


class PagePanel:
    """Handles of the controls; `show_image` and `show_readings` may run at different rates."""

    def __init__(self, server: viser.ViserServer, skeleton: Skeleton) -> None:
        """Build the panel once."""
        self._overlay = Overlay(skeleton)
        self._history: deque[tuple[float, float]] = deque(maxlen=HISTORY)
        gui = server.gui
        gui.configure_theme(dark_mode=True, control_width="large", show_logo=False, show_share_button=False)
        blank = np.full((IMAGE_HEIGHT, IMAGE_WIDTH, 3), palette.SKY, np.uint8)
        self._image = gui.add_image(blank, label="camera", format="jpeg", jpeg_quality=_JPEG_QUALITY)
        self._words = gui.add_html(readings_html(Readings()))
        self._plot = gui.add_uplot(
            self._series(),
            (viser.uplot.Series(label="s"), viser.uplot.Series(label="ms", stroke=_css(palette.SEEN), width=1.5)),
            title="stamp to joint state, ms", scales={"x": viser.uplot.Scale(time=False)}, aspect=2.6, visible=False,
        )  # fmt: skip

    def show_image(self, snapshot: Snapshot) -> None:
        """Draw the overlay and send it."""
        if snapshot.image is not None:
            small = self._overlay.draw(fit_image(snapshot, IMAGE_WIDTH, IMAGE_HEIGHT))
            self._image.image = letterbox(small, IMAGE_WIDTH, IMAGE_HEIGHT)

    def show_readings(self, snapshot: Snapshot) -> None:
        """Send status and stage times, and the plot once there is a latency."""
        self._words.content = readings_html(snapshot.readings)
        if snapshot.readings.latency_ms > 0:
            self._history.append((1e-9 * snapshot.stamp_ns, snapshot.readings.latency_ms))
            self._plot.data = self._series()
            self._plot.visible = True

    def _series(self) -> tuple[np.ndarray, ...]:
        """Seconds before now, and milliseconds."""
        rows = np.array(self._history or [(0.0, 0.0)])
        return rows[:, 0] - rows[-1, 0], rows[:, 1]


def readings_html(readings: Readings) -> str:
    """Return status badge, rates and stage bars as one piece of HTML; all text is escaped."""
    longest = max([10.0, *readings.stage_ms.values()])
    rows = [
        _bar_html(name, ms, ms / longest, palette.STAGES[index % len(palette.STAGES)])
        for index, (name, ms) in enumerate(readings.stage_ms.items())
    ]
    status = readings.status
    badge = (
        f'<b style="background:{_css(palette.STATUS[status])};color:white;padding:2px 10px;border-radius:4px">'
        f"{escape(status.value.upper())}</b> <span>{escape(readings.reason)}</span>"
    )
    rates = f"{readings.fps:.0f} fps" if readings.fps > 0 else ""
    if readings.latency_ms > 0:
        rates += f" &middot; latency {readings.latency_ms:.0f} ms"
    return (
        f'<div style="padding:4px 12px;font-size:13px;line-height:1.7">{badge}<div>{rates}</div>{"".join(rows)}</div>'
    )


def _bar_html(name: str, ms: float, share: float, colour: Colour) -> str:
    return (
        '<div style="display:flex;align-items:center">'
        f'<span style="width:90px;opacity:.7">{escape(name)}</span>'
        f'<span style="flex:1"><span style="display:block;height:9px;width:{100 * share:.0f}%;'
        f'background:{_css(colour)};border-radius:2px"></span></span>'
        f'<span style="width:64px;text-align:right">{ms:.1f} ms</span></div>'
    )


def _css(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
