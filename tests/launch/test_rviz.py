"""RViz is shown what our nodes tell, under their names, in their frames and with a quality of service that fits."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from physhmr.body.skeleton import BODY_NAMES
from physhmr.config import PublishConfig, share_directory
from physhmr_ros import bringup

SHOWN = yaml.safe_load(bringup.rviz_file().read_text(encoding="utf-8"))["Visualization Manager"]
DISPLAYS = {display["Name"]: display for display in SHOWN["Displays"]}
BEST_EFFORT = {"image_raw"}
LATCHED = {"human_description"}


def topics() -> Iterator[dict[str, Any]]:
    """Every topic property of every display."""
    for display in SHOWN["Displays"]:
        yield from (value for key, value in display.items() if key in ("Topic", "Description Topic"))


def published() -> set[str]:
    """What our nodes publish, by the policy that a test compares with them."""
    policy = ET.parse(share_directory() / "config" / "sros2" / "policy.xml")
    return {str(topic.text) for topic in policy.iterfind(".//topics[@publish='ALLOW']/topic")}


def test_every_topic_is_one_that_our_nodes_publish() -> None:
    named = {topic["Value"] for topic in topics()}
    assert named <= published()
    assert {"human_description", "human/mesh", "human/odom", "image_raw"} <= named
    assert {name for name in named if "wrench" in name} == {"human/wrench/left_foot", "human/wrench/right_foot"}


def test_each_is_heard_as_it_is_told() -> None:
    """A reliable listener hears no best-effort topic, one that wants what was said before needs a latched one."""
    for topic in topics():
        best_effort, latched = topic["Value"] in BEST_EFFORT, topic["Value"] in LATCHED
        assert topic["Reliability Policy"] == ("Best Effort" if best_effort else "Reliable")
        assert topic["Durability Policy"] == ("Transient Local" if latched else "Volatile")


def test_frames_are_those_of_the_chain() -> None:
    told = PublishConfig()
    assert SHOWN["Global Options"]["Fixed Frame"] == told.world_frame
    assert DISPLAYS["Humanoid"]["TF Prefix"] + "/" == told.tf_prefix
    assert SHOWN["Views"]["Current"]["Target Frame"] == told.tf_prefix + BODY_NAMES[0]


@pytest.mark.parametrize("name", DISPLAYS)
def test_each_display_is_rvizs_own_and_shown(name: str) -> None:
    assert DISPLAYS[name]["Class"].startswith("rviz_default_plugins/")
    assert DISPLAYS[name]["Enabled"] is True
