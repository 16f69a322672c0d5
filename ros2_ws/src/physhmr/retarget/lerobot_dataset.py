"""Retargeted motion as a data set in LeRobot's layout, version 3.0: parquet tables and JSON, no images.

One clip is one episode and its name the task. `observation.state` is the pose now, `action` the joints one frame later.
The layout follows huggingface/lerobot, src/lerobot/datasets (dataset_metadata.py, io_utils.py).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from physhmr.errors import MotionFileError
from physhmr.retarget.robot_motion import ROOT_COLUMNS, RobotMotion
from physhmr.types import Array

VERSION = "v3.0"
CHUNK = "chunk-000/file-000.parquet"
"""One file holds everything: a minute of 29 joints at 30 Hz is 0.7 MB."""
UNEVEN = 1e-3
"""s that a frame may be away from an even beat, which the format has no other way to tell."""
QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}
ROOT_VELOCITIES = ("root_vx", "root_vy", "root_vz", "root_wx", "root_wy", "root_wz")
COUNTERS = ("frame_index", "episode_index", "index", "task_index")


def save_lerobot_dataset(folder: Path, episodes: Mapping[str, RobotMotion]) -> None:
    """Write episodes, by the name of their task, into a new folder.

    Raises `MotionFileError` when the folder exists, there are no episodes, they are of different robots, frame rates or
    uneven, or pyarrow is not installed.
    """
    parquet, arrow = _pyarrow()
    if folder.exists():
        raise MotionFileError(f"{folder} exists: data sets are not added to")
    motions = list(episodes.values())
    if not motions or any(motion.joint_names != motions[0].joint_names for motion in motions):
        raise MotionFileError("a data set needs at least one episode, all of the same robot")
    rates = {frame_rate(motion) for motion in motions}
    if len(rates) > 1:
        raise MotionFileError(f"the episodes have different frame rates: {sorted(rates)} Hz")
    fps = rates.pop()
    features, tables = _features(motions[0]), _tables(motions, fps)
    total = {name: np.concatenate([table[name] for table in tables]) for name in features}
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    for name in ("data", "meta/episodes"):
        (unfinished / name / CHUNK).parent.mkdir(parents=True)
    columns = {name: _column(arrow, total[name], feature) for name, feature in features.items()}
    parquet.write_table(arrow.table(columns), unfinished / "data" / CHUNK)
    rows = [_episode(number, task, table) for number, (task, table) in enumerate(zip(episodes, tables, strict=True))]
    parquet.write_table(arrow.Table.from_pylist(rows), unfinished / "meta/episodes" / CHUNK)
    parquet.write_table(_tasks(arrow, list(episodes)), unfinished / "meta/tasks.parquet")
    _write_json(unfinished / "meta/stats.json", {name: _statistics(total[name]) for name in features})
    _write_json(unfinished / "meta/info.json", _summary(motions, fps, features))
    unfinished.replace(folder)


def frame_rate(motion: RobotMotion) -> int:
    """Frames a second; raises `MotionFileError` for a motion whose stamps do not keep a beat of whole Hz."""
    seconds = (motion.stamp_ns - motion.stamp_ns[0]) * 1e-9
    rate = round((len(seconds) - 1) / float(seconds[-1])) if len(seconds) > 1 else 0
    if rate < 1 or np.abs(seconds - np.arange(len(seconds)) / rate).max() > UNEVEN:
        raise MotionFileError("the frames of an episode must keep an even beat, a whole number a second")
    return rate


def _pyarrow() -> tuple[ModuleType, ModuleType]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MotionFileError("data sets need pyarrow: pip install 'physhmr[lerobot]'") from error
    return pyarrow.parquet, pyarrow


def _features(motion: RobotMotion) -> dict[str, dict[str, Any]]:
    """What each column holds, as in info.json."""

    def vector(names: tuple[str, ...]) -> dict[str, Any]:
        return {"dtype": "float32", "shape": [len(names)], "names": list(names)}

    return {
        "observation.state": vector((*ROOT_COLUMNS, *motion.joint_names)),
        "observation.velocity": vector((*ROOT_VELOCITIES, *motion.joint_names)),
        "action": vector(motion.joint_names),
        "feasible": {"dtype": "bool", "shape": [1], "names": None},
        "timestamp": {"dtype": "float32", "shape": [1], "names": None},
        **{name: {"dtype": "int64", "shape": [1], "names": None} for name in COUNTERS},
    }


def _tables(motions: list[RobotMotion], fps: int) -> list[dict[str, Array]]:
    """Columns of each episode, (T,) or (T, N)."""
    tables, start = [], 0
    for number, motion in enumerate(motions):
        count = len(motion.q)
        joints, frames = motion.q[:, 7:], np.arange(count)
        tables.append({
            "observation.state": motion.q, "observation.velocity": motion.qvel,
            "action": np.concatenate([joints[1:], joints[-1:]]), "feasible": motion.feasible,
            "timestamp": frames / fps, "frame_index": frames, "episode_index": np.full(count, number),
            "index": start + frames, "task_index": np.full(count, number),
        })  # fmt: skip
        start += count
    return tables


def _column(arrow: ModuleType, values: Array, feature: Mapping[str, Any]) -> Any:
    flat = arrow.array(values.ravel().astype(feature["dtype"]))
    return flat if values.ndim == 1 else arrow.FixedSizeListArray.from_arrays(flat, values.shape[1])


def _statistics(values: Array) -> dict[str, list[Any]]:
    """What trainers normalise with, (N,) each."""
    rows = values.reshape(len(values), -1).astype(float)
    found = {"min": rows.min(0), "max": rows.max(0), "mean": rows.mean(0), "std": rows.std(0)}
    found |= {name: np.quantile(rows, share, axis=0) for name, share in QUANTILES.items()}
    return {name: value.tolist() for name, value in found.items()} | {"count": [len(rows)]}


def _episode(number: int, task: str, table: Mapping[str, Array]) -> dict[str, Any]:
    index = table["index"]
    row = {
        "episode_index": number, "tasks": [task], "length": len(index), "dataset_from_index": int(index[0]),
        "dataset_to_index": int(index[-1]) + 1, "data/chunk_index": 0, "data/file_index": 0,
        "meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0,
    }  # fmt: skip
    stats = {f"stats/{name}/{kind}": v for name, values in table.items() for kind, v in _statistics(values).items()}
    return row | stats


def _tasks(arrow: ModuleType, tasks: list[str]) -> Any:
    """task_index by task, with what tells pandas that the task is the index."""
    table = arrow.table({"task_index": arrow.array(range(len(tasks)), arrow.int64()), "task": tasks})
    column = {"metadata": None, "field_name": "task", "name": "task", "pandas_type": "unicode", "numpy_type": "object"}
    number = {**column, "field_name": "task_index", "name": "task_index", "pandas_type": "int64", "numpy_type": "int64"}
    pandas = {"index_columns": ["task"], "column_indexes": [], "columns": [number, column], "pandas_version": "2.0.0"}
    return table.replace_schema_metadata({"pandas": json.dumps(pandas)})


def _summary(motions: list[RobotMotion], fps: int, features: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "codebase_version": VERSION, "robot_type": motions[0].robot, "total_episodes": len(motions),
        "total_frames": sum(len(motion.q) for motion in motions), "total_tasks": len(motions), "chunks_size": 1000,
        "data_files_size_in_mb": 100, "video_files_size_in_mb": 200, "fps": fps,
        "splits": {"train": f"0:{len(motions)}"}, "video_path": None, "features": dict(features),
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
    }  # fmt: skip


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
