"""The followed person under the names of REP-155, for whoever speaks ROS4HRI: `/humans/bodies/<id>/...`.

It listens like anybody else, so the chain is the same with and without it.
"""

from __future__ import annotations

import os
from typing import Any

from nav_msgs.msg import Odometry
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.publisher import Publisher
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage

from physhmr.body.human_model import human_urdf
from physhmr.body.skeleton import Skeleton
from physhmr.config import NODES, CameraConfig, HumansConfig
from physhmr.errors import CameraError, PhyshmrError
from physhmr.geometry.region import region_around
from physhmr.types import Status
from physhmr.view.joiner import keypoints_of_rays
from physhmr_msgs.msg import HumanState
from physhmr_msgs.msg import RayBundle as RayBundleMessage
from physhmr_ros import qos
from physhmr_ros.camera_watch import CameraWatch
from physhmr_ros.conversions import humanoid, humans
from physhmr_ros.conversions import rays as ray_messages
from physhmr_ros.conversions.primitives import to_ns
from physhmr_ros.diagnostics import Level, Report
from physhmr_ros.mailbox import Mailbox
from physhmr_ros.nodes.chain_node import ChainNode

NICENESS = 5
"""Added to that of whoever started us: saying it once more must not slow down what is said."""
QUEUE = 60
"""Messages that wait to be read at most."""
ABSENT = (Status.SEARCHING, Status.LOST)
"""States in which nobody is tracked."""
TOPICS = {
    "rays": RayBundleMessage,
    "human/joint_states": JointState,
    "human/odom": Odometry,
    "human/state": HumanState,
}


class Body:
    """What is told of one body: its topics and the parameter with its URDF, for as long as it is followed."""

    def __init__(self, node: ChainNode, body_id: str, roi: type, skeleton: Skeleton) -> None:
        self.id, self._node, self._parameter = body_id, node, f"human_description_{body_id}"
        self.roi = self._advertise(roi, "roi")
        self.joint_states = self._advertise(JointState, "joint_states")
        self._urdf = self._advertise(String, "urdf", qos.LATCHED)
        text = human_urdf(body_id, skeleton)
        self._urdf.publish(String(data=text))
        described = ParameterDescriptor(description="URDF of the body, as REP-155 wants")
        node.declare_parameter(self._parameter, text, described)

    def withdraw(self) -> None:
        """Take everything back."""
        for publisher in (self.roi, self.joint_states, self._urdf):
            self._node.destroy_publisher(publisher)
        self._node.undeclare_parameter(self._parameter)

    def _advertise(self, kind: type, name: str, profile: qos.QoSProfile = qos.STREAM) -> Publisher:
        return self._node.create_publisher(kind, humans.body_topic(self.id, name), profile)


class HumansNode(ChainNode):
    """Says what the chain says once more, body by body."""

    def __init__(self) -> None:
        super().__init__("humans", NODES["humans"])
        self._config = self.settings.get(HumansConfig)
        self._skeleton = Skeleton()
        self._letters: Mailbox[tuple[str, Any]] = Mailbox(QUEUE)
        self._newest: dict[str, Any] = {}
        self._body: Body | None = None
        self._hri = humans.hri_messages()
        self._present = False

    def open(self) -> None:
        """Advertise the first body, then subscribe."""
        if self._hri is None:
            self.complain(f"hri_msgs is not installed: nothing is told on {humans.TRACKED}, and roi is in pixels")
        kind = self._hri and self._hri.IdsList
        self._tracked = kind and self.create_publisher(kind, humans.TRACKED, qos.STREAM)
        self._tf = self.create_publisher(TFMessage, "/tf", qos.TF)
        self._camera = CameraWatch(self, CameraConfig(rectified=self._config.rectified), self._config.world_frame)
        self._body = self._known_as(0)
        self._listening = [self._listen(topic, kind) for topic, kind in TOPICS.items()]

    def close(self) -> None:
        """Unsubscribe, and take the topics back."""
        if self._body is None:
            return
        for subscription in self._listening:
            self.destroy_subscription(subscription)
        self._camera.close()
        self._body.withdraw()
        self._body = None
        for publisher in (self._tf, self._tracked):
            if publisher is not None:
                self.destroy_publisher(publisher)

    def start(self) -> None:
        """Begin with an empty mailbox."""
        self._newest.clear()
        self._letters.open()

    def wake(self) -> None:
        """Close the mailbox."""
        self._letters.close()

    def work(self) -> None:
        """Pass one message on."""
        letter = self._letters.take(0.2)
        if letter is None or self._body is None:
            return
        topic, message = letter
        self._newest[topic] = message
        if topic == "rays":
            self._take_rays(self._body, message)
        elif topic == "human/state":
            # The last topic that a control step writes to: the others of the same step are here.
            self._take_state(self._body, message)

    def reports(self) -> list[Report]:
        """Return who is tracked, and what cannot be told."""
        if self._body is None:
            return []
        missing = self._hri is None
        values: dict[str, float | int | str] = {
            "body": self._body.id if self._present else "",
            "tracked": "not told: hri_msgs is missing" if missing else "told",
            "dropped": self._letters.dropped,
        }
        message = "hri_msgs is missing" if missing else "telling"
        return [Report("humans: REP-155", Level.WARN if missing else Level.OK, message, values)]

    def _take_rays(self, body: Body, message: RayBundleMessage) -> None:
        stamp_ns, rays = ray_messages.from_message(message)
        if rays is None:
            return
        if body.id != self._id(rays.person):
            body.withdraw()
            body = self._body = self._known_as(rays.person)
        try:
            camera = self._camera.newest(stamp_ns)
        except CameraError as error:
            raise PhyshmrError(f"no roi: {error}") from error
        keypoints = None if camera is None else keypoints_of_rays(rays, camera)
        if camera is None or keypoints is None:
            return
        region = region_around(keypoints.xy, keypoints.score, camera.width, camera.height)
        if region is not None:
            body.roi.publish(humans.region_of_interest(self._hri, stamp_ns, region, camera.width, camera.height))

    def _take_state(self, body: Body, message: HumanState) -> None:
        stamp_ns = to_ns(message.header.stamp)
        self._present = humanoid.status(message) not in ABSENT
        if self._hri is not None and self._tracked is not None:
            self._tracked.publish(humans.ids_list(self._hri, stamp_ns, [body.id] if self._present else []))
        joints, odometry = self._newest.get("human/joint_states"), self._newest.get("human/odom")
        same = joints and odometry and joints.header.stamp == odometry.header.stamp == message.header.stamp
        if self._present and same:
            body.joint_states.publish(humans.renamed(joints, body.id))
            qpos, world = humanoid.qpos(odometry, joints), self._config.world_frame
            self._tf.publish(humans.link_transforms(stamp_ns, qpos, world, body.id, self._skeleton))

    def _listen(self, topic: str, kind: type) -> Any:
        return self.create_subscription(kind, topic, lambda message: self._letters.put((topic, message)), qos.STREAM)

    def _id(self, person: int) -> str:
        return f"{self._config.id_prefix}{person}"

    def _known_as(self, person: int) -> Body:
        return Body(self, self._id(person), humans.region_kind(self._hri), self._skeleton)


def nodes() -> list[ChainNode]:
    """Return the node of this executable, in a process that steps back behind the others."""
    os.nice(NICENESS)
    return [HumansNode()]
