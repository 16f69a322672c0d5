"""The parameters of a recorded run, from /parameter_events."""

from __future__ import annotations

from physhmr.parameter import Scalar
from physhmr_ros.bags.reader import BagReader

TOPIC = "/parameter_events"
KIND = "rcl_interfaces/msg/ParameterEvent"
FIELDS = {1: "bool_value", 2: "integer_value", 3: "double_value", 4: "string_value"}
"""rcl_interfaces/ParameterType -> where the value stands."""


def recorded_parameters(bag: BagReader) -> dict[str, dict[str, Scalar]]:
    """Return node (without its namespace) -> parameter -> last value that the bag tells; lists are left out."""
    if bag.topics.get(TOPIC) != KIND:
        return {}
    # rosbags does not read what Fast CDR writes of empty sequences; whoever only plans without a ROS needs no rclpy.
    from rcl_interfaces.msg import ParameterEvent
    from rclpy.serialization import deserialize_message

    found: dict[str, dict[str, Scalar]] = {}
    for record in bag.messages([TOPIC]):
        event = deserialize_message(record.data, ParameterEvent)
        values = found.setdefault(event.node.rpartition("/")[2], {})
        for one in (*event.new_parameters, *event.changed_parameters):
            if one.value.type in FIELDS:
                values[one.name] = getattr(one.value, FIELDS[one.value.type])
    return found
