"""What a robot's YAML file says: the model, which human body drives which link, weights, limits.

A file holds the named fields of `RobotCfg`. Joint tables take shell patterns (`*_knee_joint: 20.0`); a pattern
that fits no joint is an error that lists the joints there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from physhmr.config import share_directory
from physhmr.errors import RobotError, UnknownNameError
from physhmr.retarget.roles import ARM, HUMAN_BODY, REQUIRED, ROLES, SIDES

Vector = tuple[float, float, float]
Pair = tuple[float, float]


@dataclass(frozen=True)
class LinkCfg:
    """One link of the robot and what drives it."""

    link: str
    """Body of the robot's model."""
    human: str = ""
    """Body of the humanoid; default: the role's."""
    point: Vector = (0.0, 0.0, 0.0)
    """m, in the link's frame: the place that corresponds to the human joint."""
    position: float = 1.0
    """Weight of the position, as a factor of the role's own."""
    rotation: float = 1.0
    """Weight of the orientation, as a factor of the role's own."""
    fingers: Vector | None = None
    """Hands: direction of the fingers in the link's frame; with `thumb`, the hand's orientation is followed."""
    thumb: Vector | None = None
    """Hands: direction of the thumb in the link's frame."""

    def __post_init__(self) -> None:
        for name in ("point", "fingers", "thumb"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _numbers(f"{self.link}.{name}", value, 3))
        if self.position < 0 or self.rotation < 0:
            raise RobotError(f"link '{self.link}': weights must not be negative")
        if (self.fingers is None) != (self.thumb is None):
            raise RobotError(f"link '{self.link}': give both fingers and thumb, or neither")


@dataclass(frozen=True)
class ScaleCfg:
    """Factors on what is measured from human and robot; 1 keeps the ratio of their limbs."""

    legs: float = 1.0
    """Of step length, stance and pelvis height."""
    arms: float = 1.0
    """Of the arms' reach."""

    def __post_init__(self) -> None:
        if not (0.2 <= self.legs <= 2.0 and 0.2 <= self.arms <= 2.0):
            raise RobotError(f"scale factors must lie in [0.2, 2], got legs {self.legs:g}, arms {self.arms:g}")


@dataclass(frozen=True)
class RobotCfg:
    """A robot, as described by its file."""

    name: str
    """For people."""
    model: str
    """Path of the MJCF or URDF: absolute, relative to this file, or inside `package`."""
    links: Mapping[str, LinkCfg]
    """By role (`roles.ROLES`)."""
    package: str = ""
    """Installed Python package that holds the model."""
    stand: str = ""
    """Keyframe of the model in which the robot stands upright on flat feet; empty: all joints at zero."""
    stand_joints: Mapping[str, float] = field(default_factory=dict)
    """Joint pattern -> rad, on top of `stand`."""
    limits: Mapping[str, Pair] = field(default_factory=dict)
    """Joint pattern -> rad, where the model's range is missing or should be narrower."""
    velocity: Mapping[str, float] = field(default_factory=dict)
    """Joint pattern -> rad/s; elsewhere `DEFAULT_VELOCITY`."""
    torque: Mapping[str, float] = field(default_factory=dict)
    """Joint pattern -> N m, where the model has none."""
    gains: Mapping[str, Pair] = field(default_factory=dict)
    """Joint pattern -> (N m/rad, N m s/rad) of a PD loop around motors that take torques, in simulation."""
    scale: ScaleCfg = field(default_factory=ScaleCfg)
    ignore: tuple[tuple[str, str], ...] = ()
    """Pairs of links whose collision is not looked for."""
    folder: Path = Path()
    """Where the file lies."""

    def __post_init__(self) -> None:
        for role in self.links:
            if role not in ROLES:
                raise UnknownNameError(f"role of robot '{self.name}'", role, ROLES)
        missing = [role for role in REQUIRED if role not in self.links]
        if missing:
            raise RobotError(
                f"robot '{self.name}' names no link for {', '.join(missing)}; required: {', '.join(REQUIRED)}"
            )
        for side in SIDES:
            arm = [f"{side}_{part}" for part in ARM]
            if 0 < sum(role in self.links for role in arm) < len(arm):
                raise RobotError(f"robot '{self.name}': an arm needs all of {', '.join(arm)}, or none of them")

    @property
    def model_path(self) -> Path:
        """Where the model lies; raises `RobotError` that says how to get it when it is not there."""
        return _package_folder(self.package) / self.model if self.package else self.folder / self.model


def robots_directory() -> Path:
    """The folder of the robots that come with this package."""
    return share_directory() / "config" / "robots"


def robot_names() -> list[str]:
    """Names that `load_robot_cfg` takes besides paths, sorted."""
    return sorted(path.stem for path in robots_directory().glob("*.yaml"))


def load_robot_cfg(name_or_path: str | Path) -> RobotCfg:
    """Read a robot by its name in `robots_directory` or by the path of its YAML file.

    Raises `UnknownNameError` for a name or field that does not exist, `RobotError` for a file that does not fit.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        if str(name_or_path) not in robot_names():
            raise UnknownNameError("robot", str(name_or_path), [*robot_names(), "<path of a .yaml file>"])
        path = robots_directory() / f"{name_or_path}.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise RobotError(f"cannot read the robot {path}: {error}") from error
    if not isinstance(content, dict):
        raise RobotError(f"{path} must hold the fields of a robot: {', '.join(_field_names(RobotCfg))}")
    return parse_robot(content, path.parent.resolve())


def parse_robot(content: Mapping[str, Any], folder: Path) -> RobotCfg:
    """A robot from the content of its file; relative paths start at `folder`."""
    values = dict(_known("robot", RobotCfg, content))
    links = values.get("links")
    if not isinstance(links, Mapping):
        raise RobotError("a robot needs 'links': role -> {link: ...}")
    values["links"] = {role: _link(str(role), entry) for role, entry in links.items()}
    values["scale"] = _make("scale", ScaleCfg, values.get("scale", {}))
    values["ignore"] = tuple((str(a), str(b)) for a, b in values.get("ignore", ()))
    for name in ("stand_joints", "velocity", "torque"):
        values[name] = {
            str(key): _numbers(f"{name}.{key}", [value], 1)[0] for key, value in values.get(name, {}).items()
        }
    for name in ("limits", "gains"):
        values[name] = {str(key): _numbers(f"{name}.{key}", value, 2) for key, value in values.get(name, {}).items()}
    values["folder"] = folder
    try:
        return RobotCfg(**values)
    except TypeError as error:
        raise RobotError(f"a robot needs name, model and links: {error}") from error


def _link(role: str, entry: object) -> LinkCfg:
    values = {"link": entry} if isinstance(entry, str) else entry
    link = _make(f"links.{role}", LinkCfg, values)
    return link if link.human or role not in HUMAN_BODY else LinkCfg(**{**vars(link), "human": HUMAN_BODY[role]})


def _make(where: str, kind: Any, values: object) -> Any:
    if not isinstance(values, Mapping):
        raise RobotError(f"{where} must hold fields of {', '.join(_field_names(kind))}, got {values!r}")
    try:
        return kind(**_known(where, kind, values))
    except TypeError as error:
        raise RobotError(f"{where}: {error}") from error


def _known(where: str, kind: Any, values: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in values:
        if name not in _field_names(kind) or name == "folder":
            raise UnknownNameError(f"field of {where}", str(name), _field_names(kind))
    return values


def _field_names(kind: Any) -> list[str]:
    return [f.name for f in fields(kind) if f.name != "folder"]


def _numbers(where: str, values: Any, count: int) -> Any:
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError) as error:
        raise RobotError(f"{where} must be {count} number(s), got {values!r}") from error
    if len(numbers) != count or not all(abs(number) < 1e6 for number in numbers):
        raise RobotError(f"{where} must be {count} finite number(s), got {values!r}")
    return numbers


def _package_folder(package: str) -> Path:
    """Folder of an installed package, found without importing it."""
    import importlib.util

    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        pip_name = package.replace("_", "-")
        raise RobotError(f"the robot's model is in the package '{package}', not installed: pip install {pip_name}")
    return Path(next(iter(spec.submodule_search_locations)))
