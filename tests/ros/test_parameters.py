"""ROS parameters say what the dataclasses say; unknown and unfit ones are refused by name."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from rcl_interfaces.msg import ParameterType
from rclpy.node import Node
from rclpy.parameter import Parameter

from physhmr import config
from physhmr.errors import ConfigError, UnknownNameError
from physhmr.parameter import Config, parameter
from physhmr_ros.parameters import NodeParameters


@dataclass(frozen=True)
class Lens(Config):
    zoom: float = parameter(1.0, "How near", low=0.5, high=4.0, live=True)


@dataclass(frozen=True)
class Thing(Config):
    count: int = parameter(3, "How many", unit="px", low=1, high=9)
    lens: Lens = field(default_factory=Lens)


def node(**overrides: object) -> Node:
    given = [Parameter(name.replace("__", "."), value=value) for name, value in overrides.items()]
    return Node("thing", parameter_overrides=given, automatically_declare_parameters_from_overrides=True)


@pytest.mark.usefixtures("ros")
def test_a_parameter_is_described_as_its_field() -> None:
    thing = node()
    NodeParameters(thing, [Thing])
    described = thing.describe_parameter("count")
    assert described.description == "How many [px]"
    assert described.type == ParameterType.PARAMETER_INTEGER
    assert described.read_only
    assert (described.integer_range[0].from_value, described.integer_range[0].to_value) == (1, 9)
    assert not thing.describe_parameter("lens.zoom").read_only
    assert thing.get_parameter("lens.zoom").value == 1.0


@pytest.mark.usefixtures("ros")
def test_given_values_arrive_and_integers_serve_as_floats() -> None:
    settings = NodeParameters(node(count=5, lens__zoom=2), [Thing])
    assert settings.get(Thing) == Thing(count=5, lens=Lens(zoom=2.0))


@pytest.mark.usefixtures("ros")
def test_unknown_and_unfit_parameters_are_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown parameter of /thing 'lens\.zom'. Did you mean 'lens\.zoom'"):
        NodeParameters(node(lens__zom=2.0), [Thing])
    with pytest.raises(ConfigError, match=r"'count' must lie in \[1, 9\] px, got 10"):
        NodeParameters(node(count=10), [Thing])
    with pytest.raises(ConfigError, match="needs a int, got '5'"):
        NodeParameters(node(count="5"), [Thing])


@pytest.mark.usefixtures("ros")
def test_live_parameters_change_and_others_do_not() -> None:
    thing = node()
    settings, calls = NodeParameters(thing, [Thing]), []
    settings.on_change(lambda: calls.append(settings.get(Thing).lens.zoom))
    (accepted,) = thing.set_parameters([Parameter("lens.zoom", value=2.5)])
    (too_large,) = thing.set_parameters([Parameter("lens.zoom", value=9.0)])
    (read_only,) = thing.set_parameters([Parameter("count", value=4)])
    assert (accepted.successful, too_large.successful, read_only.successful) == (True, False, False)
    assert calls == [2.5]
    assert settings.get(Thing) == Thing(lens=Lens(zoom=2.5))


@pytest.mark.usefixtures("ros")
@pytest.mark.parametrize("name", config.NODES)
def test_every_node_can_declare_its_parameters(name: str) -> None:
    settings = NodeParameters(node(), config.NODES[name])
    for kind in config.NODES[name]:
        assert settings.get(kind) == kind()
