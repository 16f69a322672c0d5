"""Configuration as frozen dataclasses: the one source of every parameter's type, default, range and meaning.

ROS parameters, YAML files and command line options are all derived from these fields. Angles in degrees where a
person types them, and named so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from physhmr.errors import ConfigError, PhyshmrError, UnknownNameError
from physhmr.parameter import Config, Parameter, parameter, parameters

ENGINES = ("auto", "onnx", "openvino", "tensorrt", "tensorrt_rtx", "onnx_cuda", "onnx_tensorrt")
"""What can run networks; `auto` chooses."""
SELECTIONS = ("largest", "centre", "pixel")
"""Whom to follow among several people."""
PRECISIONS = ("fp32", "fp16", "bf16", "int8")
"""docs/engines.md has the losses; transformers bear bf16 and int8, BlazePose does not."""


def share_directory() -> Path:
    """Return where launch/, config/ and models/ lie: the source tree, or share/physhmr of the installation.

    Raises `ConfigError` when there is neither, which means a damaged installation.
    """
    for parent in Path(__file__).resolve().parents:
        for candidate in (parent, parent / "share" / "physhmr"):
            if (candidate / "package.xml").is_file() and (candidate / "config").is_dir():
                return candidate
    raise PhyshmrError(f"no share/physhmr above {__file__}: the installation is damaged, reinstall physhmr")


@dataclass(frozen=True)
class CameraConfig(Config):
    """What is known about the camera besides its CameraInfo and TF."""

    fov_deg: float = parameter(
        0.0, "Field of view along the longer image side, used where CameraInfo is missing or uncalibrated; 0: refuse",
        unit="deg", low=0.0, high=170.0,
    )  # fmt: skip
    rectified: bool = parameter(False, "The images are rectified already: use CameraInfo.p and no distortion")
    height: float = parameter(
        0.0, "Height of the camera above the floor where TF does not say; 0: calibrate on the standing person",
        unit="m", low=0.0, high=20.0,
    )  # fmt: skip
    pitch_deg: float = parameter(0.0, "Downward tilt that goes with height", unit="deg", low=-90.0, high=90.0)
    roll_deg: float = parameter(0.0, "Clockwise roll that goes with height", unit="deg", low=-180.0, high=180.0)
    imu: bool = parameter(
        False, "Take pitch and roll from an IMU on the topic imu where TF does not say how the camera stands"
    )


@dataclass(frozen=True)
class PerceptionConfig(Config):
    """From image to rays."""

    model: str = parameter("full", "BlazePose landmark network: full, lite (faster), or the path of an ONNX file")
    detector: str = parameter(
        "blazepose_detector",
        "Network that finds people: blazepose_detector; of your own, movenet_multipose, which sees several at once",
    )
    refine: str = parameter(
        "", "Second network that corrects BlazePose's pixels, as `physhmr models list` names it; empty: none"
    )
    threads: int = parameter(1, "CPU threads of each network", low=1, high=64)
    engine: str = parameter(
        "auto", "What runs the networks; auto: the best that works here, told in the log and in /diagnostics",
        choices=ENGINES,
    )  # fmt: skip
    precision: str = parameter(
        "fp32", "Precision of the networks; fp16 is for TensorRT, the CPU computes in fp32", choices=PRECISIONS[:2]
    )
    refine_precision: str = parameter(
        "fp32", "Precision of the second network; for transformers on a CPU: bf16 (openvino), int8 (onnx)",
        choices=PRECISIONS,
    )  # fmt: skip
    crop_on_gpu: bool = parameter(
        False, "Where a GPU runs BlazePose, let it also cut the crops out of the pictures; not tried on one yet"
    )
    engine_cache: str = parameter("", "Folder of compiled engines; empty: physhmr/engines in the user's cache")
    min_detection_score: float = parameter(0.5, "Detections below this score are ignored", low=0.0, high=1.0)
    look_for_others: int = parameter(
        8, "Frames between two looks for people who might cross the followed one's way; 0: never", low=0, high=300
    )
    look_for_everybody: int = parameter(
        4, "Frames between two looks for everybody in view, while somebody listens to `people`; 0: never",
        low=0, high=300,
    )  # fmt: skip
    select: str = parameter(
        "largest", "Who is followed of several: the largest, nearest to the picture's centre, or who is under a pixel",
        choices=SELECTIONS, live=True,
    )  # fmt: skip
    select_x: int = parameter(0, "Column of that pixel", unit="px", low=0, high=16384, live=True)
    select_y: int = parameter(0, "Row of that pixel", unit="px", low=0, high=16384, live=True)
    min_tracking_score: float = parameter(0.5, "Below this person score the track is lost", low=0.0, high=1.0)
    person_height: float = parameter(
        0.0, "Height of the person, which sets the scale of the world; 0: an average one, said in the log",
        unit="m", low=0.0, high=2.5,
    )  # fmt: skip
    camera: CameraConfig = field(default_factory=CameraConfig)


@dataclass(frozen=True)
class ControlConfig(Config):
    """From rays to the simulated humanoid."""

    policy: str = parameter(
        "vision", "Who drives the humanoid: vision (rays to action), or two_stage (lift a pose, then track it)",
        choices=("vision", "two_stage"),
    )  # fmt: skip
    lifting: str = parameter(
        "encoder", "With two_stage, from rays to a pose: encoder (learned), or solver (inverse kinematics)",
        choices=("encoder", "solver"),
    )  # fmt: skip
    clock: str = parameter(
        "timer", "timer: 30 Hz against the wall clock, live; frame: the simulation advances by the images' stamps",
        choices=("timer", "frame"),
    )  # fmt: skip
    predict: float = parameter(
        0.0,
        "Predict the person by as much as images are late, at most this, and stamp the state so; "
        "0 or clock frame: never",
        unit="s", low=0.0, high=0.3,
    )  # fmt: skip
    person_height: float = parameter(
        0.0, "Height of the person; 0: found where the camera's pose is known, else an average one",
        unit="m", low=0.0, high=2.5,
    )  # fmt: skip
    stale_after: float = parameter(0.2, "Rays older than this are stale", unit="s", low=0.03, high=10.0)
    lost_after: float = parameter(
        1.0,
        "Rays older than this: person lost, balanced stance",
        unit="s",
        low=0.05,
        high=60.0,
    )


@dataclass(frozen=True)
class SourceConfig(Config):
    """A video file, a webcam or the camera of a bag as a ROS camera."""

    uri: str = parameter("", "Path of a video file or of a bag (.mcap, or its folder), or the number of a webcam")
    loop: bool = parameter(False, "Start the file again at its end; stamps run on")
    rate: float = parameter(1.0, "Playing speed of a file; 0: as fast as possible", low=0.0, high=100.0)
    max_fps: float = parameter(
        30.0, "Frames above this rate are skipped before they are decoded; 0: all", unit="Hz", low=0.0, high=240.0
    )
    max_side: int = parameter(
        960, "Larger images are shrunk to this longer side; 0: never", unit="px", low=0, high=8192
    )
    fov_deg: float = parameter(
        0.0, "Field of view along the longer side; 0: from the video's sidecar, else 60 with a warning",
        unit="deg", low=0.0, high=170.0,
    )  # fmt: skip
    frame_id: str = parameter("camera_optical_frame", "TF frame of the images")
    world_frame: str = parameter("odom", "TF frame in which the camera stands, if the sidecar says where")
    listeners: int = parameter(
        1, "A file starts to play when so many nodes listen to image_raw or camera_info; 0: at once", low=0, high=100
    )
    lockstep: bool = parameter(
        False, "Show an image of a file when the chain has done with the one before, however long that takes"
    )
    images: str = parameter("", "Which image topic of a bag; empty: the only one")
    imu: str = parameter("", "Which IMU topic of a bag; empty: the only one")
    ignore_frames: str = parameter("human/", "Transforms of a bag to frames that begin so are not played")
    reconnect_after: float = parameter(1.0, "A webcam that is gone is tried again after", unit="s", low=0.1, high=60.0)


@dataclass(frozen=True)
class NodeConfig(Config):
    """What every node of the chain has in common."""

    autostart: bool = parameter(True, "Configure and activate the lifecycle node by itself")


@dataclass(frozen=True)
class ServiceConfig(Config):
    """What others may make a node do."""

    services: bool = parameter(False, "Offer the services that change what the node does; else there are none")


@dataclass(frozen=True)
class ImageConfig(Config):
    """Which images the perception node looks at, and where the camera is looked up."""

    transport: str = parameter(
        "raw", "Subscribe to image_raw, or to image_raw/compressed (JPEG, PNG)", choices=("raw", "compressed")
    )
    every_image: bool = parameter(False, "Every image in its order, as the frame clock wants; else the newest wins")
    world_frame: str = parameter("odom", "TF frame of the world: z up, the floor at z = 0")
    publish_camera: bool = parameter(True, "Tell TF where the camera stands, if TF did not tell us")


@dataclass(frozen=True)
class CamerasConfig(Config):
    """Whose rays the policy node hears."""

    cameras: str = parameter(
        "",
        "Namespaces of several cameras of one person, with spaces between: <camera>/rays is heard; empty: rays",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(re.fullmatch(r"[A-Za-z]\w*(/[A-Za-z]\w*)*", name, re.ASCII) for name in self.names):
            raise ConfigError("cameras", "must be names of namespaces, separated by spaces", self.cameras)
        if len(set(self.names)) < len(self.names):
            raise ConfigError("cameras", "must name each camera once", self.cameras)

    @property
    def names(self) -> tuple[str, ...]:
        """The namespaces, as they were listed."""
        return tuple(self.cameras.split())


@dataclass(frozen=True)
class PublishConfig(Config):
    """What the policy node tells besides the joint states."""

    world_frame: str = parameter("odom", "TF frame of the world: z up, the floor at z = 0")
    tf: str = parameter(
        "all",
        "TF from the world frame to every body, to the pelvis only, or none",
        choices=("all", "root", "none"),
        live=True,
    )
    tf_prefix: str = parameter("human/", "Put before every body's TF frame name")


@dataclass(frozen=True)
class HumansConfig(Config):
    """The followed person under the names of REP-155."""

    id_prefix: str = parameter("p", "Before the person's number in the identifier of a body; differs between chains")
    rectified: bool = parameter(False, "The images are rectified: roi is in them, as CameraInfo.p sees them")
    world_frame: str = parameter("odom", "TF frame of the world: z up, the floor at z = 0")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.id_prefix.isidentifier() or not self.id_prefix.isascii():
            raise ConfigError("id_prefix", "must be a letter, then letters, digits and _", self.id_prefix)


@dataclass(frozen=True)
class MeshConfig(Config):
    """The skin of a body model over the humanoid."""

    model: str = parameter("", "Body model whose mesh is told: the npz file of SMPL, SMPL-H or SMPL-X, which is yours")
    rate: float = parameter(15.0, "Meshes per second at most", unit="Hz", low=1.0, high=60.0)


@dataclass(frozen=True)
class RetargetConfig(Config):
    """From the humanoid to a robot's joint targets, and when they stop."""

    robot: str = parameter("unitree_g1", "Which robot: a name of `physhmr robot list`, or the path of its YAML")
    upper_body: bool = parameter(True, "Drive the upper body only; legs are left to the robot's own balance controller")
    simulate: bool = parameter(False, "Play the targets on the simulated robot, which then says where its joints are")
    rate: float = parameter(100.0, "Joint targets per second", unit="Hz", low=20.0, high=1000.0)
    speed: float = parameter(0.5, "Share of the robot's joint speeds that targets may use", low=0.01, high=1.0)
    soft_speed: float = parameter(
        0.5, "Speed of every joint from the robot's pose to the first target", unit="rad/s", low=0.01, high=3.0
    )
    stale_after: float = parameter(0.2, "Stop when the human's last pose is older", unit="s", low=0.03, high=5.0)
    dead_man_after: float = parameter(
        0.25, "Stop when the pressed dead-man switch was not heard for", unit="s", low=0.03, high=5.0
    )
    infeasible_after: float = parameter(
        0.5, "Stop when the robot could not do what the human does for", unit="s", low=0.03, high=60.0
    )
    workspace: float = parameter(
        3.0, "Stop when the root's target is farther from where it was enabled", unit="m", low=0.1, high=1000.0
    )


@dataclass(frozen=True)
class ViewerConfig(Config):
    """What there is to see."""

    page: bool = parameter(True, "Show camera, rays and humanoid on a web page")
    host: str = parameter("127.0.0.1", "Address that the page is served on; 0.0.0.0 lets other machines look")
    port: int = parameter(8080, "Port of the page, or the next free one", low=1, high=65535)
    film: str = parameter("", "Write an overlay video to this .mp4 file; empty: none")
    film_fps: float = parameter(15.0, "Frame rate of that video", unit="Hz", low=1.0, high=120.0)
    film_height: int = parameter(360, "Height of that video; odd ones lose a line", unit="px", low=120, high=1080)
    world_frame: str = parameter("odom", "TF frame of the world: z up, the floor at z = 0")


@dataclass(frozen=True)
class RecorderConfig(Config):
    """What is written down of a run, and where to."""

    bag: str = parameter("", "Folder of the new bag; MCAP with zstd, as `ros2 bag` reads it")
    images: str = parameter(
        "raw", "Record image_raw, image_raw/compressed, or no images, without which a run cannot be repeated",
        choices=("raw", "compressed", "none"),
    )  # fmt: skip
    min_free: int = parameter(
        1024, "Recording ends, with an error, when less than this is free on the disk", unit="MiB", low=16, high=2**30
    )
    queue: int = parameter(
        256, "Messages that wait for the disk at most; beyond that the oldest are lost, and counted", unit="MiB",
        low=16, high=65536,
    )  # fmt: skip


NODES: dict[str, tuple[type[Config], ...]] = {
    "source": (SourceConfig, NodeConfig),
    "perception": (PerceptionConfig, ImageConfig, ServiceConfig, NodeConfig),
    "policy": (ControlConfig, CamerasConfig, PublishConfig, ServiceConfig, NodeConfig),
    "recorder": (RecorderConfig, NodeConfig),
    "humans": (HumansConfig, NodeConfig),
    "mesh": (MeshConfig, NodeConfig),
    "retarget": (RetargetConfig, NodeConfig),
    "viewer": (ViewerConfig, NodeConfig),
}
"""Which configurations each node's parameters come from."""


def node_parameters(node: str) -> dict[str, Parameter]:
    """Return every parameter of one node by its dotted name; raises `UnknownNameError`."""
    if node not in NODES:
        raise UnknownNameError("node", node, NODES)
    return {name: spec for kind in NODES[node] for name, spec in parameters(kind).items()}
