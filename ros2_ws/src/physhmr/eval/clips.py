"""Which videos are evaluated: the bundled walk, a folder of real clips, or a user's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from physhmr.errors import CameraError, ShapeError, VideoError
from physhmr.eval.image_folder import ImageFolder
from physhmr.eval.pose2sim import JointTrack, load_qca_cameras, load_trc
from physhmr.geometry.camera import camera_from_fov
from physhmr.geometry.camera_info import resized
from physhmr.inference.model_files import models_dir
from physhmr.types import Array, CameraModel, Frame
from physhmr.video import DEFAULT_FOV, VideoConfig, VideoReader

MAX_FPS = 30.0
"""Faster videos are thinned to this rate, as the live source does."""
WALK_SIZE = 1280, 380
POSE2SIM_CAMERAS = ("cam01", "cam02", "cam03", "cam04")
_OTHERS = {
    "sports2d": ("video/sports2d_demo.mp4", "a woman walks by; camera calibrated on her"),
    "squats": ("video/tfjs_squats.mp4", "squats at 5 fps; camera calibrated on the person"),
}


@dataclass(frozen=True)
class RealClip:
    """One video with what is known about it."""

    name: str
    video: Path
    """A file, or a folder of images in the order of their names."""
    camera: CameraModel | None = None
    """Overrides the video's own; its right and lower margin may have been cropped from the video."""
    truth: JointTrack | None = None
    note: str = ""
    fps: float = 0.0
    """Hz of a folder of images, which does not say."""
    frames: int = 0
    """How many frames of the video are used; 0: all."""
    T_wc: Array | None = None
    """(F, 4, 4) pose of a camera that moves, in every frame of the video."""


@dataclass(frozen=True)
class Catalogue:
    """The clips that are there, and those that are not."""

    clips: tuple[RealClip, ...]
    missing: tuple[str, ...]
    """Why, one line for each missing one."""


def real_clips(folder: Path) -> Catalogue:
    """Return the bundled walk and the clips of `folder` (pose2sim/, video/), as far as they are there.

    Raises `CameraError` or `MotionFileError` for a damaged calibration or truth.
    """
    walk = models_dir() / "clips" / "walk.mp4"
    nothing_known = camera_from_fov(*WALK_SIZE, DEFAULT_FOV)
    clips = [
        RealClip("walk", walk, note="bundled; a woman walks by"),
        RealClip("walk_unknown", walk, nothing_known, note="the same; nothing is known of the camera"),
    ]
    clips += [RealClip(name, folder / video, note=note) for name, (video, note) in _OTHERS.items()]
    calibration, table = (
        folder / "pose2sim" / name for name in ("pose2sim_Calib.qca.txt", "pose2sim_Balancing_for_IK.trc")
    )
    missing = [f"{clip.name}: no {clip.video}" for clip in clips if not clip.video.is_file()]
    clips = [clip for clip in clips if clip.video.is_file()]
    if not (calibration.is_file() and table.is_file()):
        return Catalogue(tuple(clips), (*missing, f"pose2sim: no {calibration} or {table.name} beside it"))
    cameras, truth = load_qca_cameras(calibration), load_trc(table)
    for name in POSE2SIM_CAMERAS:
        video = calibration.with_name(f"pose2sim_{name}.mp4")
        if video.is_file() and name in cameras:
            note = "a man on one leg on a beam about 7 cm high"
            clips.append(RealClip(f"pose2sim_{name}", video, cameras[name], truth, note))
        else:
            missing.append(f"pose2sim_{name}: no {video}, or no {name} in the calibration")
    return Catalogue(tuple(clips), tuple(missing))


@dataclass(frozen=True)
class ClipFrames:
    """The frames of a clip, thinned and with the clip's camera."""

    fps: float
    """Of the thinned clip."""
    count: int
    """Announced, for a progress line; 0 if unknown."""
    person_height: float
    """m, as the video's sidecar says; 0 if unknown."""
    frames: Iterator[Frame]


def open_clip(clip: RealClip) -> ClipFrames:
    """Open the video of `clip`; raises `VideoError`, or `CameraError` if its camera does not fit."""
    if str(clip.video).isdecimal():
        raise VideoError(f"evaluation needs a file, got '{clip.video}'")
    reader, camera = _open(clip)
    thinned = max(round(reader.fps / MAX_FPS), 1)
    used = min(clip.frames or reader.announced_frames, reader.announced_frames)
    return ClipFrames(
        reader.fps / thinned, -(-used // thinned), reader.person_height or 0.0, _frames(reader, camera, clip)
    )


def _open(clip: RealClip) -> tuple[VideoReader | ImageFolder, CameraModel]:
    """The images, and the camera that took them: cropped videos are common, and images of a smaller scale."""
    if clip.video.is_dir():
        images = ImageFolder(clip.video, clip.fps, MAX_FPS)
        size = images.camera.width, images.camera.height
        return images, images.camera if clip.camera is None else resized(clip.camera, *size)
    video = VideoReader(VideoConfig(str(clip.video), max_fps=MAX_FPS))
    size = video.camera.width, video.camera.height
    return video, video.camera if clip.camera is None else cropped(clip.camera, *size)


def cropped(camera: CameraModel, width: int, height: int) -> CameraModel:
    """Return the camera of the upper left `width` x `height` px; `CameraError` if there are not so many."""
    if width > camera.width or height > camera.height:
        raise CameraError(f"a {width}x{height} video cannot come from a {camera.width}x{camera.height} camera")
    return replace(camera, width=width, height=height)


def truth_at(truth: JointTrack, joints: tuple[str, ...], stamps_ns: Array) -> Array:
    """Return the true joints (T, N, 3) m at the frames nearest to `stamps_ns` (T,).

    Raises `ShapeError` if the video runs on for more than half a frame beyond the truth.
    """
    index = np.abs(truth.stamps_ns[:, None] - np.asarray(stamps_ns)[None]).argmin(0)
    apart = np.abs(truth.stamps_ns[index] - stamps_ns).max(initial=0.0)
    if apart > 0.5e9 / truth.fps:
        raise ShapeError("truth", f"a row for every frame; one is {1e-9 * apart:.2f} s away", truth.pos_w.shape)
    return truth.select(joints)[index]


def _frames(reader: VideoReader | ImageFolder, camera: CameraModel, clip: RealClip) -> Iterator[Frame]:
    with reader:
        for frame in reader:
            index = round(1e-9 * frame.stamp_ns * reader.fps)
            if clip.frames and index >= clip.frames:
                return
            yield replace(frame, camera=camera if clip.T_wc is None else replace(camera, T_wc=clip.T_wc[index]))
