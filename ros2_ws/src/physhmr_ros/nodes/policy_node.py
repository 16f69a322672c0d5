"""Rays to the simulated humanoid: `rays` in; joint states, odometry, TF, contacts and state out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from geometry_msgs.msg import WrenchStamped
from nav_msgs.msg import Odometry
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage

from physhmr.body.skeleton import BODY_NAMES
from physhmr.body.smpl_parameters import smpl_parameters
from physhmr.body.urdf import humanoid_urdf
from physhmr.config import NODES, CamerasConfig, ControlConfig, PublishConfig
from physhmr.errors import ConfigError
from physhmr.horizon import Horizon
from physhmr.types import Estimate, Status
from physhmr_msgs.msg import FootContacts, HumanPhysics, HumanState, SmplParameters
from physhmr_ros import chain, qos
from physhmr_ros.chain import Control, Seen
from physhmr_ros.conversions import humanoid, smpl
from physhmr_ros.conversions import physics as physics_messages
from physhmr_ros.diagnostics import Gauges, Level, Report, StageClock
from physhmr_ros.mailbox import Mailbox
from physhmr_ros.nodes.chain_node import ChainNode
from physhmr_ros.priority import hurry_this_thread
from physhmr_ros.ray_watch import RayWatch
from physhmr_ros.sparse_log import SparseLog
from physhmr_ros.ticker import Ticker
from physhmr_ros.timebase import ANOTHER_TIME, NANOSECONDS, TickStamps, TimeBase

PERIOD = 1.0 / 30.0
"""s; the policies are trained at 30 Hz."""
QUEUE = 600
"""Rays that wait at most with the frame clock."""
LEVELS = {Status.TRACKING: Level.OK, Status.FALLEN: Level.ERROR, Status.DIVERGED: Level.ERROR}
"""Everything else is a warning."""
SET_UP = "human/set_up"
"""Service: put the humanoid beside the person at once."""
CHANGES = 6
"""Changes of state that diagnostics tell of: a mishap is over before the next report."""


class PolicyNode(ChainNode):
    """Steps the humanoid, on its own beat or with the images' stamps, and tells about it."""

    def __init__(self, make: Callable[[ControlConfig], Control] = chain.make_control, composed: bool = False) -> None:
        """Make the node; a `composed` one gets its rays through `box` instead of the topic."""
        super().__init__("policy", NODES["policy"])
        self._make = make
        self._composed = composed
        self.by_frame = self.settings.get(ControlConfig).clock == "frame"
        self._on_settings()
        self.settings.on_change(self._on_settings)
        self.box: Mailbox[Seen] = Mailbox(QUEUE if self.by_frame else 1)
        """Where perception in the same process puts what it saw."""
        self._pipeline: Control | None = None
        self._stages, self._gauges = StageClock(), Gauges()
        self._horizon = self._new_horizon()
        self._last: Estimate | None = None
        self._changes: deque[str] = deque(maxlen=CHANGES)
        self._log = SparseLog(self.get_logger().info)
        self._watch: RayWatch | None = None
        self._urgent = False

    def open(self) -> None:
        """Load the policy and the humanoid, then advertise and subscribe."""
        config, cameras = self.settings.get(ControlConfig), self.settings.get(CamerasConfig)
        if cameras.names and (self._composed or self.by_frame or config.lifting != "encoder"):
            raise ConfigError(
                "cameras", "needs perception in other processes, clock timer and lifting encoder", cameras.cameras
            )
        pipeline = self._make(config)
        self._joints = self.create_publisher(JointState, "human/joint_states", qos.STREAM)
        self._odometry = self.create_publisher(Odometry, "human/odom", qos.STREAM)
        self._contacts = self.create_publisher(FootContacts, "human/contacts", qos.STREAM)
        self._states = self.create_publisher(HumanState, "human/state", qos.STREAM)
        self._physics = self.create_publisher(HumanPhysics, "human/physics", qos.STREAM)
        self._smpl = self.create_publisher(SmplParameters, "human/smpl", qos.STREAM)
        self._wrenches = [
            self.create_publisher(WrenchStamped, topic, qos.STREAM) for topic in physics_messages.WRENCH_TOPICS
        ]
        self._tf = self.create_publisher(TFMessage, "/tf", qos.TF)
        self._description = self.create_publisher(String, "human_description", qos.LATCHED)
        self._description.publish(String(data=humanoid_urdf()))
        self._watch = None if self._composed else RayWatch(self, cameras.names, self.box.put)
        self._set_up = self.offer(SET_UP)
        self._pipeline = pipeline

    def close(self) -> None:
        """Take the topics back and drop the humanoid."""
        if self._pipeline is None:
            return
        self._pipeline = None
        self.withdraw()
        if self._watch is not None:
            self._watch.close()
        publishers = [self._joints, self._odometry, self._contacts, self._states, self._tf, self._description]
        for publisher in (*publishers, self._physics, self._smpl, *self._wrenches):
            self.destroy_publisher(publisher)

    def start(self) -> None:
        """Begin with an empty mailbox, a new beat and a new time base."""
        self._ticker = Ticker(PERIOD, time.monotonic())
        self._stamps = TickStamps()
        self._times = TimeBase()
        self._horizon = self._new_horizon()
        self._rays_stamp: int | None = None
        self.box.open()

    def begin(self) -> None:
        """Ask for real-time priority and a core, if there is a beat to be in time for."""
        self._urgent = not self.by_frame and hurry_this_thread()

    def wake(self) -> None:
        """Close the mailbox."""
        self.box.close()

    def work(self) -> None:
        """Make one control step, when it is time."""
        if self.by_frame:
            self._step_with_the_images()
        else:
            self._step_on_the_beat()

    def reports(self) -> list[Report]:
        """Return state, milliseconds and counts."""
        values: dict[str, float | int | str] = {
            "ticks": self._stages.count("tick"),
            "dropped rays": self.box.dropped,
            "refused rays": 0 if self._watch is None else self._watch.refused,
            "real-time priority": "yes" if self._urgent else "no",
            **({} if self.by_frame else self._lateness()),
        }
        level, message = Level.WARN, "waiting for the first image"
        if self._last is not None:
            level = LEVELS.get(self._last.status, Level.WARN)
            message = f"{self._last.status.value}: {self._last.reason}"
            values |= self._last.counters
            values["newest changes"] = " | ".join(self._changes)
        if self._watch is not None:
            values |= {f"camera {camera}": finding for camera, finding in self._watch.findings.items()}
            for camera in self._watch.unused:
                level, message = max(level, Level.WARN), f"{message}; camera {camera}: {self._watch.findings[camera]}"
        if self._last is not None and not self.by_frame and self._horizon.complaint:
            level, message = max(level, Level.WARN), f"{message}; {self._horizon.complaint}"
        return [
            Report("policy: humanoid", level, message, {**values, **self._gauges.report(), **self._stages.report()})
        ]

    def summary(self) -> list[str]:
        """Return milliseconds and counts of the whole run."""
        if self._last is None:
            return ["humanoid: no image came"]
        ms = self._stages.summary()
        counters = ", ".join(f"{count} {what}" for what, count in self._last.counters.items())
        lines = [f"humanoid: {self._last.status.value} at the end; {counters}"]
        for stage, what in (("stamp_to_joint_state", "image stamp to joint state"), ("tick", "control step")):
            if f"{stage}_ms_p50" in ms:
                lines.append(f"{what}: median {ms[f'{stage}_ms_p50']:.1f} ms, p99 {ms[f'{stage}_ms_p99']:.1f} ms")
        return lines

    def _step_with_the_images(self) -> None:
        seen = self.box.take(0.2)
        stamp_ns = None if seen is None else self._times.accept(seen.stamp_ns)
        if seen is not None and stamp_ns is not None:
            self._step(stamp_ns, seen)

    def _step_on_the_beat(self) -> None:
        ticker = self._ticker
        if not self._stamps.known:
            # No image, no time base: there is nothing that a joint state could be stamped with.
            if not self.box.wait(time.monotonic() + 0.2):
                return
        elif not self.stopping.wait(max(0.0, ticker.opens - time.monotonic())):
            self.box.wait(ticker.deadline, lambda seen: ticker.takes(seen.arrived))
        seen = self.box.take()
        now = time.monotonic()
        if seen is not None:
            ticker.arrived(seen.arrived)
            self._stamps.saw(seen.stamp_ns, seen.arrived)
            if (late_ns := self._late_ns(seen)) is not None:
                self._horizon.measured(late_ns)
        ticker.ticked(now)
        if self._stamps.known and not self.stopping.is_set():
            stamp_ns = self._stamps.tick(now, fresh=seen is not None)
            self._step(stamp_ns, seen, self._horizon.ahead_ns(stamp_ns))

    def _late_ns(self, seen: Seen) -> int | None:
        """Time since the image's stamp; None if that is of another time."""
        late_ns = self.now_ns() - seen.stamp_ns
        return late_ns if abs(late_ns) < ANOTHER_TIME * NANOSECONDS else None

    def _step(self, stamp_ns: int, seen: Seen | None, ahead_ns: int = 0) -> None:
        pipeline = self._pipeline
        if pipeline is None:
            return
        if self._set_up.is_set():
            self._set_up.clear()
            pipeline.set_up()
        begin = time.perf_counter()
        rays = seen.rays if seen else None
        estimate = pipeline.advance(stamp_ns, rays) if self.by_frame else pipeline.step(stamp_ns, rays, ahead_ns)
        took = 1e3 * (time.perf_counter() - begin)
        if rays is not None:
            self._rays_stamp = stamp_ns
        if estimate is not None:
            self._stages.add({"tick": took, **estimate.stage_ms})
            self._tell(estimate, seen)
            self._tell_physics(estimate.state.stamp_ns, pipeline)
            self._tell_smpl(estimate)

    def _tell(self, estimate: Estimate, seen: Seen | None) -> None:
        state, config = estimate.state, self._publish_config
        self._joints.publish(humanoid.joint_state(state))
        if seen is not None and (late_ns := self._late_ns(seen)) is not None:
            self._stages.add({"stamp_to_joint_state": 1e-6 * late_ns})
        self._odometry.publish(humanoid.odometry(state, config.world_frame, config.tf_prefix + BODY_NAMES[0]))
        self._contacts.publish(humanoid.foot_contacts(state, config.world_frame))
        age = -1.0 if self._rays_stamp is None else (state.stamp_ns - self._rays_stamp) / NANOSECONDS
        self._states.publish(humanoid.human_state(estimate, age, config.world_frame))
        # A composed perception listens to /tf as well, but not for our bodies.
        if config.tf != "none" and self._tf.get_subscription_count() > self._composed:
            self._tf.publish(humanoid.body_transforms(state, config.world_frame, config.tf_prefix, config.tf == "root"))
        if self._last is None or estimate.status is not self._last.status:
            self._changes.append(f"{estimate.status.value}: {estimate.reason}")
            self._log.change(self._changes[-1])
        self._log.work(time.monotonic())
        self._last = estimate

    def _tell_physics(self, stamp_ns: int, pipeline: Control) -> None:
        """Measure, and tell those who listen: messages that nobody reads would cost 60 us."""
        begin = time.perf_counter()
        physics = pipeline.physics()
        self._stages.add({"measure": 1e3 * (time.perf_counter() - begin)})
        config = self._publish_config
        margin = None if physics.support_margin is None else 1e3 * physics.support_margin
        skate = physics.skate_mm if physics.standing_corners else None
        self._gauges.add({"support_margin_mm": margin, "skate_mm": skate, "penetration_mm": physics.penetration_mm})
        if self._physics.get_subscription_count():
            self._physics.publish(physics_messages.human_physics(stamp_ns, physics, config.world_frame))
        for foot, publisher in enumerate(self._wrenches):
            if publisher.get_subscription_count():
                publisher.publish(physics_messages.foot_wrench(stamp_ns, physics, foot, config.tf_prefix))

    def _tell_smpl(self, estimate: Estimate) -> None:
        if self._smpl.get_subscription_count():
            state = estimate.state
            told = smpl_parameters(state.qpos)
            self._smpl.publish(smpl.to_message(state.stamp_ns, told, estimate.scale, self._publish_config.world_frame))

    def _lateness(self) -> dict[str, float | int | str]:
        delay_s, ahead_s = self._horizon.delay_s, self._horizon.ahead_s
        return {"delay_ms": "unknown" if delay_s is None else 1e3 * delay_s, "predicted_ms": 1e3 * ahead_s}

    def _new_horizon(self) -> Horizon:
        return Horizon(self.settings.get(ControlConfig).predict)

    def _on_settings(self) -> None:
        self._publish_config = self.settings.get(PublishConfig)


def nodes() -> list[ChainNode]:
    """Return the node of this executable."""
    return [PolicyNode()]
