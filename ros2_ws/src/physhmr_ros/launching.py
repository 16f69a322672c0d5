"""What the launch files have in common; the only module that needs ROS's launch packages."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from physhmr_ros import bringup


def describe(
    arguments: Mapping[str, tuple[str, str]], start: Callable[[dict[str, str]], list[LaunchDescriptionEntity]]
) -> LaunchDescription:
    """Declare arguments, name -> (default, description), then start what `start` makes of their values."""

    def started(context: LaunchContext) -> list[LaunchDescriptionEntity]:
        return start({name: LaunchConfiguration(name).perform(context) for name in arguments})

    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in arguments.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=started)])


def node(one: bringup.Executable, params_file: str, namespace: str, remaps: Mapping[str, str], **options: Any) -> Node:
    """Return the action of one process, with the ROS arguments that `bringup.ros_arguments` gives it."""
    folder = Path(tempfile.mkdtemp(prefix="physhmr_"))
    arguments = bringup.ros_arguments(one, Path(params_file), folder, namespace, remaps)
    return Node(package="physhmr", executable=one.name, output="screen", ros_arguments=arguments, **options)


def rviz(namespace: str, remaps: Mapping[str, str]) -> Node:
    """Return the action of RViz with our displays, in the namespace of the chain that it shows."""
    options = {"namespace": namespace, "remappings": list(remaps.items()), "output": "screen"}
    return Node(package="rviz2", executable="rviz2", arguments=["-d", str(bringup.rviz_file())], **options)
