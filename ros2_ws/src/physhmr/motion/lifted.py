"""What the live chain would have made of a clip: references lifted from synthetic views, errors and lag included.

A policy that is trained to bring the clip out of them knows the references it will meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from physhmr.body.skeleton import Skeleton
from physhmr.errors import MotionFileError
from physhmr.lifting.grounded_lifter import GroundedLifter
from physhmr.motion.clip import UNREADABLE, save_arrays
from physhmr.motion.synthetic_camera import KeypointErrors, Views, watch
from physhmr.types import Array, MotionClip, RayBundle, Reference

GUESSED = Views(errors=KeypointErrors(tilt_deg=4.0))
"""Cameras whose pose nobody knew: a guess is off by several degrees."""


@dataclass(frozen=True)
class LiftedView:
    """What one camera makes of one clip, control step by control step."""

    qpos: Array
    """(T, 76)."""
    qvel: Array
    """(T, 75)."""
    origin_w: Array
    """(T, 3) m, where the rays begin."""
    dir_w: Array
    """(T, 21, 3)."""
    score: Array
    """(T, 21); zero in a step without a new image, which has the rays of the last one."""

    def over(self, clip: MotionClip) -> LiftedView:
        """Poses and camera moved horizontally so that the poses lie over the clip on average.

        Depth is hard to see: nobody who follows the poses can know how far off they are as a whole.
        """
        offset_w = (clip.qpos[:, :3] - self.qpos[:, :3]).mean(0) * [1.0, 1.0, 0.0]
        qpos = self.qpos.copy()
        qpos[:, :3] += offset_w
        return replace(self, qpos=qpos, origin_w=self.origin_w + offset_w)


def views_path(library: Path) -> Path:
    """Where the views of a library lie: beside it."""
    return library.with_name(f"{library.stem}_views.npz")


def lift_view(
    clip: MotionClip,
    lifter: GroundedLifter,
    skeleton: Skeleton,
    random: np.random.Generator,
    views: Views | None = None,
) -> LiftedView:
    """Watch `clip` with one random camera and lift what it shows; before the first pose is found it counts already."""
    references, seen = lift_rays(list(watch(clip, skeleton, random, views)), clip.fps, lifter)
    sights: list[tuple[Array, Array, Array]] = []
    for rays in seen:
        sights.append(_unseen(sights[-1]) if rays is None else (rays.origin_w.mean(0), rays.dir_w, rays.score))
    first = next((one for one in references if one is not None), None)
    if first is None:
        raise MotionFileError(f"{clip.name} is too short to find a first pose in it")
    kept = first
    rows = [kept := (one or kept) for one in references]
    columns = (np.stack(column) for column in zip(*sights, strict=True))
    return LiftedView(np.stack([row.qpos for row in rows]), np.stack([row.qvel for row in rows]), *columns)


def lift_rays(
    seen: Sequence[RayBundle | None], fps: float, lifter: GroundedLifter
) -> tuple[list[Reference | None], list[RayBundle | None]]:
    """The references of control steps, None until a person's first pose is found; and the rays that go with them."""
    lifter.reset()
    references: list[Reference | None] = []
    grounded: list[RayBundle | None] = []
    person: int | None = None
    for index, rays in enumerate(seen):
        if rays is None:
            references.append(lifter.coast(round(1e9 * index / fps)))
            grounded.append(None)
            continue
        if person not in (None, rays.person):
            lifter.reset()
        person = rays.person
        references.append(lifter.step(rays))
        grounded.append(lifter.rays)
    return references, grounded


def _unseen(sight: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
    origin_w, dir_w, score = sight
    return origin_w, dir_w, np.zeros_like(score)


def save_views(path: Path, clips: Sequence[MotionClip], views: Sequence[Sequence[LiftedView]]) -> None:
    """Write the views of `clips`, the same number for each, as plain arrays."""
    rows = list(zip(*views, strict=True))
    arrays = {
        part.name: np.stack([np.concatenate([getattr(view, part.name) for view in row]) for row in rows])
        for part in fields(LiftedView)
    }
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    arrays |= {"names": np.array([clip.name for clip in clips]), "lengths": np.array([len(c.qpos) for c in clips])}
    save_arrays(path, arrays)


def load_views(path: Path, clips: Sequence[MotionClip]) -> list[list[LiftedView]]:
    """The views of each of `clips`; raises `MotionFileError` when the file was made for another library."""
    try:
        with np.load(path, allow_pickle=False) as file:
            lengths, names = file["lengths"], [str(name) for name in file["names"]]
            ends = np.cumsum(lengths)
            parts = [file[part.name] for part in fields(LiftedView)]
    except UNREADABLE as error:
        raise MotionFileError(f"{path} holds no lifted views: {error}") from error
    place = {name: (end - length, end) for name, length, end in zip(names, lengths, ends, strict=True)}
    found = []
    for clip in clips:
        start, end = place.get(clip.name, (0, 0))
        if end - start != len(clip.qpos):
            raise MotionFileError(f"{path} was made for another library ({clip.name} differs): run `physhmr data lift`")
        rows = ([part[start:end] for part in view] for view in zip(*parts, strict=True))
        found.append([LiftedView(*row) for row in rows])
    return found
