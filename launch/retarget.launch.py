"""A robot beside a chain that runs already: guarded joint targets, disarmed until retarget/enable is called.

ros2 launch physhmr retarget.launch.py robot:=unitree_g1 simulate:=true
"""

from __future__ import annotations

from launch import LaunchDescription, LaunchDescriptionEntity

from physhmr_ros import bringup, launching

ARGUMENTS = {
    "robot": ("unitree_g1", "Name of a robot (`physhmr robot list`), or the path of its YAML"),
    "upper_body": ("true", "Drive the upper body only; legs are left to the robot's own balance controller"),
    "simulate": ("false", "Play the targets on the simulated robot instead of waiting for a real one"),
    "params_file": (str(bringup.parameter_file()), "ROS parameter file with the values of all nodes"),
    "namespace": ("", "ROS namespace of all topics"),
    "joint_states": ("robot_joint_states", "Topic on which the robot says where its joints are; only read"),
}


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments, then start the node with them."""
    return launching.describe(ARGUMENTS, start_retargeting)


def start_retargeting(given: dict[str, str]) -> list[LaunchDescriptionEntity]:
    """Return the node's action."""
    settings = {
        "retarget.robot": given["robot"],
        "retarget.upper_body": given["upper_body"],
        "retarget.simulate": given["simulate"],
    }
    node = bringup.Executable("retarget", bringup.parse_settings(settings))
    remaps = {"robot_joint_states": given["joint_states"]}
    return [launching.node(node, given["params_file"], given["namespace"], remaps)]
