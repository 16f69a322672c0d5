"""`physhmr retarget`: motion clips onto a robot, offline: recorded, simulated, drawn."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import tyro

from physhmr.body.humanoid_mjcf import build_model
from physhmr.body.skeleton import Skeleton
from physhmr.errors import UnknownNameError
from physhmr.geometry.rotation import yaw_of
from physhmr.motion.clip import load_clips
from physhmr.motion.onto_humanoid import onto_humanoid
from physhmr.motion.procedural import RECIPES, generate
from physhmr.retarget.human import human_from_clip
from physhmr.retarget.inverse_dynamics import InverseDynamics
from physhmr.retarget.proportions import skeleton_proportions
from physhmr.retarget.retargeter import Retargeter
from physhmr.retarget.robot import Robot, load_robot
from physhmr.retarget.robot_motion import robot_motion, save_robot_motion
from physhmr.retarget.robot_sim import RobotSim
from physhmr.retarget.target import RobotTarget
from physhmr.types import Array, MotionClip
from physhmr.view.model_picture import ModelPicture, View

CELL = (150, 200)
"""px of one figure."""
FIGURES = 8
HEAD_ROOM = 2.5
"""Height of a picture, in heights of the standing root."""


def main(
    motion: Annotated[str, tyro.conf.Positional],
    robot: str = "unitree_g1",
    clip: tuple[str, ...] = (),
    out: Path = Path("out/retarget"),
    csv: bool = False,
    upper_body: bool = False,
    simulate: bool = False,
    picture: bool = False,
) -> None:
    """Retarget clips to a robot and write what it would do.

    Args:
        motion: A clip file (.npz), or a recipe that is generated: walk, squat, gesture, ...
        robot: Name of a robot, or the path of its YAML.
        clip: Names of clips in the file; default: all.
        out: Folder for <clip>.npz and what else is asked for.
        csv: Write CSV beside the npz.
        upper_body: Leave legs and root to the robot's own balance controller.
        simulate: Play it on the robot's own actuators; tells falls and tracking error.
        picture: Draw human and robot as a sheet.
    """
    driven, skeleton = load_robot(robot), Skeleton()
    retargeter = Retargeter(driven, skeleton_proportions(skeleton), upper_body=upper_body)
    for chosen in _clips(motion, clip, skeleton):
        targets = _follow(retargeter, chosen, skeleton)
        path = out / f"{chosen.name.replace('/', '_')}.npz"
        recorded = robot_motion(driven, targets)
        save_robot_motion(path, recorded)
        if csv:
            save_robot_motion(path.with_suffix(".csv"), recorded)
        if picture:
            cv2.imwrite(str(path.with_suffix(".jpg")), _sheet(driven, chosen, targets)[..., ::-1])
        print(f"{path}: {_effort(driven, targets)}{_simulated(driven, targets, upper_body) if simulate else ''}")


def _clips(motion: str, names: tuple[str, ...], skeleton: Skeleton) -> list[MotionClip]:
    if motion in RECIPES:
        return onto_humanoid([generate(motion, 0, skeleton)], skeleton)
    if not motion.endswith(".npz"):
        raise UnknownNameError("motion", motion, [*RECIPES, "<path of an .npz file of clips>"])
    clips = {clip.name: clip for clip in load_clips(Path(motion))}
    for name in names:
        if name not in clips:
            raise UnknownNameError("clip", name, clips)
    return [clips[name] for name in names or clips]


def _follow(retargeter: Retargeter, clip: MotionClip, skeleton: Skeleton) -> list[RobotTarget]:
    retargeter.reset()
    return [retargeter.step(human) for human in human_from_clip(clip, skeleton)]


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


def _sheet(robot: Robot, clip: MotionClip, targets: list[RobotTarget]) -> np.ndarray:
    """The human above the robot at even instants."""
    skeleton = Skeleton()
    human, machine = ModelPicture(build_model()), ModelPicture(robot.model)
    rows: list[list[np.ndarray]] = [[], []]
    for index in np.linspace(0, len(targets) - 1, FIGURES + 2).astype(int)[1:-1]:
        pairs = ((human, clip.qpos[index], skeleton.standing_root_height), (machine, targets[index].q, robot.stand[2]))
        for row, (draw, q, root) in zip(rows, pairs, strict=True):
            row.append(_figure(draw, q, HEAD_ROOM * root))
    return np.vstack([np.hstack(row) for row in rows])


def _figure(draw: ModelPicture, q: Array, height: float) -> np.ndarray:
    view = View((q[0], q[1], 0.45 * height), height, azimuth=-0.6 + float(yaw_of(q[3:7])))
    return draw(q, view, CELL)
