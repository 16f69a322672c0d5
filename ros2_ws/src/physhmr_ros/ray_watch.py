"""What a node hears of the person: `rays`, or `<camera>/rays` of several cameras, joined."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from rclpy.subscription import Subscription

from physhmr.errors import PhyshmrError
from physhmr.lifting.camera_fusion import CameraFusion
from physhmr_msgs.msg import RayBundle
from physhmr_ros import qos
from physhmr_ros.chain import Seen
from physhmr_ros.conversions.rays import from_message
from physhmr_ros.nodes.chain_node import ChainNode

USEFUL = ("leads", "joins")
"""What is found of a camera that all is well with."""
WRONG = {
    "disagrees": "do not meet those of {leader}: it follows somebody else, or TF is wrong about one of them",
    "late": "are much older or newer than those of {leader}: are their stamps of one clock?",
}


class RayWatch:
    """Hands on what one camera saw, or all of them together; messages that are refused are counted."""

    def __init__(self, node: ChainNode, cameras: Sequence[str], hand_on: Callable[[Seen], None]) -> None:
        """Subscribe on `node`; `cameras` are namespaces below its own, none: the one camera on `rays`."""
        self._node, self._hand_on = node, hand_on
        self._fusion = CameraFusion(cameras) if cameras else None
        self._subscriptions = [self._listen(camera) for camera in cameras or ("",)]
        self.refused = 0

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    @property
    def findings(self) -> dict[str, str]:
        """Camera -> what `CameraFusion` finds of it; empty for a single one."""
        return self._fusion.findings if self._fusion is not None else {}

    @property
    def unused(self) -> list[str]:
        """Cameras that add nothing now."""
        return [camera for camera, finding in self.findings.items() if finding not in USEFUL]

    def _listen(self, camera: str) -> Subscription:
        topic = f"{camera}/rays" if camera else "rays"
        return self._node.create_subscription(RayBundle, topic, partial(self._on_rays, camera), qos.STREAM)

    def _on_rays(self, camera: str, message: RayBundle) -> None:
        try:
            stamp_ns, rays = from_message(message)
        except PhyshmrError as error:
            self.refused += 1
            self._node.complain(str(error))
            return
        if self._fusion is not None:
            if not self._fusion.add(camera, stamp_ns, rays):
                return
            rays = self._fusion.view
            self._complain(self._fusion)
        self._hand_on(Seen(stamp_ns, rays, time.monotonic()))

    def _complain(self, fusion: CameraFusion) -> None:
        for camera, finding in fusion.findings.items():
            if finding in WRONG:
                self._node.complain(f"rays of camera {camera} {WRONG[finding]}".format(leader=fusion.leader))
