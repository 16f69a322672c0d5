"""Contact sheets: a row of stick figures per clip, to see at a glance what a number cannot tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import BODY_NAMES, PARENTS, Skeleton
from physhmr.geometry.rotation import yaw_of
from physhmr.motion.library import LibraryClip
from physhmr.types import Array

Image = NDArray[np.uint8]
CELL = (330, 120)
"""px, width and height of one clip."""
COLUMNS, ROWS = 4, 10
FIGURES = 8
SCALE = 48.0
"""px per metre."""
_COLOURS = {"L": (200, 60, 40), "R": (40, 90, 210)}


def contact_sheets(clips: Sequence[LibraryClip], skeleton: Skeleton) -> Iterator[Image]:
    """Pages of `COLUMNS` x `ROWS` clips, RGB."""
    page_size = COLUMNS * ROWS
    for start in range(0, len(clips), page_size):
        page = np.full((ROWS * CELL[1], COLUMNS * CELL[0], 3), 255, np.uint8)
        for place, entry in enumerate(clips[start : start + page_size]):
            row, column = divmod(place, COLUMNS)
            cell = page[row * CELL[1] : (row + 1) * CELL[1], column * CELL[0] : (column + 1) * CELL[0]]
            _draw_clip(cell, entry, skeleton)
        yield page


def _draw_clip(cell: Image, entry: LibraryClip, skeleton: Skeleton) -> None:
    """Figures at even instants, seen from the person's front left, the floor below them."""
    title = f"{entry.clip.name[-34:]} {entry.clip.duration:.1f} s {entry.category} {entry.split[:3]}"
    cv2.putText(cell, title, (3, 10), cv2.FONT_HERSHEY_SIMPLEX, 0.33, (0, 0, 0), 1, cv2.LINE_AA)
    floor = CELL[1] - 8
    cv2.line(cell, (0, floor), (CELL[0], floor), (190, 190, 190), 1)
    instants = np.linspace(0, len(entry.clip.qpos) - 1, FIGURES).astype(int)
    pos, _ = forward_kinematics(entry.clip.qpos[instants], skeleton)
    yaw = float(yaw_of(entry.clip.qpos[0, 3:7]))
    for index, points in enumerate(pos):
        _draw_figure(cell, _project(points, yaw), (index + 0.5) * CELL[0] / FIGURES, floor)


def _project(points: Array, yaw: float) -> Array:
    """(24, 2) m, across and up, of a view from 60 degrees to the left of the clip's first heading."""
    view = yaw + np.radians(60)
    across = np.array([-np.sin(view), np.cos(view), 0.0])
    return np.stack([(points - points[0]) @ across, points[:, 2]], 1)


def _draw_figure(cell: Image, points: Array, center: float, floor: int) -> None:
    pixels = np.stack([center + SCALE * points[:, 0], floor - SCALE * points[:, 1]], 1).round().astype(int)
    for body in range(1, len(BODY_NAMES)):
        colour = _COLOURS.get(BODY_NAMES[body][0] if BODY_NAMES[body][1] == "_" else "", (60, 60, 60))
        cv2.line(cell, tuple(pixels[PARENTS[body]].tolist()), tuple(pixels[body].tolist()), colour, 1, cv2.LINE_AA)
    head = pixels[BODY_NAMES.index("Head")] - (0, 4)
    cv2.circle(cell, tuple(head.tolist()), 4, (60, 60, 60), 1, cv2.LINE_AA)
