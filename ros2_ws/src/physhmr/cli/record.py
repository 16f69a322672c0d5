"""`physhmr record`: everything of a run that goes on, as a bag."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Annotated, Literal

import tyro


def main(
    bag: Annotated[str, tyro.conf.Positional] = "",
    images: Literal["raw", "compressed", "none"] = "raw",
    settings: Annotated[tuple[str, ...], tyro.conf.arg(name="set", metavar="NODE.PARAMETER=VALUE ...")] = (),
    params_file: Path | None = None,
    namespace: str = "",
    image: str = "image_raw",
    camera_info: str = "camera_info",
) -> int:
    """Record camera, rays, humanoid and diagnostics until Ctrl-C, or until the disk is nearly full.

    Args:
        bag: Folder of the new bag, which must not exist yet; empty: out/run-<time>.
        images: Which images: image_raw, image_raw/compressed, or none, without which a run cannot be repeated.
        settings: Parameters, such as recorder.min_free=4096; `physhmr parameters --node recorder` lists them.
        params_file: ROS parameter file to use instead of the shipped config/live.yaml.
        namespace: ROS namespace of all topics.
        image: Topic of the images.
        camera_info: Topic of their CameraInfo.
    """
    from physhmr_ros import bringup
    from physhmr_ros.supervisor import Supervisor

    written = Path(bag or time.strftime("out/run-%Y-%m-%d-%H-%M-%S")).expanduser().absolute()
    given = {"recorder.images": images, "recorder.bag": str(written), **dict(map(bringup.split_setting, settings))}
    one, file = bringup.Executable("recorder", bringup.parse_settings(given)), params_file or bringup.parameter_file()
    remaps = {"image_raw": image, "camera_info": camera_info}
    with tempfile.TemporaryDirectory(prefix="physhmr_") as folder:
        arguments = bringup.ros_arguments(one, file, Path(folder), namespace, remaps)
        return Supervisor().run([(one, ["--ros-args", *arguments])])
