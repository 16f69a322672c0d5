"""A person in front of a camera moves a humanoid: camera, perception and policy as ROS 2 nodes.

ros2 launch physhmr live.launch.py source:=topic image:=/camera/image_raw camera_info:=/camera/camera_info
"""

from __future__ import annotations

import logging
from pathlib import Path

from launch import LaunchDescription, LaunchDescriptionEntity
from launch.actions import EmitEvent, LogInfo, OpaqueFunction
from launch.events import Shutdown

from physhmr_ros import bringup, launching

ARGUMENTS = {
    "source": (
        bringup.DEMO,
        "demo (the bundled clip), a video file, a bag, a webcam's number, or topic: another driver's",
    ),
    "loop": ("false", "Start a video again at its end"),
    "composed": ("true", "Perception and policy in one process; else one process each, with the same topics"),
    "page": ("true", "Serve a web page that shows camera, rays and humanoid"),
    "film": ("", "Overlay video to write (.mp4); auto: out/<name>.mp4 for a file that plays once"),
    "record": ("", "Bag to write of the run, a folder that does not exist yet; empty: none"),
    "humans": ("false", "Tell about the person under the names of REP-155 too: /humans/bodies/..."),
    "mesh": ("", "Body model of yours (npz of SMPL, SMPL-H or SMPL-X) whose skin is told over the humanoid"),
    "cameras": (
        "",
        "Namespaces of cameras that see one person, such as 'left right'; needs source:=topic, and TF",
    ),
    "policy": ("", "vision (rays to action) or two_stage (lift, then track); empty: as the parameter file says"),
    "set": ("", "Parameters, separated by spaces: perception.model=lite policy.tf=root"),
    "params_file": (str(bringup.parameter_file()), "ROS parameter file with the values of all nodes"),
    "build_only": ("false", "Build the engines of the perception node for this machine, and end"),
    "namespace": ("", "ROS namespace of all topics"),
    "image": ("image_raw", "Topic of the images"),
    "camera_info": ("camera_info", "Topic of their CameraInfo"),
}


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments, then start what they ask for."""
    return launching.describe(ARGUMENTS, start_nodes)


def start_nodes(given: dict[str, str]) -> list[LaunchDescriptionEntity]:
    """Return one node action per process of the plan."""
    settings = dict(map(bringup.split_setting, given["set"].split()))
    if given["build_only"].lower() == "true":
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        bringup.build_engines(Path(given["params_file"]), settings)
        return [EmitEvent(event=Shutdown(reason="the engines are built"))]
    options = bringup.LiveOptions(
        source=given["source"],
        loop=given["loop"].lower() == "true",
        composed=given["composed"].lower() == "true",
        page=given["page"].lower() == "true",
        film=given["film"],
        policy=given["policy"],
        settings=settings,
        record=given["record"],
        humans=given["humans"].lower() == "true",
        mesh=given["mesh"],
        cameras=given["cameras"],
    )
    remaps = {"image_raw": given["image"], "camera_info": given["camera_info"]}
    return [
        launching.node(one, given["params_file"], given["namespace"], remaps, on_exit=[when_ended(one)])
        for one in bringup.plan(options)
    ]


def when_ended(one: bringup.Executable) -> LaunchDescriptionEntity:
    """Return what follows from the end of a process."""
    if one.essential:
        return EmitEvent(event=Shutdown(reason=f"{one.name} ended"))
    said = LogInfo(msg=f"{one.name} ended; the others go on without it")
    return OpaqueFunction(function=lambda context: [] if context.is_shutdown else [said])
