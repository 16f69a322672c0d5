"""Something to look at, beside a chain that runs already, here or on another machine: web page, overlay video.

ros2 launch physhmr viz.launch.py film:=out/now.mp4
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from physhmr_ros import bringup

ARGUMENTS = {
    "page": ("true", "Serve a web page that shows camera, rays and humanoid"),
    "host": ("127.0.0.1", "Address that the page is served on; 0.0.0.0 lets other machines look"),
    "port": ("8080", "Port of the page, or the next free one"),
    "film": ("", "Overlay video to write (.mp4); empty: none"),
    "params_file": (str(bringup.parameter_file()), "ROS parameter file with the values of all nodes"),
    "namespace": ("", "ROS namespace of all topics"),
    "image": ("image_raw", "Topic of the images"),
    "camera_info": ("camera_info", "Topic of their CameraInfo"),
}


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments, then start the viewer with them."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=start_viewer)])


def start_viewer(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return the viewer's node action."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    settings = {
        "viewer.page": given["page"],
        "viewer.host": given["host"],
        "viewer.port": given["port"],
        "viewer.film": given["film"],
    }
    viewer = bringup.Executable("viewer", bringup.parse_settings(settings))
    file, folder = Path(given["params_file"]), Path(tempfile.mkdtemp(prefix="physhmr_"))
    remaps = {"image_raw": given["image"], "camera_info": given["camera_info"]}
    arguments = bringup.ros_arguments(viewer, file, folder, given["namespace"], remaps)
    return [Node(package="physhmr", executable=viewer.name, output="screen", ros_arguments=arguments)]
