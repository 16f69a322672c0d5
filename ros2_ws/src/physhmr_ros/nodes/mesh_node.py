"""The skin of a body model of the user's over the humanoid: `human/smpl` in, a Marker of triangles out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from visualization_msgs.msg import Marker

from physhmr.body.smpl_parameters import SmplParameters
from physhmr.config import NODES, MeshConfig
from physhmr.errors import ConfigError
from physhmr.mesh.skin import load_skin
from physhmr_msgs.msg import SmplParameters as SmplMessage
from physhmr_ros import qos
from physhmr_ros.conversions import smpl
from physhmr_ros.conversions.mesh import MeshMarker
from physhmr_ros.conversions.primitives import to_ns
from physhmr_ros.diagnostics import Level, Report, StageClock
from physhmr_ros.mailbox import Mailbox
from physhmr_ros.nodes.chain_node import ChainNode

NICENESS = 5
"""Added to that of whoever started us: what is only looked at must not slow down what it shows."""


class Mesh(Protocol):
    """What the node needs of `physhmr.mesh.skin.Skin`."""

    faces: NDArray[np.int64]

    def vertices(self, parameters: SmplParameters) -> NDArray[np.float32]:
        """(V, 3) m in the world."""


class MeshNode(ChainNode):
    """Draws the newest pose, as often as it may and while somebody looks."""

    def __init__(self, make: Callable[[Path], Mesh] = load_skin) -> None:
        super().__init__("mesh", NODES["mesh"])
        self._make = make
        self._config = self.settings.get(MeshConfig)
        self._letters: Mailbox[SmplMessage] = Mailbox()
        self._mesh: Mesh | None = None
        self._marker: MeshMarker | None = None
        self._stages = StageClock()
        self._due = 0.0

    def open(self) -> None:
        """Load the body model, then advertise and subscribe."""
        if not self._config.model:
            raise ConfigError("model", "must name the npz file of a body model (docs/mesh.md)", "")
        self._mesh = self._make(Path(self._config.model).expanduser())
        self._publisher = self.create_publisher(Marker, "human/mesh", qos.SIGHT)
        self._listening = self.create_subscription(SmplMessage, "human/smpl", self._letters.put, qos.STREAM)

    def close(self) -> None:
        """Unsubscribe, take the topic back and drop the model."""
        if self._mesh is None:
            return
        self._mesh = self._marker = None
        self.destroy_subscription(self._listening)
        self.destroy_publisher(self._publisher)

    def start(self) -> None:
        """Begin with an empty mailbox."""
        self._letters.open()

    def wake(self) -> None:
        """Close the mailbox."""
        self._letters.close()

    def work(self) -> None:
        """Draw once, when it is time."""
        self.stopping.wait(max(0.0, self._due - time.monotonic()))
        message, mesh = self._letters.take(0.2), self._mesh
        if message is None or mesh is None or not self._publisher.get_subscription_count():
            return
        begin = time.monotonic()
        self._due = begin + 1.0 / self._config.rate
        vertices = mesh.vertices(smpl.from_message(message))
        if self._marker is None or self._marker.frame != message.header.frame_id:
            self._marker = MeshMarker(mesh.faces, message.header.frame_id)
        self._publisher.publish(self._marker.fill(to_ns(message.header.stamp), vertices))
        self._stages.add({"mesh": 1e3 * (time.monotonic() - begin)})

    def reports(self) -> list[Report]:
        """Return how long a mesh takes."""
        if self._mesh is None:
            return []
        drawn = self._stages.count("mesh")
        values: dict[str, float | int | str] = {"model": self._config.model, "drawn": drawn}
        return [Report("mesh: skin", Level.OK, "ready", {**values, **self._stages.report()})]


def nodes() -> list[ChainNode]:
    """Return the node of this executable, in a process that steps back behind the others."""
    os.nice(NICENESS)
    return [MeshNode()]
