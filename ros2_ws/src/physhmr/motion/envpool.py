"""CMU clips fitted by dm_control as the package envpool-assets carries them: mocap_*.bin, many clips in one file.

Layout (sail-sg/envpool, envpool/mujoco/locomotion/mocap.cc), little endian: "EPMOCAP1", the number of clips; a clip is
its name, frames, seconds a frame (float64) and number of features; a feature its name, numbers a frame, and that many
float32 for each frame. Names begin with their length, integers have 32 bits. Features are those of dm_control's files.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from physhmr.body.skeleton import Skeleton
from physhmr.errors import MotionFileError
from physhmr.motion.acclaim import JOINT_OF
from physhmr.motion.array_file import numbers
from physhmr.motion.dm_control import FIELDS, motion_of
from physhmr.motion.onto_humanoid import transfer
from physhmr.motion.source import PoseStream, SourceMotion

SIGNATURE = b"EPMOCAP1"


def load_envpool(name: str, content: bytes, skeleton: Skeleton) -> PoseStream:
    """What the clip `name`, such as CMU_016_22, of a file asks of our bodies; raises `MotionFileError`."""
    return transfer(read_packed(name, content), JOINT_OF, skeleton)


def read_packed(name: str, content: bytes) -> SourceMotion:
    """The clip `name` of a file with `content`; raises `MotionFileError` for other content or without that clip."""
    try:
        frames, step, features = _clip(name, content)
    except (struct.error, ValueError) as error:
        raise MotionFileError(f"the file that should hold {name} is damaged: {error}") from error
    missing = [key for key in FIELDS if key not in features]
    if missing:
        raise MotionFileError(f"{name} lacks {', '.join(missing)}")
    fields = {key: numbers(name, key, features[key], (frames, width)) for key, width in FIELDS.items()}
    return motion_of(name, step, fields)


def _clip(name: str, content: bytes) -> tuple[int, float, dict[str, Any]]:
    """Frames, seconds a frame and features of the clip `name`."""
    if not content.startswith(SIGNATURE):
        raise ValueError(f"it does not begin with {SIGNATURE.decode()}")
    at = len(SIGNATURE)

    def unpack(layout: str) -> Any:
        nonlocal at
        (value,) = struct.unpack_from(layout, content, at)
        at += struct.calcsize(layout)
        return value

    def text() -> str:
        return bytes(unpack(f"<{unpack('<I')}s")).decode()

    clips = []
    for _ in range(unpack("<I")):
        clips.append(text())
        frames, step, features = unpack("<I"), unpack("<d"), {}
        for _ in range(unpack("<I")):
            key, width = text(), unpack("<I")
            features[key] = np.frombuffer(content, "<f4", frames * width, at).reshape(frames, width)
            at += 4 * frames * width
        if clips[-1] == name:
            return frames, step, features
    raise MotionFileError(f"there is no clip {name}; there are {', '.join(clips)}")
