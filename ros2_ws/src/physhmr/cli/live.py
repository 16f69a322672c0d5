"""`physhmr live`: the whole chain as ROS 2 nodes, without the launch package."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import tyro


def main(
    source: str = "demo",
    loop: bool = False,
    composed: bool = True,
    page: bool = True,
    film: str = "auto",
    record: str = "",
    humans: bool = False,
    mesh: str = "",
    cameras: str = "",
    policy: Literal["", "vision", "two_stage"] = "",
    settings: Annotated[tuple[str, ...], tyro.conf.arg(name="set", metavar="NODE.PARAMETER=VALUE ...")] = (),
    params_file: Path | None = None,
    build_only: bool = False,
    namespace: str = "",
    image: str = "image_raw",
    camera_info: str = "camera_info",
) -> int:
    """Run camera, perception and humanoid until the video ends or Ctrl-C.

    Args:
        source: demo (the bundled clip), a video file, a bag, a webcam's number, or topic: somebody else's driver.
        loop: Start a video again at its end.
        composed: Perception and policy in one process; else one process each, with the same topics.
        page: Serve a web page that shows camera, rays and humanoid.
        film: Overlay video to write; auto: out/<name>.mp4 for a file that plays once; an empty string: none.
        record: Bag to write of the run, a folder that does not exist yet; an empty string: none.
        humans: Tell about the person under the names of REP-155 too: /humans/bodies/...
        mesh: Body model of yours (npz of SMPL, SMPL-H or SMPL-X) whose skin is told over the humanoid.
        cameras: Namespaces of cameras that see one person, such as "left right"; needs source topic, and TF.
        policy: Who drives the humanoid: rays to action, or lift, then track; empty: as the parameter file says.
        settings: Parameters, such as perception.model=lite; `physhmr parameters` lists them.
        params_file: ROS parameter file to use instead of the shipped config/live.yaml.
        build_only: Build the engines of the perception node for this machine, and end.
        namespace: ROS namespace of all topics.
        image: Topic of the images.
        camera_info: Topic of their CameraInfo.
    """
    from physhmr_ros import bringup
    from physhmr_ros.supervisor import Supervisor

    given, file = dict(map(bringup.split_setting, settings)), params_file or bringup.parameter_file()
    if build_only:
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        bringup.build_engines(file, given)
        return 0
    options = bringup.LiveOptions(
        source, loop, composed, page, film, policy, given, record, humans=humans, mesh=mesh, cameras=cameras
    )
    remaps = {"image_raw": image, "camera_info": camera_info}
    plan = bringup.plan(options)
    with tempfile.TemporaryDirectory(prefix="physhmr_") as folder:
        return Supervisor().run(
            [(one, ["--ros-args", *bringup.ros_arguments(one, file, Path(folder), namespace, remaps)]) for one in plan]
        )
