"""`physhmr retarget`: motion clips, or another robot's motion, onto a robot, offline: recorded, simulated, drawn."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import tyro

from physhmr.body.humanoid_mjcf import build_model
from physhmr.body.skeleton import Skeleton
from physhmr.errors import MotionFileError, UnknownNameError
from physhmr.geometry.rotation import yaw_of
from physhmr.motion.clip import load_clips
from physhmr.motion.onto_humanoid import onto_humanoid
from physhmr.motion.procedural import RECIPES, generate
from physhmr.retarget.human import HumanFrame, human_from_clip
from physhmr.retarget.inverse_dynamics import InverseDynamics
from physhmr.retarget.lerobot_dataset import save_lerobot_dataset
from physhmr.retarget.proportions import skeleton_proportions
from physhmr.retarget.retargeter import Retargeter
from physhmr.retarget.robot import Robot, load_robot
from physhmr.retarget.robot_as_human import robot_as_human
from physhmr.retarget.robot_motion import RobotMotion, load_robot_motion, robot_motion, save_robot_motion
from physhmr.retarget.robot_sim import RobotSim
from physhmr.retarget.target import RobotTarget
from physhmr.types import Array, MotionClip
from physhmr.view.model_picture import ModelPicture, View

CELL = (150, 200)
"""px of one figure."""
FIGURES = 8
HEAD_ROOM = 2.5
"""Height of a picture, in heights of the standing root."""


@dataclass(frozen=True)
class Leader:
    """A motion to follow, and how it looks."""

    name: str
    frames: list[HumanFrame]
    q: Array
    """(T, nq) of its own model."""


def main(
    motion: Annotated[str, tyro.conf.Positional],
    robot: str = "unitree_g1",
    clip: tuple[str, ...] = (),
    recorded_on: str = "",
    out: Path = Path("out/retarget"),
    csv: bool = False,
    lerobot: bool = False,
    upper_body: bool = False,
    simulate: bool = False,
    picture: bool = False,
) -> None:
    """Retarget clips to a robot and write what it would do.

    Args:
        motion: A clip file (.npz), a recipe that is generated: walk, squat, gesture, ..., or what this command wrote.
        robot: Name of a robot, or the path of its YAML.
        clip: Names of clips in the file; default: all.
        recorded_on: The robot (name or YAML) of a motion that this command wrote; it is brought onto the other one.
        out: Folder for <clip>.npz and what else is asked for.
        csv: Write CSV beside the npz.
        lerobot: Write all clips as one new data set in LeRobot's layout, <out>/lerobot (needs physhmr[lerobot]).
        upper_body: Leave legs and root to the robot's own balance controller.
        simulate: Play it on the robot's own actuators; tells falls and tracking error.
        picture: Draw human and robot as a sheet.
    """
    driven, source = load_robot(robot), load_robot(recorded_on) if recorded_on else None
    leaders = _recording(Path(motion), source, driven) if source else _clips(motion, clip)
    person = source.proportions if source else skeleton_proportions(Skeleton())
    retargeter, recorded = Retargeter(driven, person, upper_body=upper_body), dict[str, RobotMotion]()
    for leader in leaders:
        targets = _follow(retargeter, leader.frames)
        path = out / f"{leader.name}.npz"
        recorded[leader.name] = robot_motion(driven, targets)
        save_robot_motion(path, recorded[leader.name])
        if csv:
            save_robot_motion(path.with_suffix(".csv"), recorded[leader.name])
        if picture:
            cv2.imwrite(str(path.with_suffix(".jpg")), _sheet(source, driven, leader, targets)[..., ::-1])
        print(f"{path}: {_effort(driven, targets)}{_simulated(driven, targets, upper_body) if simulate else ''}")
    if lerobot:
        save_lerobot_dataset(out / "lerobot", recorded)
        print(f"{out / 'lerobot'}: {len(recorded)} episodes")


def _clips(motion: str, names: tuple[str, ...]) -> list[Leader]:
    skeleton = Skeleton()
    return [
        Leader(clip.name.replace("/", "_"), human_from_clip(clip, skeleton), clip.qpos)
        for clip in _chosen(motion, names, skeleton)
    ]


def _chosen(motion: str, names: tuple[str, ...], skeleton: Skeleton) -> list[MotionClip]:
    if motion in RECIPES:
        return onto_humanoid([generate(motion, 0, skeleton)], skeleton)
    if not motion.endswith(".npz"):
        raise UnknownNameError("motion", motion, [*RECIPES, "<path of an .npz file of clips>"])
    clips = {clip.name: clip for clip in load_clips(Path(motion))}
    for name in names:
        if name not in clips:
            raise UnknownNameError("clip", name, clips)
    return [clips[name] for name in names or clips]


def _recording(path: Path, source: Robot, follower: Robot) -> list[Leader]:
    """What was recorded on another robot."""
    if path.suffix != ".npz":
        raise MotionFileError(f"{path}: a recorded motion is read from the .npz file")
    recorded = load_robot_motion(path, source)
    frames = [robot_as_human(source, target, follower) for target in recorded.targets()]
    return [Leader(f"{path.stem}_onto_{follower.cfg.name.lower().replace(' ', '_')}", frames, recorded.q)]


def _follow(retargeter: Retargeter, frames: list[HumanFrame]) -> list[RobotTarget]:
    retargeter.reset()
    return [retargeter.step(human) for human in frames]


def _effort(robot: Robot, targets: list[RobotTarget]) -> str:
    """What it costs, for a person."""
    inverse = InverseDynamics(robot)
    exceeded = np.sum([inverse(target).exceeded for target in targets], axis=0)
    weak = [f"{robot.joint_names[j]} in {exceeded[j]}" for j in np.argsort(-exceeded)[:3] if exceeded[j]]
    infeasible = sum(not target.feasible for target in targets)
    told = f"{len(targets)} frames, {infeasible} infeasible"
    return told + (f"; more torque than there is: {', '.join(weak)}" if weak else "; torques suffice")


def _simulated(robot: Robot, targets: list[RobotTarget], balance: bool) -> str:
    sim, errors = RobotSim(robot, balance), []
    sim.reset(targets[0].q)
    for before, target in itertools.pairwise(targets):
        errors.append(sim.step(target.joints, (target.stamp_ns - before.stamp_ns) * 1e-9))
        if sim.fallen:
            return f"; simulated: fell after {(target.stamp_ns - targets[0].stamp_ns) * 1e-9:.1f} s"
    return f"; simulated: never fell, tracking error {np.mean(errors):.3f} rad"


def _sheet(source: Robot | None, robot: Robot, leader: Leader, targets: list[RobotTarget]) -> np.ndarray:
    """Who is followed above the robot, at even instants."""
    above = ModelPicture(source.model if source else build_model())
    height = source.stand[2] if source else Skeleton().standing_root_height
    below = ModelPicture(robot.model)
    rows: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for index in np.linspace(0, len(targets) - 1, FIGURES + 2).astype(int)[1:-1]:
        rows[0].append(_figure(above, leader.q[index], HEAD_ROOM * height))
        rows[1].append(_figure(below, targets[index].q, HEAD_ROOM * robot.stand[2]))
    return np.vstack([np.hstack(row) for row in rows])


def _figure(draw: ModelPicture, q: Array, height: float) -> np.ndarray:
    view = View((q[0], q[1], 0.45 * height), height, azimuth=-0.6 + float(yaw_of(q[3:7])))
    return draw(q, view, CELL)
