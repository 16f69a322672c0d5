"""ROS parameters declared from the configuration dataclasses: type, default, range, unit, description, live or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from physhmr.errors import PhyshmrError, UnknownNameError
from physhmr.parameter import Config, Parameter, Scalar, build, parameters

C = TypeVar("C", bound=Config)
ROS_OWN = ("use_sim_time", "start_type_description_service")
ROS_OWN_PREFIXES = ("qos_overrides.",)
_KINDS = {
    bool: RosParameter.Type.BOOL,
    int: RosParameter.Type.INTEGER,
    float: RosParameter.Type.DOUBLE,
    str: RosParameter.Type.STRING,
}


class NodeParameters:
    """The parameters of one node, which must have been made with `automatically_declare_parameters_from_overrides`."""

    def __init__(self, node: Node, kinds: Sequence[type[Config]]) -> None:
        """Declare every parameter of `kinds`.

        Raises `UnknownNameError`, naming the nearest, for a given parameter that none of them has, and
        `ConfigError` for a value that does not fit.
        """
        self._kinds = tuple(kinds)
        self._specs = {name: spec for kind in kinds for name, spec in parameters(kind).items()}
        self._values = _given(node, self._specs)
        self._changed: Callable[[], None] = lambda: None
        for name, spec in self._specs.items():
            if node.has_parameter(name):
                node.undeclare_parameter(name)
            value = self._values.setdefault(name, spec.default)
            # An override would win over the value as checked: an integer given for a float.
            node.declare_parameter(name, value, descriptor(name, spec), ignore_override=True)
        node.add_on_set_parameters_callback(self._set)

    def get(self, kind: type[C]) -> C:
        """Return the present values of one configuration."""
        return build(kind, {name: self._values[name] for name in parameters(kind)})

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call `callback` after a live parameter was set."""
        self._changed = callback

    def _set(self, parameters: list[RosParameter]) -> SetParametersResult:
        own = [p for p in parameters if p.name in self._specs]
        try:
            values = {p.name: self._specs[p.name].check(p.name, p.value) for p in own}
        except PhyshmrError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._values |= values
        if values:
            self._changed()
        return SetParametersResult(successful=True)


def descriptor(name: str, spec: Parameter) -> ParameterDescriptor:
    """Return what ROS tells about a parameter; structural ones are read-only."""
    described = ParameterDescriptor(
        name=name,
        type=_KINDS[spec.kind].value,
        description=f"{spec.description} [{spec.unit}]" if spec.unit else spec.description,
        additional_constraints=f"one of {', '.join(spec.choices)}" if spec.choices else "",
        read_only=not spec.live,
    )
    if spec.kind is float:
        described.floating_point_range = [FloatingPointRange(from_value=spec.low, to_value=spec.high)]
    if spec.kind is int:
        described.integer_range = [IntegerRange(from_value=int(spec.low), to_value=int(spec.high))]
    return described


def _given(node: Node, specs: dict[str, Parameter]) -> dict[str, Scalar]:
    values = {}
    for name, given in node.get_parameters_by_prefix("").items():
        if name in specs:
            values[name] = specs[name].check(name, given.value)
        elif name not in ROS_OWN and not name.startswith(ROS_OWN_PREFIXES):
            raise UnknownNameError(f"parameter of {node.get_fully_qualified_name()}", name, specs)
    return values
