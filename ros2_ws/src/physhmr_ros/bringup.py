"""Which processes make up the live chain, with which parameters: one plan for `physhmr live` and the launch file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from physhmr import config
from physhmr.config import share_directory
from physhmr.errors import BagError, ConfigError, ModelFileError, UnknownNameError
from physhmr.parameter import Scalar, build, parameters
from physhmr.video import VideoConfig, VideoReader

DEMO = "demo"
TOPIC = "topic"
AUTO = "auto"
DEMO_CLIP = "models/clips/walk.mp4"
CHAIN = ("policy", "perception")
BESIDE = ("viewer", "humans", "mesh")
"""Who only tells or shows once more; the chain goes on without them."""
OF_THE_RUN = ("clock", "every_image", "transport", "autostart", "engine_cache")
"""Recorded parameters that a replay does not take over."""
OF_A_CAMERA = ("image_raw", "camera_info", "rays")
"""Topics that are there once for each camera."""
PARAMETER_FILE = "config/live.yaml"
RVIZ_FILE = "config/physhmr.rviz"


@dataclass(frozen=True)
class Executable:
    """One process: the executable's name and the parameters of its nodes."""

    name: str
    parameters: Mapping[str, Mapping[str, Scalar]] = field(default_factory=dict)
    """Node -> dotted parameter -> value."""
    ends_the_run: bool = False
    """The run is over when this process has ended by itself."""
    essential: bool = True
    """The chain cannot go on without it."""
    camera: str = ""
    """Of several cameras, the namespace of the one that it looks at."""


@dataclass(frozen=True)
class LiveOptions:
    """What a person may ask of the live chain."""

    source: str = DEMO
    """`demo`, a video file, a bag, a webcam's number, or `topic` for somebody else's camera driver."""
    loop: bool = False
    composed: bool = True
    page: bool = True
    film: str = AUTO
    """Overlay video: a path, empty for none, or `auto`: out/<name>.mp4 of a file that plays once."""
    policy: str = ""
    """Who drives the humanoid, `vision` or `two_stage`; empty: as the parameter file says."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """`node.parameter` -> value as text, as in `perception.model`: `lite`."""
    record: str = ""
    """Bag to write of the run: a folder that does not exist yet; empty: none."""
    offline: bool = False
    """The clock is that of the images, each of which counts: the same file gives the same joint states."""
    humans: bool = False
    """Tell about the person under the names of REP-155 too."""
    mesh: str = ""
    """Body model, SMPL's kin, whose skin is told over the humanoid; empty: none."""
    cameras: str = ""
    """Namespaces of several cameras that see one person, separated by spaces: one perception node in each."""


def plan(options: LiveOptions) -> list[Executable]:
    """Return the processes of the live chain in the order in which they start.

    Raises `UnknownNameError` for a setting that no node has, `ConfigError` for an unfit value, `VideoError`
    or `BagError` for a source that cannot be opened, `BagError` for a bag that there is already, `ModelFileError`
    for a body model that there is not.
    """
    wanted = parse_settings(options.settings)
    for node, defaults in _defaults(options).items():
        wanted[node] = {**defaults, **wanted.get(node, {})}
    if options.offline and (options.loop or options.source == TOPIC or options.source.isdecimal()):
        raise ConfigError(
            "source", "must be a video file or a bag, played once, where the images' clock counts", options.source
        )
    chain = {"live": ("policy", "perception")} if options.composed else {name: (name,) for name in CHAIN}
    others = {name: (name,) for name in ("recorder", "viewer", "humans", "mesh", "source")}
    if options.cameras:
        return _with_cameras(options, wanted)
    # The recorder is the first to come and the last to go.
    processes: dict[str, tuple[str, ...]] = {"recorder": others.pop("recorder"), **chain, **others}
    plays_once = not options.loop and not options.source.isdecimal()
    return [
        Executable(
            name,
            {node: wanted.get(node, {}) for node in nodes},
            ends_the_run=name == "source" and plays_once,
            essential=name not in BESIDE and (name != "recorder" or options.offline),
        )
        for name, nodes in processes.items()
        if _runs(name, options)
    ]


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


def build_engines(file: Path, settings: Mapping[str, str]) -> list[Path]:
    """Build the engines that the perception node would use with this parameter file and these settings.

    Raises as `parse_settings` does, and `EngineError`.
    """
    from physhmr.inference import choose
    from physhmr.inference.model_files import find_model
    from physhmr.perception import engine_config
    from physhmr.vision.blazepose import blazepose_files

    content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    values = {**_of_node(content, "perception"), **parse_settings(settings).get("perception", {})}
    known = parameters(config.PerceptionConfig)
    perception = build(config.PerceptionConfig, {name: values[name] for name in values if name in known})
    engines = engine_config(perception)
    built = choose.build_engines(blazepose_files(perception.model, detector_model=perception.detector), engines)
    if perception.refine:
        second = replace(engines, precision=perception.refine_precision)
        built += choose.build_engines([find_model(perception.refine)], second)
    return built


def _of_node(content: Mapping[str, Mapping], node: str) -> Mapping[str, Scalar]:
    """Return the parameters of a node in a parameter file, by whatever namespace it is addressed."""
    for name, part in content.items():
        if name.rsplit("/", 1)[-1] == node:
            return dict(part.get("ros__parameters", {}))
    return {}


def replayed_bag(source: str) -> str:
    """Return where a replay of `source` is recorded to if nobody says."""
    return str(Path("out", f"{Path(source).stem}-replayed"))


def split_setting(text: str) -> tuple[str, str]:
    """Return name and value of `node.parameter=value`; raises `ConfigError` for anything else."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(name, "needs the form node.parameter=value", text)
    return name.strip(), value.strip()


def parameter_file() -> Path:
    """Return the shipped parameter file, which holds every default."""
    return share_directory() / PARAMETER_FILE


def rviz_file() -> Path:
    """Return the shipped configuration of RViz."""
    return share_directory() / RVIZ_FILE


def ros_arguments(
    executable: Executable, file: Path, folder: Path, namespace: str, remaps: Mapping[str, str]
) -> list[str]:
    """Return the ROS arguments of a process: parameter file, its own parameters (they win), namespace and remaps.

    Its own parameters are written to a file in `folder`: on a command line they would miss nodes in a namespace.
    """
    own = folder / f"{executable.camera.replace('/', '_')}{executable.name}.yaml"
    own.write_text(parameter_text(executable), encoding="utf-8")
    arguments = ["--params-file", str(file), "--params-file", str(own)]
    below = executable.camera if executable.name == "perception" else ""
    if inside := "/".join(filter(None, (namespace.strip("/"), below))):
        arguments += ["-r", f"__ns:=/{inside}"]
    if executable.camera and not below:
        remaps = {topic: f"{executable.camera}/{remaps.get(topic, topic)}" for topic in OF_A_CAMERA}
    for old, new in remaps.items():
        if new != old:
            arguments += ["-r", f"{old}:={new}"]
    return arguments


def parameter_text(executable: Executable) -> str:
    """Return the parameters of a process as a ROS parameter file that fits its nodes in any namespace."""
    nodes = {f"/**/{node}": {"ros__parameters": dict(values)} for node, values in executable.parameters.items()}
    return yaml.safe_dump({node: content for node, content in nodes.items() if content["ros__parameters"]} or None)


def _with_cameras(options: LiveOptions, wanted: Mapping[str, Mapping[str, Scalar]]) -> list[Executable]:
    """Return the processes of a chain with a perception node for each camera, in its namespace; the first is shown."""
    if options.source != TOPIC or options.record or options.offline:
        raise ConfigError("cameras", f"need source {TOPIC}, and are not recorded or replayed yet", options.cameras)
    names = config.CamerasConfig(options.cameras).names
    policy = {**wanted.get("policy", {}), "cameras": " ".join(names)}
    perception = {"perception": wanted.get("perception", {})}
    others = [name for name in BESIDE if _runs(name, options)]
    return [
        Executable("policy", {"policy": policy}),
        *(Executable("perception", perception, camera=name) for name in names),
        *(Executable(name, {name: wanted.get(name, {})}, essential=False, camera=names[0]) for name in others),
    ]


def _defaults(options: LiveOptions) -> dict[str, dict[str, Scalar]]:
    """Return what follows from the options for each node; settings of the user win over it."""
    defaults: dict[str, dict[str, Scalar]] = {}
    if options.policy:
        defaults = parse_settings({"policy.policy": options.policy})
    if _runs("viewer", options):
        defaults["viewer"] = {"page": options.page, "film": _film(options)}
    if _runs("mesh", options):
        defaults["mesh"] = {"model": str(_body_model(options.mesh))}
    if _runs("recorder", options):
        defaults["recorder"] = {"bag": str(_new_folder(options.record))}
    if _runs("source", options):
        uri = _uri(options)
        listeners = 1 + sum(_runs(name, options) for name in ("viewer", "recorder", "humans"))
        defaults["source"] = {"uri": uri, "loop": options.loop, "listeners": listeners, "lockstep": options.offline}
        for node, values in _known_of(uri, options.settings.get("source.images", "")).items():
            defaults[node] = {**values, **defaults.get(node, {})}
    if options.offline:
        defaults.setdefault("policy", {})["clock"] = "frame"
        defaults.setdefault("perception", {})["every_image"] = True
    return defaults


def _runs(name: str, options: LiveOptions) -> bool:
    if name == "viewer":
        return options.page or bool(_film(options))
    if name == "recorder":
        return bool(options.record)
    if name == "humans":
        return options.humans
    if name == "mesh":
        return bool(options.mesh)
    return name != "source" or options.source != TOPIC


def _uri(options: LiveOptions) -> str:
    if options.source.isdecimal():
        return options.source
    path = share_directory() / DEMO_CLIP if options.source == DEMO else Path(options.source).expanduser()
    return str(path.absolute())


def _new_folder(name: str) -> Path:
    path = Path(name).expanduser().absolute()
    if path.exists():
        raise BagError(f"'{path}' exists already, and a bag is never overwritten; name another folder")
    return path


def _body_model(name: str) -> Path:
    path = Path(name).expanduser().absolute()
    if not path.is_file():
        raise ModelFileError(f"there is no body model at {path}; docs/mesh.md says which there are")
    return path


def _film(options: LiveOptions) -> str:
    """Return where to film: a webcam, a topic or a loop would fill the disk without being asked."""
    if options.film != AUTO:
        return options.film and str(Path(options.film).expanduser().absolute())
    if options.loop or options.source == TOPIC or options.source.isdecimal():
        return ""
    return str(Path("out", f"{Path(_uri(options)).stem}.mp4").absolute())


def _chosen(node: str, values: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Return the recorded parameters that differ from the defaults and say how the run was made, not how it ran."""
    known = config.node_parameters(node)
    return {
        name: value
        for name, value in values.items()
        if name in known and value != known[name].default and name not in OF_THE_RUN
    }


def _known_of(uri: str, images: str) -> dict[str, dict[str, Scalar]]:
    """Return node -> parameters that follow from the file: from a video's sidecar, from what a bag holds."""
    if uri.isdecimal():
        return {}
    # What reads bags is nothing that rosdep knows: launch files must load without it.
    from physhmr_ros.bags.camera import camera_topics
    from physhmr_ros.bags.parameters import recorded_parameters
    from physhmr_ros.bags.reader import BagReader, is_bag

    if is_bag(Path(uri)):
        with BagReader(Path(uri)) as bag:
            compressed = camera_topics(bag.topics, images).compressed
            known = {node: _chosen(node, values) for node, values in recorded_parameters(bag).items() if node in CHAIN}
        return {
            **known,
            "perception": known.get("perception", {}) | {"transport": "compressed" if compressed else "raw"},
        }
    with VideoReader(VideoConfig(uri)) as reader:
        height = reader.person_height
    return {} if height is None else {node: {"person_height": height} for node in CHAIN}
