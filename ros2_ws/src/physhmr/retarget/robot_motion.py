"""Retargeted motion as files: npz for programs, CSV for everything else."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from physhmr.errors import MotionFileError, NonFiniteError, ShapeError
from physhmr.motion.clip import UNREADABLE, save_arrays
from physhmr.retarget.robot import Robot
from physhmr.retarget.target import RobotTarget
from physhmr.types import Array

ROOT_COLUMNS = ("root_x", "root_y", "root_z", "root_qw", "root_qx", "root_qy", "root_qz")


@dataclass(frozen=True)
class RobotMotion:
    """What one robot was asked to do over time."""

    robot: str
    joint_names: tuple[str, ...]
    stamp_ns: NDArray[np.int64]
    """(T,) increasing."""
    q: Array
    """(T, 7 + J) as in `RobotTarget`."""
    qvel: Array
    """(T, 6 + J)."""
    pinned: NDArray[np.bool_]
    """(T, 2, 4) standing corners of the soles."""
    feasible: NDArray[np.bool_]
    """(T,)."""

    def __post_init__(self) -> None:
        frames, joints = len(self.stamp_ns), len(self.joint_names)
        shapes = {
            "q": (frames, 7 + joints),
            "qvel": (frames, 6 + joints),
            "pinned": (frames, 2, 4),
            "feasible": (frames,),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ShapeError(name, shape, getattr(self, name).shape)
        bad = int((~np.isfinite(self.q)).sum() + (~np.isfinite(self.qvel)).sum())
        if bad:
            raise NonFiniteError("q or qvel", bad)
        if not frames or (np.diff(self.stamp_ns) <= 0).any():
            raise MotionFileError("a motion needs at least one frame, and stamps that increase")

    def targets(self) -> list[RobotTarget]:
        """The frames, for whoever replays them; why one was infeasible is not kept."""
        rows = zip(self.stamp_ns.tolist(), self.q, self.qvel, self.pinned, self.feasible, strict=True)
        return [RobotTarget(s, q, v, p, "" if f else "recorded as infeasible") for s, q, v, p, f in rows]


def robot_motion(robot: Robot, targets: Sequence[RobotTarget]) -> RobotMotion:
    """Collect targets; raises `MotionFileError` when there are none."""
    if not targets:
        raise MotionFileError("there are no targets to record")
    return RobotMotion(
        robot.cfg.name, tuple(robot.joint_names), np.array([t.stamp_ns for t in targets], np.int64),
        np.array([t.q for t in targets]), np.array([t.qvel for t in targets]),
        np.array([t.pinned for t in targets]), np.array([t.feasible for t in targets]),
    )  # fmt: skip


def save_robot_motion(path: Path, motion: RobotMotion) -> None:
    """Write .npz (everything) or .csv (seconds, root, joints); raises `MotionFileError` for another ending."""
    if path.suffix == ".npz":
        save_arrays(
            path, {**vars(motion), "robot": np.array(motion.robot), "joint_names": np.array(motion.joint_names)}
        )
    elif path.suffix == ".csv":
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["seconds", *ROOT_COLUMNS, *motion.joint_names])
            seconds = (motion.stamp_ns - motion.stamp_ns[0]) * 1e-9
            writer.writerows([f"{v:.9g}" for v in (t, *row)] for t, row in zip(seconds, motion.q, strict=True))
    else:
        raise MotionFileError(f"{path}: motion is written as .npz or .csv")


def load_robot_motion(path: Path, robot: Robot) -> RobotMotion:
    """Read what `save_robot_motion` wrote as .npz; raises `MotionFileError` if it is another robot's or damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            names = tuple(str(name) for name in file["joint_names"])
            arrays = {key: file[key] for key in ("stamp_ns", "q", "qvel", "pinned", "feasible")}
            owner = str(file["robot"])
    except UNREADABLE as error:
        raise MotionFileError(f"{path} is not a recorded robot motion: {error}") from error
    if names != tuple(robot.joint_names):
        raise MotionFileError(f"{path} was recorded for '{owner}', whose joints are not those of '{robot.cfg.name}'")
    return RobotMotion(owner, names, **arrays)
