"""Configurations: what does not fit is refused with the rule and the nearest name; the rest round-trips."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from physhmr import config
from physhmr.errors import ConfigError, UnknownNameError
from physhmr.parameter import Config, build, flatten, parameter, parameters


@dataclass(frozen=True)
class Inner(Config):
    gain: float = parameter(0.5, "Gain", low=0.0, high=1.0)


@dataclass(frozen=True)
class Outer(Config):
    count: int = parameter(3, "How many", low=1, high=9)
    name: str = parameter("a", "Which", choices=("a", "b"))
    on: bool = parameter(False, "Whether")
    inner: Inner = field(default_factory=Inner)


@given(st.integers(1, 9), st.sampled_from("ab"), st.booleans(), st.floats(0.0, 1.0))
def test_flatten_inverts_build(count: int, name: str, on: bool, gain: float) -> None:
    values = {"count": count, "name": name, "on": on, "inner.gain": gain}
    assert flatten(build(Outer, values)) == values


def test_absent_values_keep_their_defaults() -> None:
    assert build(Outer, {"inner.gain": 1}) == Outer(inner=Inner(gain=1.0))
    assert build(Outer, {}) == Outer()


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("count", 0, r"\[1, 9\]"),
        ("count", 2.0, "needs a int"),
        ("count", True, "needs a int"),
        ("on", 1, "needs a bool"),
        ("name", "c", "one of a, b"),
        ("inner.gain", math.nan, r"\[0, 1\]"),
        ("inner.gain", "0.5", "needs a float"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_rule(name: str, value: object, rule: str) -> None:
    with pytest.raises(ConfigError, match=rule) as refusal:
        build(Outer, {name: value})
    assert f"'{name}'" in str(refusal.value)


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"Did you mean 'inner\.gain'"):
        build(Outer, {"inner.gian": 0.1})


def test_the_constructor_checks_like_build() -> None:
    with pytest.raises(ConfigError, match=r"\[0, 1\]"):
        Inner(gain=2.0)


def test_infinite_and_nan_floats_are_refused_without_a_range() -> None:
    spec = parameter(0.0, "Free").metadata["parameter"]
    for value in (math.inf, -math.inf, math.nan):
        with pytest.raises(ConfigError):
            spec.check("free", value)


@pytest.mark.parametrize("node", config.NODES)
def test_the_parameters_of_a_node_are_described_distinct_and_valid(node: str) -> None:
    seen: set[str] = set()
    for kind in config.NODES[node]:
        specs = parameters(kind)
        assert not seen & specs.keys(), "two configurations of one node share a name"
        seen |= specs.keys()
        for name, spec in specs.items():
            assert spec.check(name, spec.default) == spec.default
            assert len(spec.description) > 10


def test_the_share_directory_holds_launch_and_config() -> None:
    assert (config.share_directory() / "launch").is_dir()
    assert (config.share_directory() / "package.xml").is_file()
