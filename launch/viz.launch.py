"""Something to look at, beside a chain that runs already, here or on another machine: web page, overlay video, RViz.

ros2 launch physhmr viz.launch.py page:=false rviz:=true
"""

from __future__ import annotations

from launch import LaunchDescription, LaunchDescriptionEntity

from physhmr_ros import bringup, launching

ARGUMENTS = {
    "page": ("true", "Serve a web page that shows camera, rays and humanoid"),
    "host": ("127.0.0.1", "Address that the page is served on; 0.0.0.0 lets other machines look"),
    "port": ("8080", "Port of the page, or the next free one"),
    "film": ("", "Overlay video to write (.mp4); empty: none"),
    "rviz": ("false", "Start RViz 2 with config/physhmr.rviz"),
    "mesh": ("", "Body model of yours (npz of SMPL, SMPL-H or SMPL-X) whose skin is told over the humanoid"),
    "params_file": (str(bringup.parameter_file()), "ROS parameter file with the values of all nodes"),
    "namespace": ("", "ROS namespace of all topics"),
    "image": ("image_raw", "Topic of the images"),
    "camera_info": ("camera_info", "Topic of their CameraInfo"),
}


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments, then start what they ask for."""
    return launching.describe(ARGUMENTS, start_viewers)


def start_viewers(given: dict[str, str]) -> list[LaunchDescriptionEntity]:
    """Return the actions of viewer, mesh and RViz, as far as they are wanted."""
    settings = {
        "viewer.page": given["page"],
        "viewer.host": given["host"],
        "viewer.port": given["port"],
        "viewer.film": given["film"],
        "mesh.model": given["mesh"],
    }
    parameters = bringup.parse_settings(settings)
    wanted = {"viewer": bool(parameters["viewer"]["page"] or given["film"]), "mesh": bool(given["mesh"])}
    remaps = {"image_raw": given["image"], "camera_info": given["camera_info"]}
    actions = [
        launching.node(
            bringup.Executable(name, {name: parameters[name]}), given["params_file"], given["namespace"], remaps
        )
        for name in ("viewer", "mesh")
        if wanted[name]
    ]
    return [*actions, launching.rviz(given["namespace"], remaps)] if given["rviz"].lower() == "true" else actions
