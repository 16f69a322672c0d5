"""A bag or a video in, a bag out: every image counts, and the same file gives the same joint states.

ros2 launch physhmr offline.launch.py source:=run.mcap bag:=out/again
"""

from __future__ import annotations

from launch import LaunchDescription, LaunchDescriptionEntity
from launch.actions import EmitEvent
from launch.events import Shutdown

from physhmr_ros import bringup, launching

ARGUMENTS = {
    "source": (bringup.DEMO, "demo (the bundled clip), a video file, or a bag: an .mcap file or the folder of one"),
    "bag": ("", "Folder of the new bag, which must not exist yet; empty: out/<name>-replayed"),
    "images": ("raw", "Images in the new bag: raw, or none, which makes it small but not repeatable"),
    "composed": ("true", "Perception and policy in one process; else one process each, with the same result"),
    "page": ("false", "Serve a web page that shows camera, rays and humanoid"),
    "film": ("", "Overlay video to write (.mp4); empty: none"),
    "policy": ("", "vision (rays to action) or two_stage (lift, then track); empty: as the parameter file says"),
    "set": ("", "Parameters, separated by spaces: perception.model=lite policy.tf=root"),
    "params_file": (str(bringup.parameter_file()), "ROS parameter file with the values of all nodes"),
    "namespace": ("", "ROS namespace of all topics"),
    "image": ("image_raw", "Topic on which the images are played"),
    "camera_info": ("camera_info", "Topic on which their CameraInfo is played"),
}


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments, then start what they ask for."""
    return launching.describe(ARGUMENTS, start_nodes)


def start_nodes(given: dict[str, str]) -> list[LaunchDescriptionEntity]:
    """Return one node action per process of the plan; all of them end when one does."""
    options = bringup.LiveOptions(
        source=given["source"],
        composed=given["composed"].lower() == "true",
        page=given["page"].lower() == "true",
        film=given["film"],
        policy=given["policy"],
        settings={"recorder.images": given["images"], **dict(map(bringup.split_setting, given["set"].split()))},
        record=given["bag"] or bringup.replayed_bag(given["source"]),
        offline=True,
    )
    remaps = {"image_raw": given["image"], "camera_info": given["camera_info"]}
    ended = EmitEvent(event=Shutdown(reason="the end of the file, or of a node"))
    return [
        launching.node(one, given["params_file"], given["namespace"], remaps, on_exit=[ended])
        for one in bringup.plan(options)
    ]
