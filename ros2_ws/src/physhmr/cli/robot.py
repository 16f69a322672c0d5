"""`physhmr robot`: the robots that can be driven, pictures of how they are matched, and a first YAML for a new one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
import tyro

from physhmr.errors import PhyshmrError, RobotError
from physhmr.retarget.robot import Robot, load_robot
from physhmr.retarget.robot_cfg import robot_names
from physhmr.retarget.robot_guess import guess_robot
from physhmr.view.model_picture import ModelPicture, View

SIZE = (420, 560)
"""px of one picture."""
BONES = (("hip", "knee"), ("knee", "foot"), ("shoulder", "elbow"), ("elbow", "hand"))


def main(
    action: Annotated[Literal["list", "show", "new"], tyro.conf.Positional],
    robot: Annotated[str, tyro.conf.Positional] = "",
    out: Path | None = None,
    name: str = "",
) -> None:
    """List the robots; show how one is matched; or write a first YAML from a model.

    Args:
        action: list, show or new.
        robot: show: name or YAML. new: path of an MJCF or URDF.
        out: show: the picture. new: the YAML; the picture lies beside it.
        name: new: what the robot is called; default: its file.
    """
    if action == "list":
        for known in robot_names():
            print(f"{known:<20}{_summary(known)}")
        return
    if not robot:
        raise RobotError(f"physhmr robot {action} needs a robot" + (" model" if action == "new" else ""))
    if action == "show":
        return _show(load_robot(robot), out or Path(f"{Path(robot).stem}.png"))
    path = out or Path(f"{Path(robot).stem}.yaml")
    if path.exists():
        raise RobotError(f"{path} exists: give another --out, or remove it")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(guess_robot(Path(robot), name), encoding="utf-8")
    print(f"wrote {path}")
    _show(load_robot(path), path.with_suffix(".png"))


def _summary(name: str) -> str:
    try:
        robot = load_robot(name)
    except PhyshmrError as error:
        return str(error)
    return f"{robot.cfg.name}: {robot.num_joints} joints, {robot.model.body_mass.sum():.0f} kg"


def _show(robot: Robot, path: Path) -> None:
    """Print the match, and draw it on the standing robot from the front and from its left."""
    for role, link in robot.cfg.links.items():
        print(f"  {role:<16}{link.link:<28}driven by {link.human}")
    height = 2.4 * robot.stand[2]
    picture, center = ModelPicture(robot.model), (0.0, 0.0, 0.45 * height)
    views = [View(center, height, azimuth=azimuth, elevation=0.1) for azimuth in (0.0, 1.4)]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.hstack([_marked(robot, picture, view) for view in views])[..., ::-1])
    print(f"wrote {path}")


def _marked(robot: Robot, picture: ModelPicture, view: View) -> np.ndarray:
    image, placed = picture(robot.stand, view, SIZE), robot.placed(robot.stand)
    pixels = {}
    for role in robot.body:
        x, y, _ = view.axes() @ (robot.points(placed, role) - np.array(view.center_w)) * (SIZE[1] / view.height)
        pixels[role] = (round(SIZE[0] / 2 + x), round(SIZE[1] / 2 - y))
    for side, colour in (("left", (86, 170, 220)), ("right", (238, 150, 92))):
        for first, second in BONES:
            if f"{side}_{first}" in pixels:
                cv2.line(image, pixels[f"{side}_{first}"], pixels[f"{side}_{second}"], colour, 2, cv2.LINE_AA)
    for role, pixel in pixels.items():
        cv2.circle(image, pixel, 4, (200, 40, 60), -1, cv2.LINE_AA)
        cv2.putText(image, role, (pixel[0] + 6, pixel[1]), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (20, 20, 20), 1, cv2.LINE_AA)
    return image
