"""Perception and policy in one process: rays go over by reference, topics serve whoever listens."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from physhmr.config import ControlConfig, ImageConfig, PerceptionConfig
from physhmr_ros import chain
from physhmr_ros.chain import Control, Perception
from physhmr_ros.nodes.chain_node import ChainNode
from physhmr_ros.nodes.perception_node import PerceptionNode
from physhmr_ros.nodes.policy_node import PolicyNode


def nodes(
    make_perception: Callable[[PerceptionConfig], Perception] = chain.make_perception,
    make_control: Callable[[ControlConfig], Control] = chain.make_control,
) -> Sequence[ChainNode]:
    """Return the nodes of the chain, the last stage first, so that no stage talks to nobody."""
    policy = PolicyNode(make_control, composed=True)
    perception = PerceptionNode(policy.box.put, make_perception)
    if policy.by_frame and not perception.settings.get(ImageConfig).every_image:
        perception.complain("policy's clock is 'frame', but perception's every_image is false: images may be skipped")
    return policy, perception
