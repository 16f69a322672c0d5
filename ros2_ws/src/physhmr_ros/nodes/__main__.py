"""`python -m physhmr_ros.nodes <executable> [--ros-args ...]`: what the wrappers in lib/physhmr call."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import shlex
import signal
import sys
from collections.abc import Sequence

from physhmr.errors import PhyshmrError, UnknownNameError
from physhmr_ros import environment

EXECUTABLES: dict[str, str] = {
    "live": "physhmr_ros.nodes.live",
    "source": "physhmr_ros.nodes.source_node",
    "perception": "physhmr_ros.nodes.perception_node",
    "policy": "physhmr_ros.nodes.policy_node",
    "recorder": "physhmr_ros.nodes.recorder_node",
    "humans": "physhmr_ros.nodes.humans_node",
    "mesh": "physhmr_ros.nodes.mesh_node",
    "retarget": "physhmr_ros.nodes.retarget_node",
    "viewer": "physhmr_ros.nodes.viewer_node",
}
"""The module of each executable; its function `nodes` makes the nodes of the process."""


def main(arguments: Sequence[str]) -> int:
    """Run one executable; return its exit code."""
    # Until `process.run` takes over, an interrupt ends the imports without a traceback. An exception would not: it
    # may come up inside the C code of a module that is being imported.
    signal.signal(signal.SIGINT, lambda number, frame: os._exit(128 + number))
    name = arguments[0] if arguments else ""
    try:
        if name not in EXECUTABLES:
            raise UnknownNameError("executable", name, EXECUTABLES)
        environment.prepare()
    except PhyshmrError as error:
        print(f"physhmr: {error}", file=sys.stderr)  # noqa: T201
        return 2
    try:
        from physhmr_ros import process

        nodes = importlib.import_module(EXECUTABLES[name]).nodes
    except ModuleNotFoundError as error:
        print(f"physhmr: {advice(error)}", file=sys.stderr)  # noqa: T201
        return 2
    return process.run(nodes, arguments[1:])


def advice(error: ModuleNotFoundError) -> str:
    """Say what to do about a missing module: a ROS workspace is built without what only pip knows."""
    wanted = [name for name in importlib.metadata.requires("physhmr") or () if "extra ==" not in name]
    command = shlex.join(["python3", "-m", "pip", "install", *wanted])
    return f"the Python module '{error.name}' is missing here. What rosdep does not install comes with\n  {command}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
