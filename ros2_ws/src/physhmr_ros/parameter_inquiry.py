"""Asks the chain's nodes for their parameters: a bag without them could not tell how its run was made."""

from __future__ import annotations

from collections.abc import Callable

from rcl_interfaces.msg import ParameterEvent
from rcl_interfaces.srv import GetParameters
from rclpy.node import Node
from rclpy.task import Future

from physhmr import config
from physhmr_ros.conversions.parameter_events import parameter_event

PERIOD = 0.5
"""s between two looks for a node that was not there before."""


class ParameterInquiry:
    """Hands the parameters of each node, as soon as it answers, to `told`."""

    def __init__(self, node: Node, about: tuple[str, ...], told: Callable[[ParameterEvent], None]) -> None:
        """Begin to ask the nodes `about`, each for what `config.NODES` says that it has."""
        self._node, self._told = node, told
        self._open = {name: node.create_client(GetParameters, f"{name}/get_parameters") for name in about}
        self._clients = list(self._open.values())
        self._timer = node.create_timer(PERIOD, self._ask)

    def close(self) -> None:
        """Ask no longer."""
        self._node.destroy_timer(self._timer)
        for client in self._clients:
            self._node.destroy_client(client)

    def _ask(self) -> None:
        for name, client in list(self._open.items()):
            if client.service_is_ready():
                del self._open[name]
                parameters = list(config.node_parameters(name))
                answer = client.call_async(GetParameters.Request(names=parameters))
                answer.add_done_callback(lambda done, name=name, asked=parameters: self._answered(name, asked, done))

    def _answered(self, name: str, asked: list[str], answer: Future) -> None:
        values = answer.result().values
        if len(values) == len(asked):
            full_name = f"{self._node.get_namespace().rstrip('/')}/{name}"
            self._told(parameter_event(int(self._node.get_clock().now().nanoseconds), full_name, asked, values))
