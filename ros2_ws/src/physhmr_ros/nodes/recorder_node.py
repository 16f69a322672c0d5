"""Writes a run down: what the chain was given, what it saw and what it told, as a bag that can be played again."""

from __future__ import annotations

from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import WrenchStamped
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import Log, ParameterEvent
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, Imu, JointState
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage

from physhmr.config import NODES, RecorderConfig
from physhmr.errors import BagError
from physhmr_msgs.msg import FootContacts, HumanPhysics, HumanState, RayBundle
from physhmr_ros import qos
from physhmr_ros.bags.parameters import TOPIC as PARAMETERS
from physhmr_ros.bags.reader import header_stamp
from physhmr_ros.bags.writer import BagWriter
from physhmr_ros.conversions.physics import WRENCH_TOPICS
from physhmr_ros.conversions.qos_profiles import offered
from physhmr_ros.diagnostics import Level, Report
from physhmr_ros.mailbox import Mailbox
from physhmr_ros.nodes.chain_node import ChainNode
from physhmr_ros.nodes.perception_node import TOPICS as IMAGES
from physhmr_ros.parameter_inquiry import ParameterInquiry
from physhmr_ros.timebase import GapCounter

MIB = 2**20
RELIABLE = {
    "rays": RayBundle,
    "human/joint_states": JointState,
    "human/odom": Odometry,
    "human/contacts": FootContacts,
    "human/state": HumanState,
    "human/physics": HumanPhysics,
    **dict.fromkeys(WRENCH_TOPICS, WrenchStamped),
    "/diagnostics": DiagnosticArray,
    PARAMETERS: ParameterEvent,
    "/tf": TFMessage,
}
LATCHED = {"human_description": String, "/tf_static": TFMessage, "/rosout": Log}


class RecorderNode(ChainNode):
    """Hands serialized messages from the executor to a thread that writes them."""

    hears_out = 0.5

    def __init__(self) -> None:
        super().__init__("recorder", NODES["recorder"])
        self._config = self.settings.get(RecorderConfig)
        self._letters: Mailbox[tuple[str, int, bytes]] = Mailbox(
            self._config.queue * MIB, lambda letter: len(letter[2])
        )
        self._bag: BagWriter | None = None
        self._gaps = GapCounter()
        self._dropped_before = 0

    def open(self) -> None:
        """Create the bag, then subscribe."""
        config = self._config
        if not config.bag:
            raise BagError("nowhere to record to: set the parameter bag to a folder that does not exist yet")
        self._bag = BagWriter(Path(config.bag).expanduser(), config.min_free * MIB)
        self._listening = [self._listen(kind, topic, qos.EVERY_MESSAGE) for topic, kind in RELIABLE.items()]
        self._listening += [self._listen(kind, topic, qos.TF_STATIC) for topic, kind in LATCHED.items()]
        if config.images != "none":
            kind, topic = IMAGES[config.images]
            self._listening.append(self._listen(kind, topic, qos.EVERY_IMAGE, images=True))
        self._listening.append(self._listen(Imu, "imu", qos.READINGS))
        self._inquiry = ParameterInquiry(self, ("perception", "policy"), self._keep_parameters)
        # The last one: a file that waits for listeners of its camera begins when we hear everything.
        self._listening.append(self._listen(CameraInfo, "camera_info", qos.EVERY_IMAGE))
        self.get_logger().info(f"recording to {config.bag}")

    def close(self) -> None:
        """Unsubscribe, write what waits, close the bag."""
        bag, self._bag = self._bag, None
        if bag is None:
            return
        self._inquiry.close()
        for subscription in self._listening:
            self.destroy_subscription(subscription)
        bag.close()

    def work(self) -> None:
        """Write one message."""
        letter = self._letters.take(0.2)
        if letter is not None:
            self._write(letter)
        if self._letters.dropped > self._dropped_before:
            self._dropped_before = self._letters.dropped
            self.complain(f"the disk is too slow: {self._letters.dropped} messages are lost; see recorder.images")

    def stop_worker(self) -> None:
        """Stop the worker, then write what still waits."""
        super().stop_worker()
        while (letter := self._letters.take()) is not None:
            self._write(letter)

    def reports(self) -> list[Report]:
        """Return how much was written, and what was lost."""
        if self._bag is None:
            return []
        lost = self._letters.dropped + self._gaps.lost
        message = "recording" if not lost else f"recording; {lost} messages are lost"
        return [Report("recorder: bag", Level.WARN if lost else Level.OK, message, self._counts(self._bag))]

    def summary(self) -> list[str]:
        """Return where the bag is and what is in it."""
        if self._bag is None:
            return []
        counts = ", ".join(f"{count} {what}" for what, count in self._counts(self._bag).items())
        return [f"recorded to {self._config.bag}: {counts}"]

    def _counts(self, bag: BagWriter) -> dict[str, float | int | str]:
        return {
            "messages": bag.count,
            "MiB before compression": round(bag.bytes / MIB, 1),
            "dropped": self._letters.dropped,
            "images lost": self._gaps.lost,
        }

    def _listen(self, kind: type, topic: str, profile: qos.QoSProfile, images: bool = False) -> object:
        assert self._bag is not None
        name = self.resolve_topic_name(topic)
        self._bag.add(name, f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}", [offered(profile)])

        def heard(data: bytes) -> None:
            if images:
                self._gaps.saw(header_stamp(data))
            if not self.stopping.is_set():
                self._letters.put((name, self.now_ns(), data))

        return self.create_subscription(kind, topic, heard, profile, raw=True)

    def _keep_parameters(self, event: ParameterEvent) -> None:
        self._letters.put((PARAMETERS, self.now_ns(), serialize_message(event)))

    def _write(self, letter: tuple[str, int, bytes]) -> None:
        if self._bag is None or self.finished:
            return
        try:
            self._bag.write(*letter)
        except BagError as error:
            self.complain(f"recording ends here: {error}", Level.ERROR)
            self.finished, self.exit_code = True, 1
            self.stopping.set()


def nodes() -> list[ChainNode]:
    """Return the node of this executable."""
    return [RecorderNode()]
