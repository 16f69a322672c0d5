"""Answers about parameters as the event that would have told them."""

from __future__ import annotations

from collections.abc import Sequence

from rcl_interfaces.msg import Parameter, ParameterEvent, ParameterValue

from physhmr_ros.conversions.primitives import to_time


def parameter_event(stamp_ns: int, node: str, names: Sequence[str], values: Sequence[ParameterValue]) -> ParameterEvent:
    """Return that `node` (its full name) has parameters `names` with these values."""
    known = [Parameter(name=name, value=value) for name, value in zip(names, values)]
    return ParameterEvent(stamp=to_time(stamp_ns), node=node, new_parameters=known)
