"""What configurations are made of: typed fields with range, unit and meaning, checked when built.

Nested groups are addressed with dots (`camera.height`).
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar

from physhmr.errors import ConfigError, UnknownNameError

Scalar = bool | int | float | str
C = TypeVar("C", bound="Config")
LARGEST = 1e9
"""No number of a configuration is larger; NaN and infinity are refused by the same comparison."""


@dataclass(frozen=True)
class Parameter:
    """What one field may hold, and what it means."""

    kind: type
    """bool, int, float or str."""
    default: Scalar
    description: str
    unit: str = ""
    low: float = -LARGEST
    high: float = LARGEST
    choices: tuple[str, ...] = ()
    live: bool = False
    """True: may change while the node runs."""

    def check(self, name: str, value: object) -> Scalar:
        """Return `value` as this kind (an int serves as float); raises `ConfigError` if it does not fit."""
        if self.kind is float and type(value) is int:
            value = float(value)
        if type(value) is not self.kind:
            raise ConfigError(name, f"needs a {self.kind.__name__}", value)
        if self.choices and value not in self.choices:
            raise ConfigError(name, f"must be one of {', '.join(self.choices)}", value)
        if isinstance(value, int | float) and not self.low <= value <= self.high:
            raise ConfigError(name, f"must lie in [{self.low:g}, {self.high:g}] {self.unit}".rstrip(), value)
        return value  # type: ignore[return-value]


def parameter(
    default: Scalar,
    description: str,
    *,
    unit: str = "",
    low: float = -LARGEST,
    high: float = LARGEST,
    choices: tuple[str, ...] = (),
    live: bool = False,
) -> Any:
    """Return a dataclass field with the facts of `Parameter` as its metadata."""
    spec = Parameter(type(default), default, description, unit, low, high, choices, live)
    return field(default=default, metadata={"parameter": spec})


@dataclass(frozen=True)
class Config:
    """Base of all configurations: every field is a `parameter` or a nested `Config`, checked when built."""

    def __post_init__(self) -> None:
        for name, spec in _own_parameters(type(self)).items():
            object.__setattr__(self, name, spec.check(name, getattr(self, name)))


def parameters(config: type[Config], prefix: str = "") -> dict[str, Parameter]:
    """Return every parameter of a configuration by its dotted name."""
    found = {prefix + name: spec for name, spec in _own_parameters(config).items()}
    for name, group in _groups(config).items():
        found |= parameters(group, f"{prefix}{name}.")
    return found


def build(config: type[C], values: Mapping[str, object]) -> C:
    """Return a configuration from dotted names and values; what is absent keeps its default.

    Raises `UnknownNameError`, naming the nearest, for a name that does not exist, and `ConfigError` for a
    value of the wrong type or outside its range.
    """
    valid = parameters(config)
    for name, value in values.items():
        if name not in valid:
            raise UnknownNameError("parameter", name, valid)
        valid[name].check(name, value)
    return _build(config, values, "")


def flatten(config: Config, prefix: str = "") -> dict[str, Scalar]:
    """Return the values of a configuration by dotted name; the inverse of `build`."""
    values = {prefix + name: getattr(config, name) for name in _own_parameters(type(config))}
    for name in _groups(type(config)):
        values |= flatten(getattr(config, name), f"{prefix}{name}.")
    return values


def _own_parameters(config: type[Config]) -> dict[str, Parameter]:
    return {f.name: f.metadata["parameter"] for f in fields(config) if "parameter" in f.metadata}


def _groups(config: type[Config]) -> dict[str, type[Config]]:
    hints = typing.get_type_hints(config)
    return {f.name: hints[f.name] for f in fields(config) if is_dataclass(hints[f.name])}


def _build(config: type[C], values: Mapping[str, object], prefix: str) -> C:
    own: dict[str, Any] = {name: values[prefix + name] for name in _own_parameters(config) if prefix + name in values}
    groups = {name: _build(group, values, f"{prefix}{name}.") for name, group in _groups(config).items()}
    return config(**own, **groups)
