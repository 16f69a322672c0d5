"""Stand-ins for the library's pipelines: as cheap as can be, with states that a test can predict.

`python fake_chain.py <live|perception|policy> [--ros-args ...]` runs the real nodes around them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from physhmr.body.smpl_parameters import SmplParameters
from physhmr.config import ControlConfig, PerceptionConfig
from physhmr.inference.choose import Choice
from physhmr.types import (
    KEYPOINTS,
    NQ,
    NUM_BODIES,
    NUM_HINGES,
    NUM_KEYPOINTS,
    NV,
    CameraModel,
    Contact,
    Estimate,
    Frame,
    HumanoidState,
    PersonBox,
    Physics,
    RayBundle,
    Reference,
    Status,
)  # fmt: skip
from physhmr.vision.person import Person

DARK = 10
"""Images whose mean is below this hold nobody."""


@dataclass
class FakePerception:
    """Sees a person in every bright image; all rays point to where the image's mean brightness says."""

    config: PerceptionConfig = field(default_factory=PerceptionConfig)
    stage_ms: dict[str, float] = field(default_factory=dict)
    status: str = "looking"
    assumed: bool = False
    camera: CameraModel | None = None
    choice: Choice = field(default_factory=lambda: Choice("onnx", "as the test wants"))
    frames: list[Frame] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def step(self, frame: Frame) -> RayBundle | None:
        self.frames.append(frame)
        self.stage_ms = {"keypoints": 0.1}
        brightness = float(frame.image.mean())
        return None if brightness < DARK else rays(frame.stamp_ns, brightness)

    def select(self, config: PerceptionConfig) -> None:
        self.asked.append(config.select)

    def choose_anew(self) -> None:
        self.asked.append("anew")

    @property
    def people(self) -> tuple[Person, ...]:
        box = PersonBox(np.array([30.0, 20.0]), 40.0, 0.1, 0.9)
        return (Person(3, box, followed=True), *((Person(1, box, 0.5),) if "everybody" in self.asked else ()))

    def look_around(self, everybody: bool = False) -> None:
        self.asked += ["everybody"] * everybody

    def close(self) -> None:
        self.status = "closed"


@dataclass
class FakeControl:
    """Leans the first hinge by the first ray's score; walks 10 mm a step."""

    config: ControlConfig = field(default_factory=ControlConfig)
    steps: int = 0
    seen: list[tuple[int, bool]] = field(default_factory=list)
    ahead: list[int] = field(default_factory=list)
    lean: float = 0.0

    def step(self, stamp_ns: int, rays: RayBundle | None, ahead_ns: int = 0) -> Estimate:
        self.steps += 1
        self.seen.append((stamp_ns, rays is not None))
        self.ahead.append(ahead_ns)
        if rays is not None:
            self.lean = float(rays.score[0])
        status = Status.TRACKING if rays is not None else Status.STALE
        return estimate(humanoid(stamp_ns + ahead_ns, 0.01 * self.steps, self.lean), status)

    def advance(self, stamp_ns: int, rays: RayBundle | None) -> Estimate | None:
        return self.step(stamp_ns, rays)

    def physics(self) -> Physics:
        return physics(0.01 * self.steps)

    def set_up(self) -> None:
        self.steps = 0


@dataclass
class FakeMesh:
    """Two triangles around the root joint, whatever is in the model's file."""

    path: Path
    faces: NDArray[np.int64] = field(default_factory=lambda: np.array([[0, 1, 2], [2, 1, 3]]))

    def vertices(self, parameters: SmplParameters) -> NDArray[np.float32]:
        corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
        return (parameters.transl + corners).astype(np.float32)


def rays(stamp_ns: int, brightness: float = 128.0) -> RayBundle:
    ahead = np.tile([1.0, 0.0, 0.0], (NUM_KEYPOINTS, 1))
    score = np.full(len(KEYPOINTS), brightness / 255.0)
    return RayBundle(stamp_ns, np.zeros_like(ahead), ahead, score, np.zeros_like(ahead))


def humanoid(stamp_ns: int, x: float = 0.0, lean: float = 0.0) -> HumanoidState:
    qpos, qvel = np.zeros(NQ), np.zeros(NV)
    qpos[:4] = x, 0.0, 0.97, 1.0
    qpos[7] = lean
    quat = np.tile([1.0, 0.0, 0.0, 0.0], (NUM_BODIES, 1))
    position = np.tile([x, 0.0, 0.97], (NUM_BODIES, 1))
    contact = Contact("L_Ankle", np.array([0.0, 0.0, 700.0]), np.zeros(3))
    return HumanoidState(stamp_ns, qpos, qvel, position, quat, np.zeros(NUM_HINGES), (contact,))


def estimate(state: HumanoidState, status: Status = Status.TRACKING) -> Estimate:
    names = ("falls", "divergences", "reinitialisations", "losses", "recoveries", "transitions")
    counters = dict.fromkeys(names, 0)
    reference = Reference(state.stamp_ns, state.qpos, state.qvel)
    return Estimate(state, reference, status, "as the test wants", {"policy": 0.1}, counters)


def physics(x: float = 0.0) -> Physics:
    """On both feet, most on the left one; the balance is 30 mm inside."""
    feet = np.array([[x, 0.1], [x + 0.2, 0.1], [x + 0.2, -0.1]])
    wrench = np.array([[0.0, 0.0, 500.0, 0.5, -5.0, 0.0], [1.0, 2.0, 200.0, 0.1, 0.2, 0.3]])
    return Physics(np.array([x, 0.0, 0.9]), feet, 0.03, wrench, 0.25, 12, 0.5)


def main(name: str, arguments: list[str]) -> int:
    from physhmr_ros import environment

    environment.prepare()
    from physhmr_ros import process
    from physhmr_ros.nodes import live
    from physhmr_ros.nodes.perception_node import PerceptionNode
    from physhmr_ros.nodes.policy_node import PolicyNode

    makers = {
        "live": lambda: live.nodes(FakePerception, FakeControl),
        "perception": lambda: [PerceptionNode(make=FakePerception)],
        "policy": lambda: [PolicyNode(make=FakeControl)],
    }
    return process.run(makers[name], arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
