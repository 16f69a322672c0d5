"""Images to rays: `image_raw` + `camera_info` in, `rays` out."""

from __future__ import annotations

import time
from collections.abc import Callable

from sensor_msgs.msg import CompressedImage, Image

from physhmr.config import NODES, ImageConfig, PerceptionConfig
from physhmr.errors import PhyshmrError
from physhmr.types import Frame
from physhmr_msgs.msg import People
from physhmr_msgs.msg import RayBundle as RayBundleMessage
from physhmr_ros import chain, qos
from physhmr_ros.camera_watch import LATE, CameraWatch
from physhmr_ros.chain import Perception, Seen
from physhmr_ros.conversions import people as people_messages
from physhmr_ros.conversions import rays as ray_messages
from physhmr_ros.conversions.images import rgb
from physhmr_ros.conversions.primitives import to_ns
from physhmr_ros.diagnostics import Level, Report, StageClock
from physhmr_ros.log_bridge import library_log
from physhmr_ros.mailbox import Mailbox
from physhmr_ros.nodes.chain_node import ChainNode
from physhmr_ros.priority import leave_the_control_core
from physhmr_ros.timebase import ANOTHER_TIME, NANOSECONDS, GapCounter, TimeBase

TOPICS = {"raw": (Image, "image_raw"), "compressed": (CompressedImage, "image_raw/compressed")}
QUEUE = 60
"""Images that wait at most when every one counts."""
CHOOSE_ANEW = "perception/choose_anew"
"""Service: forget the person who is followed."""
READINGS_AFTER = 0.3
"""s that an image waits for the readings of the IMU up to its time, where every image counts."""
SILENT_AFTER = 2.0
"""s without an image before the node says so."""


class PerceptionNode(ChainNode):
    """Looks at the newest image, or at every one."""

    def __init__(
        self,
        hand_over: Callable[[Seen], None] | None = None,
        make: Callable[[PerceptionConfig], Perception] = chain.make_perception,
    ) -> None:
        """Give results to `hand_over` in the same process, if there is one; the topic serves everybody else."""
        super().__init__("perception", NODES["perception"])
        self._config = self.settings.get(ImageConfig)
        self._make = make
        self._hand_over = hand_over
        self._images: Mailbox[tuple[Image | CompressedImage, float]] = Mailbox(QUEUE if self._config.every_image else 1)
        self._pipeline: Perception | None = None
        self._stages = StageClock()
        self._times, self._gaps = TimeBase(), GapCounter()
        self._last_image = time.monotonic()
        self._refused = 0
        self._behind = 0.0
        """s by which TF was older than the newest image."""
        self._on_settings()
        self._selected = self._wanted
        self.settings.on_change(self._on_settings)

    def open(self) -> None:
        """Load the networks, then subscribe."""
        config = self._selected = self._wanted
        with library_log(self.get_logger()):
            pipeline = self._make(config)
        self._rays = self.create_publisher(RayBundleMessage, "rays", qos.STREAM)
        self._people = self.create_publisher(People, "people", qos.STREAM)
        images, patience = self._config, READINGS_AFTER if self._config.every_image else 0.0
        self._camera = CameraWatch(self, config.camera, images.world_frame, images.publish_camera, patience)
        kind, topic = TOPICS[self._config.transport]
        profile = qos.EVERY_IMAGE if self._config.every_image else qos.IMAGES
        self._subscription = self.create_subscription(kind, topic, self._on_image, profile)
        self._anew = self.offer(CHOOSE_ANEW)
        self._pipeline = pipeline

    def close(self) -> None:
        """Unsubscribe and drop the networks."""
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None
            self.withdraw()
            self.destroy_subscription(self._subscription)
            self._camera.close()
            self.destroy_publisher(self._people)
            self.destroy_publisher(self._rays)

    def start(self) -> None:
        """Begin with an empty mailbox and a new time base."""
        self._times, self._gaps = TimeBase(), GapCounter()
        self._last_image = time.monotonic()
        self._images.open()

    def begin(self) -> None:
        """Stay out of the way of this process' control steps, if there is a beat to be in time for."""
        if self._hand_over is not None and not self._config.every_image:
            leave_the_control_core()

    def wake(self) -> None:
        """Close the mailbox."""
        self._images.close()

    def work(self) -> None:
        """Turn one image into rays."""
        letter = self._images.take(0.2)
        if letter is None:
            silent = time.monotonic() - self._last_image
            if silent > SILENT_AFTER and not self.stopping.is_set():
                self.complain(f"no images on {self._subscription.topic_name} for {silent:.0f} s")
            return
        begin = time.perf_counter()
        try:
            frame = self._frame(letter[0])
        except PhyshmrError:
            self._refused += 1
            raise
        if frame is not None:
            self._look(frame, 1e3 * (time.monotonic() - letter[1]), 1e3 * (time.perf_counter() - begin))
            self._look_around(frame, letter[0].header.frame_id)
            self._announce(frame, letter[0].header.frame_id)

    def reports(self) -> list[Report]:
        """Return rates, milliseconds, age, and images dropped, lost and refused; nothing while inactive."""
        if self._pipeline is None or self.stopping.is_set():
            return []
        silent = time.monotonic() - self._last_image
        choice = self._pipeline.choice
        level, message = Level.WARN if self._pipeline.assumed else Level.OK, self._pipeline.status
        if self._behind > LATE:
            level, message = Level.WARN, f"TF of the camera is {self._behind:.1f} s old"
        if choice.degraded:
            level, message = Level.WARN, f"networks run with {choice.engine} only: {choice.reason}"
        if silent > SILENT_AFTER:
            level, message = Level.ERROR, f"no images for {silent:.0f} s"
        values: dict[str, float | int | str] = {"engine": choice.engine, "engine_reason": choice.reason}
        values |= {"select": self._selected.select, "camera_tf_behind_s": self._behind}
        values |= {"images": self._stages.count("perception"), **self._counts(), **self._stages.report()}
        return [Report("perception: images", level, message, values)]

    def summary(self) -> list[str]:
        """Return the counts of the whole run."""
        return [f"images: {self._images.put_count}; " + ", ".join(f"{n} {what}" for what, n in self._counts().items())]

    def _counts(self) -> dict[str, int]:
        return {
            "dropped": self._images.dropped,
            "lost": self._gaps.lost,
            "refused": self._refused,
            "out of order": self._times.refused,
            "clock restarts": self._times.restarts,
        }

    def _frame(self, message: Image | CompressedImage) -> Frame | None:
        """Return the image with its camera, None if it came out of order."""
        restarts = self._times.restarts
        taken_ns, frame_id = to_ns(message.header.stamp) or self.now_ns(), message.header.frame_id
        stamp_ns = self._times.accept(taken_ns)
        if stamp_ns is None:
            return None
        if self._times.restarts > restarts:
            self.complain(f"the images' stamps jumped back: ours run on, {self._times.offset_s:.3f} s ahead of them")
        pixels = rgb(message)
        height, width = pixels.shape[:2]
        # TF knows the camera's own stamps only.
        self._behind = self._camera.behind(frame_id, taken_ns)
        if self._behind > LATE:
            self.complain(f"TF of {frame_id} is {self._behind:.1f} s older than the image: its last pose is used")
        camera, up_c = self._camera.camera(width, height, frame_id, taken_ns), self._camera.up(frame_id, taken_ns)
        if self._wanted.camera.imu and up_c is None and camera.T_wc is None:
            self.complain(
                f"no pitch and roll for {frame_id}: imu is silent, or TF does not connect its frame to the camera"
            )
        return Frame(pixels, stamp_ns, camera, up_c)

    def _look(self, frame: Frame, waited_ms: float, door_ms: float) -> None:
        pipeline = self._pipeline
        if pipeline is None:
            return
        self._choose(pipeline)
        begin = time.perf_counter()
        seen = Seen(frame.stamp_ns, pipeline.step(frame), time.monotonic())
        took = 1e3 * (time.perf_counter() - begin)
        if self._hand_over is not None:
            self._hand_over(seen)
        if self._hand_over is None or self._rays.get_subscription_count():
            self._rays.publish(ray_messages.to_message(seen.stamp_ns, seen.rays, self._config.world_frame))
        if pipeline.assumed:
            self.complain(pipeline.status)
        self._stages.add({"wait": waited_ms - door_ms, "door": door_ms, "perception": took, **pipeline.stage_ms})
        age = (self.now_ns() - frame.stamp_ns) / NANOSECONDS + self._times.offset_s
        if age < ANOTHER_TIME:
            self._stages.add({"age": 1e3 * age})

    def _look_around(self, frame: Frame, frame_id: str) -> None:
        """Do what may wait; everybody else in view is looked for and told of only if somebody listens."""
        pipeline = self._pipeline
        if pipeline is None:
            return
        begin, wanted = time.perf_counter(), self._people.get_subscription_count() > 0
        pipeline.look_around(wanted)
        if wanted:
            self._people.publish(people_messages.to_message(frame.stamp_ns, pipeline.people, frame_id))
        self._stages.add({"look_around": 1e3 * (time.perf_counter() - begin)})

    def _choose(self, pipeline: Perception) -> None:
        """Follow somebody else, if that was asked for since the last image."""
        if self._wanted is not self._selected:
            self._selected = self._wanted
            pipeline.select(self._selected)
        if self._anew.is_set():
            self._anew.clear()
            pipeline.choose_anew()

    def _announce(self, frame: Frame, frame_id: str) -> None:
        """Pass on a camera pose that was configured or calibrated here, for rviz and the viewer."""
        placed = self._pipeline.camera if self._pipeline is not None else None
        if placed is None or placed.T_wc is None or frame.camera.T_wc is not None:
            return
        self._camera.announce(placed.T_wc, frame_id, frame.stamp_ns)

    def _on_settings(self) -> None:
        self._wanted = self.settings.get(PerceptionConfig)

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._last_image = time.monotonic()
        self._gaps.saw(to_ns(message.header.stamp))
        self._images.put((message, self._last_image))


def nodes() -> list[ChainNode]:
    """Return the node of this executable."""
    return [PerceptionNode()]
