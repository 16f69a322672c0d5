"""One human body in the words of REP-155 (ROS4HRI). Message types of hri_msgs are used where there is that package."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from sensor_msgs.msg import JointState, RegionOfInterest
from tf2_msgs.msg import TFMessage

from physhmr.body.human_model import joint_names, link_names, link_poses, root_link
from physhmr.body.skeleton import Skeleton
from physhmr.geometry.region import Region
from physhmr.types import Array
from physhmr_ros.conversions.cameras import stamped
from physhmr_ros.conversions.primitives import header

TRACKED = "/humans/bodies/tracked"


def body_topic(body_id: str, name: str) -> str:
    """Return the topic `name` of a body; the REP wants it global."""
    return f"/humans/bodies/{body_id}/{name}"


def hri_messages() -> ModuleType | None:
    """Return hri_msgs.msg, None where that package is not installed."""
    try:
        from hri_msgs import msg
    except ImportError:
        return None
    return msg


def region_kind(hri: ModuleType | None) -> type:
    """Return the type of `roi`: hri_msgs' own, as ROS 2's packages want it, else that of the REP's text."""
    return RegionOfInterest if hri is None else hri.NormalizedRegionOfInterest2D


def ids_list(hri: ModuleType, stamp_ns: int, ids: list[str]) -> Any:
    """Return the bodies that are tracked now."""
    return hri.IdsList(header=header(stamp_ns, ""), ids=ids)


def region_of_interest(hri: ModuleType | None, stamp_ns: int, region: Region, width: int, height: int) -> Any:
    """Return where in the `width` x `height` px picture of `stamp_ns` the body is."""
    if hri is None:
        return RegionOfInterest(x_offset=region.x, y_offset=region.y, width=region.width, height=region.height)
    return hri.NormalizedRegionOfInterest2D(
        header=header(stamp_ns, ""),
        xmin=region.x / width,
        ymin=region.y / height,
        xmax=(region.x + region.width) / width,
        ymax=(region.y + region.height) / height,
        c=1.0,
    )


def renamed(message: JointState, body_id: str) -> JointState:
    """Return the joint states of `human/joint_states` under the names of the body's URDF."""
    return JointState(
        header=message.header,
        name=list(joint_names(body_id)),
        position=message.position,
        velocity=message.velocity,
        effort=message.effort,
    )


def link_transforms(stamp_ns: int, qpos: Array, world: str, body_id: str, skeleton: Skeleton) -> TFMessage:
    """Return TF world -> `body_<id>`, and `body_<id>` -> each link, for a pose (76,)."""
    T_w_root, T_root_body = link_poses(qpos, skeleton)
    root = root_link(body_id)
    links = [stamped(T, stamp_ns, root, name) for name, T in zip(link_names(body_id), T_root_body, strict=True)]
    return TFMessage(transforms=[stamped(T_w_root, stamp_ns, world, root), *links])
