"""What a process must set before `rclpy.init`, so that nobody has to source or export anything.

A variable that the user has set is never changed.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from collections.abc import MutableMapping

from physhmr.config import share_directory
from physhmr.errors import PhyshmrError

FASTDDS = "rmw_fastrtps_cpp"
TRANSPORT_VARIABLES = (
    "FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE", "FASTDDS_BUILTIN_TRANSPORTS",
)  # fmt: skip
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3


def prepare(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set up this process for images over ROS 2; call it before rclpy is initialised.

    Raises `PhyshmrError` if ROS cannot work here, with the step that mends it.
    """
    set_defaults(environment, from_wheels())
    keep_image_memory()
    # Read when numpy is first imported. For matrices of 75 columns BLAS threads gain nothing, and they spin on the
    # core that the other stages need.
    environment.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Read when OpenCV is first imported: its workers spin as well, for crops of 256 x 256 px.
    environment.setdefault("OPENCV_FOR_THREADS_NUM", "1")
    # Read when MuJoCo is first imported: it would start an interpreter to ask which GLFW there is, which an interrupt
    # leaves with a traceback. No node draws with OpenGL.
    environment.setdefault("MUJOCO_GL", "disabled")
    # A worker that computes in Python otherwise holds up the executor for 5 ms at a time.
    sys.setswitchinterval(5e-4)


def from_wheels() -> bool:
    """Return whether this environment's ROS came from PyPI; raises `PhyshmrError` if there is none."""
    if importlib.util.find_spec("rclpy") is None:
        raise PhyshmrError(
            "no ROS 2 here: source a ROS 2 Jazzy, or install the wheels with pip install 'physhmr[ros-wheels]'"
        )
    return importlib.util.find_spec("ros_wheels_bootstrapper") is not None


def set_defaults(environment: MutableMapping[str, str], wheels: bool) -> None:
    """Fill in what is unset; `wheels`: the ROS of PyPI, which nobody sources and which brings Fast DDS only.

    Raises `PhyshmrError` if the user asks the wheels for another middleware.
    """
    middleware = environment.get("RMW_IMPLEMENTATION", "")
    if wheels:
        if middleware not in ("", FASTDDS):
            raise PhyshmrError(
                f"RMW_IMPLEMENTATION={middleware}, but the ROS wheels bring only {FASTDDS}: "
                "unset it, or use a ROS installation"
            )
        environment.setdefault("AMENT_PREFIX_PATH", sys.prefix)
        if "ROS_LOCALHOST_ONLY" not in environment:
            # A desk demo must not talk to the robots of the house; a sourced ROS keeps its own default.
            environment.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    if middleware in ("", FASTDDS) and not any(name in environment for name in TRANSPORT_VARIABLES):
        profile = "fastdds_localhost.xml" if _stays_on_this_machine(environment) else "fastdds.xml"
        environment[TRANSPORT_VARIABLES[0]] = str(share_directory() / "config" / profile)


def _stays_on_this_machine(environment: MutableMapping[str, str]) -> bool:
    """Whether discovery reaches no other machine; ROS_LOCALHOST_ONLY is the older word, and wins."""
    older = environment.get("ROS_LOCALHOST_ONLY")
    return older == "1" if older else environment.get("ROS_AUTOMATIC_DISCOVERY_RANGE") == "LOCALHOST"


def keep_image_memory() -> None:
    """Keep freed image buffers in the heap: mapping fresh pages for each 1 MB image costs milliseconds (glibc only)."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return
    for option, value in ((_M_MMAP_THRESHOLD, 1 << 30), (_M_TRIM_THRESHOLD, 1 << 30), (_M_TOP_PAD, 64 << 20)):
        mallopt(option, value)
