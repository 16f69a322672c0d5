"""Something to look at, beside a chain that runs already, here or on another machine: web page, overlay video.

ros2 launch physhmr viz.launch.py film:=out/now.mp4
"""

from __future__ import annotations

from launch import LaunchDescription, LaunchDescriptionEntity

from physhmr_ros import bringup, launching

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
    return launching.describe(ARGUMENTS, start_viewer)


def start_viewer(given: dict[str, str]) -> list[LaunchDescriptionEntity]:
    """Return the viewer's node action."""
    settings = {
        "viewer.page": given["page"],
        "viewer.host": given["host"],
        "viewer.port": given["port"],
        "viewer.film": given["film"],
    }
    viewer = bringup.Executable("viewer", bringup.parse_settings(settings))
    remaps = {"image_raw": given["image"], "camera_info": given["camera_info"]}
    return [launching.node(viewer, given["params_file"], given["namespace"], remaps)]
