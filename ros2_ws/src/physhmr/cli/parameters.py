"""`physhmr parameters`: what can be set, from the dataclasses that the nodes declare."""

from __future__ import annotations

import yaml

from physhmr import config
from physhmr.parameter import LARGEST, Parameter

HEADER = """# All parameters of the nodes with their defaults, as `physhmr parameters --as-yaml` prints them.
# Copy what you change into a file of your own: `physhmr live --params-file`, `params_file:=` of the launch file.
"""


def main(node: str = "", as_yaml: bool = False) -> None:
    """Print the parameters of every node, or of one.

    Args:
        node: source, perception or policy; empty prints all.
        as_yaml: Print a ROS parameter file that holds the defaults.
    """
    print(parameter_yaml() if as_yaml else table(node), end="")


def table(node: str = "") -> str:
    """Return one line per parameter: node, name, type, default, range, unit, meaning."""
    return "".join(
        f"{name:<11}{key:<22}{_facts(spec):<34}{spec.description}\n"
        for name in config.NODES
        if node in ("", name)
        for key, spec in config.node_parameters(name).items()
    )


def parameter_yaml() -> str:
    """Return a ROS parameter file with every default; its keys fit the nodes in any namespace."""
    lines = [HEADER]
    for name in config.NODES:
        lines.append(f"/**/{name}:\n  ros__parameters:\n")
        for key, spec in config.node_parameters(name).items():
            value = yaml.safe_dump(spec.default, default_flow_style=True).removesuffix("\n...\n").strip()
            lines.append(f"    # {spec.description}{f' [{spec.unit}]' if spec.unit else ''}\n    {key}: {value}\n")
    return "".join(lines)


def _facts(spec: Parameter) -> str:
    bounds = "|".join(spec.choices)
    if not spec.choices and abs(spec.low) < LARGEST and abs(spec.high) < LARGEST:
        bounds = f"[{spec.low:g}, {spec.high:g}]"
    return " ".join(filter(None, (spec.kind.__name__, repr(spec.default), bounds, spec.unit)))
