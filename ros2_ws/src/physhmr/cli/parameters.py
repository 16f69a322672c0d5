"""`physhmr parameters`: what can be set, from the dataclasses that the nodes declare."""

from __future__ import annotations

from physhmr import config


def main(node: str = "") -> None:
    """Print the parameters of every node, or of one.

    Args:
        node: source, perception or policy; empty prints all.
    """
    for name, kinds in config.NODES.items():
        if node in ("", name):
            for kind in kinds:
                for key, spec in config.parameters(kind).items():
                    print(f"{name:<11}{key:<22}{_facts(spec):<34}{spec.description}")


def _facts(spec: config.Parameter) -> str:
    bounds = "|".join(spec.choices)
    if not spec.choices and abs(spec.low) < config.LARGEST and abs(spec.high) < config.LARGEST:
        bounds = f"[{spec.low:g}, {spec.high:g}]"
    return " ".join(filter(None, (spec.kind.__name__, repr(spec.default), bounds, spec.unit)))
