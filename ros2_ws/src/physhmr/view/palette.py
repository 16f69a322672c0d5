"""Colours, RGB in 0..255: cool for the left side of the body, warm for the right, so that a swap is seen."""

from __future__ import annotations

from physhmr.types import Status

Colour = tuple[int, int, int]

CENTRE: Colour = (176, 190, 208)
LEFT: Colour = (86, 170, 220)
RIGHT: Colour = (238, 150, 92)
SEEN: Colour = (110, 231, 160)
DOUBTED: Colour = (236, 92, 92)
REFERENCE: Colour = (250, 236, 140)
RAY: Colour = (128, 214, 255)
CAMERA: Colour = (230, 236, 245)
SKY: Colour = (38, 44, 56)
GROUND: Colour = (58, 66, 80)
GRID: Colour = (92, 102, 120)
SHADOW: Colour = (38, 43, 53)
TEXT: Colour = (236, 240, 246)
MUTED: Colour = (158, 168, 184)
PANEL: Colour = (22, 26, 34)

STATUS: dict[Status, Colour] = {
    Status.SEARCHING: (120, 144, 180),
    Status.TRACKING: (52, 168, 98),
    Status.STALE: (208, 148, 44),
    Status.LOST: (200, 84, 52),
    Status.FALLEN: (196, 52, 72),
    Status.RECOVERING: (150, 110, 210),
    Status.DIVERGED: (196, 52, 72),
}
STAGES: tuple[Colour, ...] = (
    (86, 170, 220), (110, 231, 160), (250, 214, 110), (238, 150, 92), (206, 120, 200), (140, 140, 240), (150, 160, 176),
)  # fmt: skip
"""Of the bars of the stages, one after the other."""


def side_colour(name: str) -> Colour:
    """Return the colour of a body or keypoint by its side."""
    return {"L_": LEFT, "R_": RIGHT}.get(name[:2], CENTRE)


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Return the colour `share` of the way from `a` to `b`; the share is held in [0, 1]."""
    s = min(max(share, 0.0), 1.0)
    return (round(a[0] + s * (b[0] - a[0])), round(a[1] + s * (b[1] - a[1])), round(a[2] + s * (b[2] - a[2])))
