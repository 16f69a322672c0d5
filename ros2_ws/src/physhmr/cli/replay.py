"""`physhmr replay`: a bag or a video through the chain with the images' clock, recorded as a new bag."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Literal

import tyro


def main(
    source: Annotated[str, tyro.conf.Positional] = "demo",
    bag: str = "",
    composed: bool = True,
    page: bool = False,
    film: str = "",
    policy: Literal["", "vision", "two_stage"] = "",
    settings: Annotated[tuple[str, ...], tyro.conf.arg(name="set", metavar="NODE.PARAMETER=VALUE ...")] = (),
    params_file: Path | None = None,
    namespace: str = "",
) -> int:
    """Run every image through the chain, as fast as it can follow; the same file gives the same joint states.

    Where a bag holds the joint states of the run that it was recorded from, says how alike they are.

    Args:
        source: demo (the bundled clip), a video file, or a bag: an .mcap file or the folder of one.
        bag: Folder of the new bag, which must not exist yet; empty: out/<name>-replayed.
        composed: Perception and policy in one process; else one process each, with the same result.
        page: Serve a web page that shows camera, rays and humanoid.
        film: Overlay video to write; an empty string: none.
        policy: Who drives the humanoid: rays to action, or lift, then track; empty: as the parameter file says.
        settings: Parameters, such as recorder.images=none; `physhmr parameters` lists them.
        params_file: ROS parameter file to use instead of the shipped config/live.yaml.
        namespace: ROS namespace of all topics.
    """
    from physhmr_ros import bringup
    from physhmr_ros.bags import comparison
    from physhmr_ros.bags.reader import is_bag
    from physhmr_ros.supervisor import Supervisor

    given, file = dict(map(bringup.split_setting, settings)), params_file or bringup.parameter_file()
    written = Path(bag or bringup.replayed_bag(source))
    options = bringup.LiveOptions(source, False, composed, page, film, policy, given, str(written), offline=True)
    plan = bringup.plan(options)
    with tempfile.TemporaryDirectory(prefix="physhmr_") as folder:
        code = Supervisor().run(
            [(one, ["--ros-args", *bringup.ros_arguments(one, file, Path(folder), namespace, {})]) for one in plan]
        )
    if code == 0 and is_bag(Path(source)) and comparison.joint_states(Path(source)):
        print(comparison.compare(Path(source), written))
    return code
