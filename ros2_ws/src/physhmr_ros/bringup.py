"""Which processes make up the live chain, with which parameters: one plan for `physhmr live` and the launch file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from physhmr import config
from physhmr.config import Scalar, share_directory
from physhmr.errors import ConfigError, UnknownNameError
from physhmr.video import VideoConfig, VideoReader

DEMO = "demo"
TOPIC = "topic"
DEMO_CLIP = "models/clips/walk.mp4"
PARAMETER_FILE = "config/live.yaml"


@dataclass(frozen=True)
class Executable:
    """One process: the executable's name and the parameters of its nodes."""

    name: str
    parameters: Mapping[str, Mapping[str, Scalar]] = field(default_factory=dict)
    """Node -> dotted parameter -> value."""
    ends_the_run: bool = False
    """The run is over when this process has ended by itself."""


@dataclass(frozen=True)
class LiveOptions:
    """What a person may ask of the live chain."""

    source: str = DEMO
    """`demo`, a video file, a webcam's number, or `topic` for somebody else's camera driver."""
    loop: bool = False
    composed: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)
    """`node.parameter` -> value as text, as in `perception.model`: `lite`."""


def plan(options: LiveOptions) -> list[Executable]:
    """Return the processes of the live chain in the order in which they start.

    Raises `UnknownNameError` for a setting that no node has, `ConfigError` for an unfit value, `VideoError`
    for a source that cannot be opened.
    """
    wanted = parse_settings(options.settings)
    sources = _sources(options, wanted)
    nodes = {name: wanted.get(name, {}) for name in ("perception", "policy")}
    if options.composed:
        return [Executable("live", nodes), *sources]
    return [Executable(name, {name: nodes[name]}) for name in ("policy", "perception")] + sources


def parse_settings(settings: Mapping[str, str]) -> dict[str, dict[str, Scalar]]:
    """Return node -> parameter -> checked value of texts such as `perception.camera.height` -> `1.2`."""
    valid = {f"{node}.{name}": spec for node in config.NODES for name, spec in config.node_parameters(node).items()}
    parsed: dict[str, dict[str, Scalar]] = {}
    for name, text in settings.items():
        if name not in valid:
            raise UnknownNameError("setting", name, valid)
        node, _, parameter = name.partition(".")
        value = text if valid[name].kind is str else yaml.safe_load(text)
        parsed.setdefault(node, {})[parameter] = valid[name].check(name, value)
    return parsed


def split_setting(text: str) -> tuple[str, str]:
    """Return name and value of `node.parameter=value`; raises `ConfigError` for anything else."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(name, "needs the form node.parameter=value", text)
    return name.strip(), value.strip()


def parameter_file() -> Path:
    """Return the shipped parameter file, which holds every default."""
    return share_directory() / PARAMETER_FILE


def ros_arguments(
    executable: Executable, file: Path, folder: Path, namespace: str, remaps: Mapping[str, str]
) -> list[str]:
    """Return the ROS arguments of a process: parameter file, its own parameters (they win), namespace and remaps.

    Its own parameters are written to a file in `folder`: on a command line they would miss nodes in a namespace.
    """
    own = folder / f"{executable.name}.yaml"
    own.write_text(parameter_text(executable), encoding="utf-8")
    arguments = ["--params-file", str(file), "--params-file", str(own)]
    if namespace:
        arguments += ["-r", f"__ns:=/{namespace.strip('/')}"]
    for old, new in remaps.items():
        if new != old:
            arguments += ["-r", f"{old}:={new}"]
    return arguments


def parameter_text(executable: Executable) -> str:
    """Return the parameters of a process as a ROS parameter file that fits its nodes in any namespace."""
    nodes = {f"/**/{node}": {"ros__parameters": dict(values)} for node, values in executable.parameters.items()}
    return yaml.safe_dump({node: content for node, content in nodes.items() if content["ros__parameters"]} or None)


def _sources(options: LiveOptions, wanted: dict[str, dict[str, Scalar]]) -> list[Executable]:
    if options.source == TOPIC:
        return []
    uri = str(share_directory() / DEMO_CLIP) if options.source == DEMO else options.source
    if not uri.isdecimal():
        uri = str(Path(uri).expanduser().absolute())
        _take_over_height(uri, wanted)
    parameters: dict[str, Scalar] = {"uri": uri, "loop": options.loop, **wanted.get("source", {})}
    return [Executable("source", {"source": parameters}, ends_the_run=not uri.isdecimal())]


def _take_over_height(uri: str, wanted: dict[str, dict[str, Scalar]]) -> None:
    """Give both nodes the person's height that the video's sidecar states, unless the user has said another."""
    with VideoReader(VideoConfig(uri)) as reader:
        height = reader.person_height
    if height is not None:
        for node in ("perception", "policy"):
            wanted.setdefault(node, {}).setdefault("person_height", height)
