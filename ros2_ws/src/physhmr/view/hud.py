"""Status, rates and stage times as a translucent panel in a picture."""

from __future__ import annotations

import cv2
import numpy as np

from physhmr.types import Status
from physhmr.view import palette
from physhmr.view.palette import Colour
from physhmr.view.snapshot import Image, Readings

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_BOLD = cv2.FONT_HERSHEY_DUPLEX
_MARGIN, _LINE, _WIDTH, _BAR = 10, 18, 226, 96
_LETTER = 7  # px, a generous mean
_PANEL_SHARE = 0.72
PANEL = _MARGIN + _WIDTH
"""px at the left side of a picture that its readings may cover."""


def draw_status(image: Image, status: Status, reason: str = "") -> None:
    """Draw the status as a coloured badge, with the reason beside it, in the upper left corner; in place."""
    word = status.value.upper()
    (width, height), _ = cv2.getTextSize(word, _BOLD, 0.5, 1)
    right, bottom = _MARGIN + width + 16, _MARGIN + height + 12
    cv2.rectangle(image, (_MARGIN, _MARGIN), (right, bottom), palette.STATUS[status], -1)
    cv2.putText(image, word, (_MARGIN + 8, _MARGIN + height + 5), _BOLD, 0.5, palette.TEXT, 1, cv2.LINE_AA)
    room = image.shape[1] - right - _MARGIN - 16
    if reason and room > 0:
        text = reason[: room // _LETTER]
        _shade(image, right + 1, _MARGIN, _LETTER * len(text) + 16, bottom - _MARGIN + 1)
        _write(image, text, right + 8, _MARGIN + height + 4, palette.TEXT)


def draw_readings(image: Image, readings: Readings) -> None:
    """Draw rates and a bar per stage in the upper left corner; in place. Nothing if the image is too small."""
    stages, rates = list(readings.stage_ms.items()), _rates(readings)
    height = (len(stages) + 1 + bool(rates)) * _LINE + 8
    if image.shape[0] < height + 2 * _MARGIN or image.shape[1] < _WIDTH + 2 * _MARGIN:
        return
    _shade(image, _MARGIN, _MARGIN, _WIDTH, height)
    x, y = _MARGIN + 8, _MARGIN
    if rates:
        y += _LINE
        _write(image, rates, x, y, palette.TEXT)
    longest = max([ms for _, ms in stages] + [10.0])
    for index, (name, ms) in enumerate(stages):
        y += _LINE
        colour = palette.STAGES[index % len(palette.STAGES)]
        _write(image, name, x, y, palette.MUTED)
        cv2.rectangle(image, (x + 76, y - 9), (x + 76 + max(round(_BAR * ms / longest), 1), y - 1), colour, -1)
        _write(image, f"{ms:.1f}", x + 180, y, palette.TEXT)
    _write(image, f"{sum(readings.stage_ms.values()):.1f} ms of work", x, y + _LINE, palette.MUTED)


def _rates(readings: Readings) -> str:
    """What is known of rate and latency; empty if nothing is."""
    fps = f"{readings.fps:.0f} fps" if readings.fps > 0 else ""
    latency = f"latency {readings.latency_ms:.0f} ms" if readings.latency_ms > 0 else ""
    return "   ".join(filter(None, (fps, latency)))


def _shade(image: Image, x: int, y: int, width: int, height: int) -> None:
    part = image[y : y + height, x : x + width]
    panel = np.full_like(part, palette.PANEL)
    part[:] = cv2.addWeighted(part, 1 - _PANEL_SHARE, panel, _PANEL_SHARE, 0.0)


def _write(image: Image, text: str, x: int, y: int, colour: Colour) -> None:
    cv2.putText(image, text, (x, y), _FONT, 0.42, colour, 1, cv2.LINE_AA)
