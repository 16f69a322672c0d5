"""Public data sets with truth, read from a user's folder as clips; what is not there is said, not guessed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from physhmr.errors import MotionFileError, PhyshmrError, UnknownNameError
from physhmr.eval.clips import Catalogue, RealClip
from physhmr.motion.smpl import SmplBody, load_smpl_body

DatasetName = Literal["3dpw", "aist++", "emdb", "human3.6m", "rich"]
Sequences = Mapping[str, Callable[[], RealClip]]
"""Name, which is its clip's -> reads that sequence; raises `PhyshmrError` when it cannot be used."""
_READERS = {
    "3dpw": ("three_dpw", "three_dpw", "sequenceFiles/<split>/<sequence>.pkl, imageFiles/<sequence>/"),
    "aist++": ("aist", "aist", "videos/*.mp4, keypoints3d/, cameras/, ignore_list.txt"),
    "emdb": ("emdb", "emdb", "P0/<sequence>/P0_<sequence>_data.pkl, images/ beside it"),
    "human3.6m": ("human36m", "human36m", "S9/Videos/*.mp4, S9/MyPoseFeatures/D3_Positions/*.cdf, metadata.xml"),
    "rich": ("rich", "rich", "images/<split>/<sequence>/cam_00/, bodies/, scan_calibration/, multicam2world/"),
}
"""Module, function, and what it expects in the folder."""


def dataset_clips(dataset: DatasetName, folder: Path, body: str = "", only: tuple[str, ...] = ()) -> Catalogue:
    """The sequences of a data set in `folder`, or those called `only`; `body` is a body model (npz), see the reader.

    Raises `UnknownNameError` for unknown names, `MotionFileError` when no sequence can be used.
    """
    if dataset not in get_args(DatasetName):
        raise UnknownNameError("data set", dataset, get_args(DatasetName))
    module, function, layout = _READERS[dataset]
    sequences: Sequences = getattr(importlib.import_module(f"physhmr.eval.{module}"), function)(folder, body)
    if not sequences:
        raise MotionFileError(f"{folder} holds no sequences of {dataset}; it should hold {layout}")
    for name in only:
        if name not in sequences:
            raise UnknownNameError("sequence", name, sequences)
    clips: list[RealClip] = []
    missing: list[str] = []
    for name in only or sequences:
        try:
            clips.append(sequences[name]())
        except (PhyshmrError, OSError) as error:
            missing.append(f"{name}: {error}")
    if not clips:
        raise MotionFileError(f"no sequence of {dataset} in {folder} can be used; {missing[0]}")
    return Catalogue(tuple(clips), tuple(missing))


def entry(name: str, content: object, key: str) -> Any:
    """`content[key]` of a file that should hold a mapping; raises `MotionFileError` naming both."""
    if not isinstance(content, Mapping) or key not in content:
        raise MotionFileError(f"{name} lacks '{key}'")
    return content[key]


def body_of(body: str, gender: str) -> SmplBody:
    """The body model at `body`, braces in which take the gender."""
    return load_smpl_body(Path(body.format(gender)))
