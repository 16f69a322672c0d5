"""`physhmr <command>`: each command is a module with a typed function `main`, imported only when asked for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from physhmr.errors import PhyshmrError, UnknownNameError

COMMANDS: dict[str, str] = {
    "data": "Build the motion library that experts are trained on, or check one",
    "engines": "Compile the networks ahead of time for OpenVINO or TensorRT, or list what is kept",
    "evaluate": "Measure accuracy, physics and speed of the chain on real clips, or of a policy on motion",
    "export": "Turn a training checkpoint into the shipped policy file",
    "live": "Run the whole chain on a clip, a video, a webcam or somebody's camera topic, as ROS 2 nodes",
    "models": "List the networks with their licences, show a card, add one of yours, verify checksums",
    "parameters": "List every parameter of the nodes: type, default, range, unit, meaning",
    "record": "Record everything of a run as a bag",
    "replay": "Run a bag or a video through the chain with the images' clock, recorded as a new bag",
    "retarget": "Bring motion clips onto a robot: recorded, simulated, drawn",
    "robot": "List the robots that can be driven, show how one is matched, or describe a new one",
    "train": "Train the tracking expert or the motion encoder on the motion library; resumable",
}
"""Name -> summary. The module `physhmr.cli.<name>` (dashes become underscores) has the function `main`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0 done, 2 refused with a message, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help"):
        print(usage())
        return 0
    try:
        return _run(given[0], given[1:])
    except PhyshmrError as error:
        print(f"physhmr {given[0]}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def usage() -> str:
    """Return the list of commands."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {summary}" for name, summary in COMMANDS.items()]
    return "\n".join(["usage: physhmr <command> [options]; physhmr <command> --help", "", *lines])


def _run(name: str, options: list[str]) -> int:
    if name not in COMMANDS:
        raise UnknownNameError("command", name, COMMANDS)
    # Imported late: an interrupt meanwhile ends the command without a traceback.
    import tyro

    module = importlib.import_module(f"physhmr.cli.{name.replace('-', '_')}")
    return int(tyro.cli(module.main, prog=f"physhmr {name}", args=options) or 0)
