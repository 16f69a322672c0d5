"""Operations on motion clips: velocities, mirroring, tempo, files."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from physhmr.body.skeleton import BODY_INDEX, BODY_NAMES, mirror_name
from physhmr.body.tangent import pose_add, pose_difference
from physhmr.errors import MotionFileError
from physhmr.types import Array, MotionClip

UNREADABLE = (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile)
"""What reading an npz file can raise when it is missing, damaged or another one."""


def clip_velocities(qpos: Array, fps: float) -> Array:
    """(T, 75) MuJoCo velocities of (T, 76) poses by central differences (one-sided at the ends)."""
    before, after = np.maximum(np.arange(len(qpos)) - 1, 0), np.minimum(np.arange(len(qpos)) + 1, len(qpos) - 1)
    span = ((after - before) / fps)[:, None]
    return pose_difference(qpos[before], qpos[after]) / span


def mirror_qpos(qpos: Array) -> Array:
    """Poses (..., 76) reflected in the x-z plane: left and right exchanged."""
    out = qpos.copy()
    out[..., 1] *= -1
    out[..., 3:7] = qpos[..., 3:7] * np.array([1.0, -1.0, 1.0, -1.0])
    hinges = qpos[..., 7:].reshape(*qpos.shape[:-1], 23, 3)
    source = [BODY_INDEX[mirror_name(name)] - 1 for name in BODY_NAMES[1:]]
    out[..., 7:] = (hinges[..., source, :] * np.array([-1.0, 1.0, -1.0])).reshape(*qpos.shape[:-1], 69)
    return out


def mirror_clip(clip: MotionClip) -> MotionClip:
    """The clip as seen in a mirror."""
    return MotionClip(f"{clip.name}_mirrored", clip.fps, mirror_qpos(clip.qpos), clip.source)


def at_tempo(clip: MotionClip, tempo: float) -> MotionClip:
    """The clip played `tempo` times as fast, at its own frame rate; feet that stood still stand still."""
    count = int((len(clip.qpos) - 1) / tempo + 1e-9) + 1
    at = np.arange(count) * tempo
    before = np.minimum(at.astype(int), len(clip.qpos) - 2)
    change = pose_difference(clip.qpos[before], clip.qpos[before + 1])
    qpos = pose_add(clip.qpos[before], (at - before)[:, None] * change)
    return MotionClip(f"{clip.name} x{tempo:g}", clip.fps, qpos, clip.source)


def save_clips(path: Path, clips: Sequence[MotionClip], labels: Mapping[str, Sequence[str]] | None = None) -> None:
    """Write clips to one npz file of plain arrays; `labels` adds lists of one string a clip."""
    if not clips:
        raise MotionFileError(f"there are no clips to write to {path}")
    arrays: dict[str, Any] = {name: np.array(values) for name, values in (labels or {}).items()}
    arrays |= {
        "names": np.array([clip.name for clip in clips]),
        "sources": np.array([clip.source for clip in clips]),
        "fps": np.array([clip.fps for clip in clips]),
        "lengths": np.array([len(clip.qpos) for clip in clips]),
        "qpos": np.concatenate([clip.qpos for clip in clips]).astype(np.float32),
    }
    save_arrays(path, arrays)


def save_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write an npz file that is there whole or not at all; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.stem + ".unfinished.npz")
    np.savez_compressed(unfinished, **arrays)
    unfinished.replace(path)


def load_clips(path: Path) -> list[MotionClip]:
    """Read clips that `save_clips` wrote; raises `MotionFileError` on anything else."""
    return load_labelled_clips(path, ())[0]


def load_labelled_clips(path: Path, labels: Sequence[str]) -> tuple[list[MotionClip], list[list[str]]]:
    """The clips, and the lists of strings that were written with them; raises `MotionFileError` like `load_clips`."""
    try:
        with np.load(path, allow_pickle=False) as file:
            names, sources, fps = file["names"], file["sources"], file["fps"]
            parts = np.split(file["qpos"].astype(float), np.cumsum(file["lengths"])[:-1])
            found = [[str(value) for value in file[label]] for label in labels]
    except UNREADABLE as error:
        # What numpy says of a file that is no npz is advice to unpickle it.
        why = str(error) if isinstance(error, OSError | KeyError) else "it holds something else"
        advice = "`physhmr data import` makes one of BVH, AMASS and SMPL joints"
        raise MotionFileError(f"{path} is not a clip file of this project: {why}; {advice}") from error
    rows = zip(names, fps, parts, sources, strict=True)
    return [MotionClip(str(n), float(f), _unit_quat(q), str(s)) for n, f, q, s in rows], found


def _unit_quat(qpos: Array) -> Array:
    qpos[:, 3:7] /= np.linalg.norm(qpos[:, 3:7], axis=1, keepdims=True)
    return qpos
