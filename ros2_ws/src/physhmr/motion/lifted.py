"""What the live chain would have made of a clip: references lifted from synthetic views, errors and lag included.

A policy that is trained to bring the clip out of them knows the references it will meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from physhmr.body.skeleton import Skeleton
from physhmr.errors import MotionFileError
from physhmr.lifting.protocol import Lifter
from physhmr.motion.clip import UNREADABLE, save_arrays
from physhmr.motion.synthetic_camera import watch
from physhmr.types import Array, MotionClip


@dataclass(frozen=True)
class LiftedView:
    """The references of one clip from one camera, frame by frame."""

    qpos: Array
    """(T, 76); horizontally moved so that it lies over the clip on average: one camera does not see depth well."""
    qvel: Array
    """(T, 75)."""


def views_path(library: Path) -> Path:
    """Where the views of a library lie: beside it."""
    return library.with_name(f"{library.stem}_views.npz")


def lift_view(clip: MotionClip, lifter: Lifter, skeleton: Skeleton, random: np.random.Generator) -> LiftedView:
    """Watch `clip` with one random camera and lift what it shows; before the first pose is found it counts already."""
    lifter.reset()
    stamps = np.round(1e9 * np.arange(len(clip.qpos)) / clip.fps).astype(int).tolist()
    seen = zip(stamps, watch(clip, skeleton, random), strict=True)
    references = [lifter.coast(stamp) if rays is None else lifter.step(rays) for stamp, rays in seen]
    first = next((one for one in references if one is not None), None)
    if first is None:
        raise MotionFileError(f"{clip.name} is too short to find a first pose in it")
    kept = first
    rows = [kept := (one or kept) for one in references]
    qpos, qvel = np.stack([row.qpos for row in rows]), np.stack([row.qvel for row in rows])
    qpos[:, :2] += (clip.qpos[:, :2] - qpos[:, :2]).mean(0)
    return LiftedView(qpos, qvel)


def save_views(path: Path, clips: Sequence[MotionClip], views: Sequence[Sequence[LiftedView]]) -> None:
    """Write the views of `clips`, the same number for each, as plain arrays."""
    rows = list(zip(*views, strict=True))
    arrays = {
        "names": np.array([clip.name for clip in clips]),
        "lengths": np.array([len(clip.qpos) for clip in clips]),
        "qpos": np.stack([np.concatenate([view.qpos for view in row]) for row in rows]).astype(np.float32),
        "qvel": np.stack([np.concatenate([view.qvel for view in row]) for row in rows]).astype(np.float32),
    }
    save_arrays(path, arrays)


def load_views(path: Path, clips: Sequence[MotionClip]) -> list[list[LiftedView]]:
    """The views of each of `clips`; raises `MotionFileError` when the file was made for another library."""
    try:
        with np.load(path, allow_pickle=False) as file:
            lengths, names = file["lengths"], [str(name) for name in file["names"]]
            ends = np.cumsum(lengths)
            qpos, qvel = file["qpos"].astype(float), file["qvel"].astype(float)
    except UNREADABLE as error:
        raise MotionFileError(f"{path} holds no lifted views: {error}") from error
    place = {name: (end - length, end) for name, length, end in zip(names, lengths, ends, strict=True)}
    found = []
    for clip in clips:
        start, end = place.get(clip.name, (0, 0))
        if end - start != len(clip.qpos):
            raise MotionFileError(f"{path} was made for another library ({clip.name} differs): run `physhmr data lift`")
        found.append([LiftedView(q[start:end], v[start:end]) for q, v in zip(qpos, qvel, strict=True)])
    return found
