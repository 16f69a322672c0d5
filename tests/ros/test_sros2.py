"""The SROS 2 policy lists what the nodes use, in all their configurations: nothing is hidden, nothing is in excess."""

from __future__ import annotations

import itertools
import re
import time
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import rclpy
from fake_chain import FakeControl, FakeMesh, FakePerception
from rclpy.node import Node
from test_replay import filmed
from test_retarget_node import STICK

from physhmr.config import NODES, share_directory
from physhmr_ros.conversions import humans
from physhmr_ros.nodes.chain_node import ChainNode
from physhmr_ros.nodes.humans_node import HumansNode
from physhmr_ros.nodes.mesh_node import MeshNode
from physhmr_ros.nodes.perception_node import PerceptionNode
from physhmr_ros.nodes.policy_node import PolicyNode
from physhmr_ros.nodes.recorder_node import RecorderNode
from physhmr_ros.nodes.retarget_node import RetargetNode
from physhmr_ros.nodes.source_node import SourceNode
from physhmr_ros.nodes.viewer_node import ViewerNode

pytestmark = pytest.mark.ros
POLICY = share_directory() / "config" / "sros2" / "policy.xml"
MAKERS: dict[str, Callable[[], ChainNode]] = {
    "source": SourceNode,
    "perception": lambda: PerceptionNode(make=FakePerception),
    "policy": lambda: PolicyNode(FakeControl),
    "recorder": RecorderNode,
    "humans": HumansNode,
    "mesh": lambda: MeshNode(make=FakeMesh),
    "retarget": RetargetNode,
    "viewer": ViewerNode,
}
COUNT = itertools.count()
Access = dict[str, set[str]]
"""Rule -> absolute names."""


def allowed(node: str) -> Access:
    """What the policy lets a node do."""
    found: Access = defaultdict(set)
    (profile,) = ET.parse(POLICY).getroot().findall(f"./enclaves/enclave/profiles/profile[@node='{node}']")
    for group in profile:
        for rule, verdict in group.attrib.items():
            assert verdict == "ALLOW"
            names = {absolute(str(name.text), node) for name in group}
            assert len(names) == len(group) and not names & found[rule]
            found[rule] |= names
    return found


def absolute(name: str, node: str) -> str:
    return f"/{node}{name[1:]}" if name.startswith("~") else name if name.startswith("/") else f"/{name}"


def used(node: Node) -> Access:
    """What the node has created, as if it were in no namespace."""
    listed = {
        "publish": node.get_publisher_names_and_types_by_node,
        "subscribe": node.get_subscriber_names_and_types_by_node,
        "reply": node.get_service_names_and_types_by_node,
        "request": node.get_client_names_and_types_by_node,
    }
    namespace = node.get_namespace()
    return {
        rule: {of_any_body(name.removeprefix(namespace)) for name, _ in ask(node.get_name(), namespace)}
        for rule, ask in listed.items()
    }


def of_any_body(name: str) -> str:
    """The name as the policy has it, where only DDS knows which bodies there will be."""
    return re.sub("^/humans/bodies/[^/]+/", "/humans/bodies/*/", name)


def configurations(node: str, clip: Path, folder: Path) -> Sequence[dict[str, object]]:
    """Parameters that between them make a node create all that it ever does."""
    if node == "source":
        bags = [{"uri": filmed(folder / f"bag{packed}", 2, f"/cam/{topic}", packed)} for packed, topic in BAGS.items()]
        return [{"uri": clip, "lockstep": True}, *bags]
    return {
        "perception": [{"services": True, "camera.imu": True}, {"transport": "compressed"}],
        "policy": [{"services": True}],
        "humans": [{}],
        "mesh": [{"model": "model.npz"}],
        "recorder": [{"bag": folder / "raw"}, {"bag": folder / "compressed", "images": "compressed"}],
        "retarget": [{"robot": STICK, "simulate": True}],
        "viewer": [{"page": False}],
    }[node]


BAGS = {False: "image_raw", True: "image_raw/compressed"}


def settled(node: Node) -> Access:
    """What the node has created, when the middleware has told of nothing new for a second."""
    found, since = used(node), time.monotonic()
    while time.monotonic() - since < 1.0:
        time.sleep(0.1)
        if (now := used(node)) != found:
            found, since = now, time.monotonic()
    return found


def needs(name: str, values: dict[str, object]) -> Access:
    """What a node uses that is configured with these parameters; in a namespace that no node before it had."""
    texts = {key: str(value).lower() if isinstance(value, bool) else value for key, value in values.items()}
    options = [part for key, value in texts.items() for part in ("-p", f"{key}:={value}")]
    namespace = f"/in_{name}_{next(COUNT)}"
    rclpy.init(args=["--ros-args", "-r", f"__ns:={namespace}", "-p", "use_sim_time:=true", *options])
    try:
        node = MAKERS[name]()
        assert node.trigger_configure().name == "SUCCESS"
        found = settled(node)
        node.trigger_shutdown()
        node.destroy_node()
    finally:
        rclpy.try_shutdown()
    return found


@pytest.mark.parametrize("name", NODES)
def test_the_policy_lists_exactly_what_a_node_uses(name: str, clip: Path, tmp_path: Path) -> None:
    found = [needs(name, values) for values in configurations(name, clip, tmp_path)]
    needed = {rule: sorted(set().union(*(one[rule] for one in found))) for rule in found[0]}
    # Told only where there is hri_msgs.
    spared = {humans.TRACKED} if humans.hri_messages() is None else set()
    assert {rule: names for rule, names in needed.items() if names} == {
        rule: sorted(names - spared) for rule, names in allowed(name).items()
    }


def test_there_is_a_profile_for_each_node_and_no_other() -> None:
    profiles = ET.parse(POLICY).getroot().findall("./enclaves/enclave/profiles/profile")
    assert sorted(profile.attrib["node"] for profile in profiles) == sorted(NODES)
    assert {profile.attrib["ns"] for profile in profiles} == {"/"}
