"""Two live cameras on one person: whether their rays stay joined, and what a second camera costs.

    python benchmarks/live_cameras.py <folder with pose2sim/>
    python benchmarks/live_cameras.py <folder with pose2sim/> --late 0.1

Shows two of Pose2Sim's calibrated films to and fro, image by image in step, as cameras `left` and `right` of one clock
to the real nodes: a perception node in the namespace of each, and one policy. With `--late` the right one's images come
so many seconds after their exposure. Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from fault_campaign.clip import Clip
from node_latency.live_run import MODELS, START_WITHIN, tell
from node_latency.measures import quantiles

from physhmr.errors import PhyshmrError
from physhmr.eval.clips import open_clip, real_clips
from physhmr.eval.provenance import provenance
from physhmr.geometry.camera_info import resized
from physhmr.inference.model_files import find_model
from physhmr_ros import environment

if TYPE_CHECKING:
    from diagnostic_msgs.msg import DiagnosticArray

CAMERAS = ("left", "right")


@dataclass
class Heard:
    """What the chain told."""

    findings: dict[str, Counter[str]] = field(default_factory=lambda: {camera: Counter() for camera in CAMERAS})
    """What was found of each camera, second by second."""
    arrived: dict[int, float] = field(default_factory=dict)
    """s on the wall clock by the stamp, ns, of a joint state."""
    falls: int = 0

    def on_diagnostics(self, message: DiagnosticArray) -> None:
        """Take what the policy says of its cameras."""
        for status in message.status:
            values = {value.key: value.value for value in status.values}
            for camera in CAMERAS:
                if f"camera {camera}" in values:
                    self.findings[camera][values[f"camera {camera}"]] += 1
            self.falls = max(self.falls, int(values.get("falls", 0)))

    def on_joints(self, stamp_ns: int) -> None:
        """Note when a joint state came."""
        self.arrived.setdefault(stamp_ns, time.time())


def main(arguments: Sequence[str] | None = None) -> int:
    """Show, listen, print and write."""
    options = _options(arguments)
    os.environ["ROS_DOMAIN_ID"] = str(options.domain)
    try:
        environment.prepare()
        clips = [_clip(options.folder, f"pose2sim_cam{number:02d}", options.width) for number in options.films]
        figures = _run(options, clips)
    except (PhyshmrError, RuntimeError) as error:
        print(f"live_cameras: {error}", file=sys.stderr)
        return 1
    origin = provenance([find_model(name) for name in MODELS]).as_dict()
    setup = {"films": options.films, "width": options.width, "seconds": options.seconds, "late_s": options.late}
    print(json.dumps(figures, indent=1))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"provenance": origin, "setup": setup, **figures}, indent=1) + "\n")
    print(f"written: {options.out}")
    return 0


def _clip(folder: Path, name: str, width: int) -> Clip:
    """A film and its calibrated camera, scaled to `width` px."""
    found = {clip.name: clip for clip in real_clips(folder).clips}
    if name not in found:
        raise PhyshmrError(f"no {name} in {folder}; there are {', '.join(found) or 'none'}")
    camera = found[name].camera
    assert camera is not None  # all of Pose2Sim's are calibrated
    pictures = [frame.image for frame in open_clip(found[name]).frames]
    size = width, round(width * pictures[0].shape[0] / pictures[0].shape[1])
    return Clip(
        [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in pictures], resized(camera, *size)
    )


def _run(options: argparse.Namespace, clips: Sequence[Clip]) -> dict[str, Any]:
    """Start the chain, show the films for a while, and return what was heard."""
    # ROS comes in only now, when this process is set up for it.
    import rclpy
    from diagnostic_msgs.msg import DiagnosticArray
    from fault_campaign.camera import Camera
    from node_latency.node_process import NodeProcess
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node
    from rclpy.signals import SignalHandlerOptions
    from sensor_msgs.msg import JointState

    from physhmr_ros import qos
    from physhmr_ros.conversions.primitives import to_ns

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        stack.callback(rclpy.try_shutdown)
        heard, executor = Heard(), SingleThreadedExecutor()
        nodes = [Node("camera", namespace=name) for name in CAMERAS]
        shown = [
            Camera(node, clip, compressed=False, frame=f"{node.get_namespace()[1:]}_optical")
            for node, clip in zip(nodes, clips, strict=True)
        ]
        shown[1].set(late=options.late)
        nodes.append(Node("listener"))
        nodes[-1].create_subscription(DiagnosticArray, "/diagnostics", heard.on_diagnostics, 10)
        nodes[-1].create_subscription(
            JointState, "human/joint_states", lambda message: heard.on_joints(to_ns(message.header.stamp)), qos.STREAM
        )
        for node in nodes:
            executor.add_node(node)
        chain = [NodeProcess("policy", [f"cameras:='{' '.join(CAMERAS)}'"], options.domain, folder / "policy.log")]
        chain += [
            NodeProcess("perception", [], options.domain, folder / f"{name}.log", [f"__ns:=/{name}"])
            for name in CAMERAS
        ]
        for process in chain:
            stack.enter_context(process)

        def show(seconds: float) -> None:
            end = time.monotonic() + seconds
            while (now := time.monotonic()) < end:
                due = min(camera.work() for camera in shown)
                executor.spin_once(timeout_sec=max(0.0, min(due, end) - now))

        patience = time.monotonic() + START_WITHIN
        while not heard.arrived:
            if time.monotonic() > patience:
                raise RuntimeError("nothing came; the nodes said:\n" + "\n".join(one.log_text() for one in chain))
            show(0.5)
        tell(f"the chain runs; listening for {options.seconds:g} s")
        show(5.0)
        heard.findings, begun = Heard().findings, time.time_ns()
        show(options.seconds)
        for process in chain:
            process.stop()
        said = [line for one in chain for line in one.log_text().splitlines() if "control step" in line]
    latency = [
        1e3 * (at - 1e-9 * stamp) for stamp, at in heard.arrived.items() if stamp in shown[0].shown and stamp > begun
    ]
    return {
        "findings_by_second": {camera: dict(count) for camera, count in heard.findings.items()},
        "falls": heard.falls,
        "latency_ms": quantiles(np.array(latency)),
        "said": said,
    }


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--films", type=int, nargs=2, default=[1, 4], help="of the cameras left and right, 1 to 4")
    parser.add_argument("--width", type=int, default=640, help="px of the images")
    parser.add_argument("--late", type=float, default=0.0, help="s, of the right camera's images")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--domain", type=int, default=1 + os.getpid() % 100, help="ROS_DOMAIN_ID of the run")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "live-cameras.json")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
