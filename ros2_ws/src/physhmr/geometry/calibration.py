"""Where the camera stands, from about a second of one upright person (no checkerboard, no TF).

What is used: a person is balanced, so the centre of mass stands above the feet, which gives the vertical; the body
height gives the scale, so the feet are a known way below the camera. A prior towards a level camera takes over as
far as the body leaves doubt: cameras are pitched as they like, but rolled hardly at all, or on purpose and by a lot.
World: z up, origin on the floor under the camera, x along its heading.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from physhmr.errors import CalibrationError
from physhmr.geometry.camera import CameraTilt, camera_pose, camera_tilt, pixels_to_rays, with_up
from physhmr.geometry.standing import center_of_mass, floor_point, leg_and_trunk_length, straightness, support_point
from physhmr.types import KEYPOINTS, Array, CameraModel, Keypoints2d

ASSUMED_HEIGHT = 1.70
"""m, body height of a person who did not say; our humanoid's too, so that such a person is not scaled."""

LEG_AND_TRUNK = 0.76
"""Leg (hip to ankle) plus trunk (hips to shoulders) over body height, as BlazePose places these points."""

HIP_HEIGHT = 0.53
"""Of the middle of the hips, standing, over body height."""
LEVEL_UP = np.array([0.0, -1.0, 0.0])
"""The vertical in a level camera's axes."""
_ROLLS_DEG = np.linspace(-180.0, 180.0, 1441)
"""Among which the mean is taken."""
_BELIEVABLE = (0.3, 2.5)
"""m above the floor that an unseen floor's camera may be."""

_NEEDED = np.array([KEYPOINTS.index(f"{side}_{part}") for side in "LR" for part in ("Shoulder", "Hip")])
_HIPS = np.array([KEYPOINTS.index("L_Hip"), KEYPOINTS.index("R_Hip")])
_LEGS = np.array([[KEYPOINTS.index(f"{side}_{part}") for part in ("Knee", "Ankle", "Heel", "Toe")] for side in "LR"])


@dataclass(frozen=True)
class CalibrationConfig:
    """How long to look, what to accept, and what to believe beforehand. Deviations are standard deviations."""

    duration: float = 1.0
    """s of accepted frames of a person who keeps still."""
    moving_duration: float = 4.0
    """s of accepted frames of a person who walks: balance then only holds on average over steps."""
    still_speed: float = 0.2
    """Hip speed in body lengths per second, above which a person moves."""
    min_frames: int = 10
    max_gap: float = 0.5
    """s without an accepted frame, after which the collection starts again."""
    min_score: float = 0.5
    """Of shoulders and hips, and of the better visible leg with its foot."""
    min_straightness: float = 0.9
    """Shoulder-to-ankle distance over the length of the body between them."""
    level_pitch_deg: float = 15.0
    """How far from level cameras are usually pitched."""
    level_roll_deg: float = 2.0
    """Within which half of all cameras are rolled; the others may be by any angle (a Cauchy distribution)."""
    body_pitch_deg: float = 6.0
    """How far the body's vertical errs, towards or away from the camera."""
    body_roll_deg: float = 4.0


FIRST_GUESS = CalibrationConfig(body_pitch_deg=8.0, body_roll_deg=5.0)
"""For the first frames of somebody who may be doing anything: their balance says less."""


@dataclass(frozen=True)
class CameraPoseEstimate:
    """The camera's pose, and what had to be assumed for it."""

    T_wc: Array
    """(4, 4)."""
    distance: float
    """m along the floor from the camera to the person."""
    scale: float
    """True size over the size of the network's landmarks."""
    assumptions: str
    """One sentence for the person who reads the log."""

    @property
    def tilt(self) -> CameraTilt:
        """Height, pitch and roll."""
        return camera_tilt(self.T_wc)


class StandingCalibration:
    """Collects frames of an upright person until they suffice for the camera's pose."""

    def __init__(self, person_height: float | None = None, config: CalibrationConfig | None = None) -> None:
        """`person_height` in m; None assumes `ASSUMED_HEIGHT` and says so."""
        self._person_height = person_height
        self._config = config or CalibrationConfig()
        self.reset()

    def reset(self) -> None:
        """Start again."""
        self._frames: list[Keypoints2d] = []
        self._share = 0.0
        self.reason = "waiting for a person"

    @property
    def progress(self) -> float:
        """In [0, 1]; at 1 `solve` may be called."""
        return min(self._share, len(self._frames) / self._config.min_frames, 1.0)

    def add(self, keypoints: Keypoints2d) -> bool:
        """Take one frame if it shows an upright, whole person; return whether there are enough.

        `reason` says why the last frame was left out, empty if it was taken.
        """
        self.reason = self._refusal(keypoints)
        if self.reason:
            return False
        if self._frames:
            self._account(self._frames[-1], keypoints)
        self._frames.append(keypoints)
        return self.progress >= 1.0

    def solve(self, camera: CameraModel, up_c: Array | None = None) -> CameraPoseEstimate:
        """Return the pose from the collected frames, with `up_c` as in `calibrate_standing`.

        Raises `CalibrationError` if they do not suffice.
        """
        if self.progress < 1.0:
            raise CalibrationError(
                f"{len(self._frames)} usable frames are too few for a calibration "
                f"({self._config.min_frames} over {self._config.duration:g} s): {self.reason or 'stand still a while'}"
            )
        return calibrate_standing(self._frames, camera, self._person_height, self._config, up_c)

    def _account(self, before: Keypoints2d, now: Keypoints2d) -> None:
        """Count the time between two accepted frames by how still the person kept; a gap starts anew."""
        elapsed = (now.stamp_ns - before.stamp_ns) * 1e-9
        if not 0.0 < elapsed <= self._config.max_gap:
            self.reset()
            self.reason = ""
            return
        speed = np.linalg.norm(_hips(now) - _hips(before)) / (_length(now) * elapsed)
        still = speed <= self._config.still_speed
        self._share += elapsed / (self._config.duration if still else self._config.moving_duration)

    def _refusal(self, keypoints: Keypoints2d) -> str:
        if not whole_body(keypoints, self._config):
            return "the whole body must be visible, from the shoulders to the feet"
        if straightness(keypoints.landmarks_c) < self._config.min_straightness:
            return "please stand upright"
        return ""


def whole_body(keypoints: Keypoints2d, config: CalibrationConfig) -> bool:
    """Whether shoulders, hips and a leg with its foot are in view."""
    score = keypoints.score
    return bool(min(score[_NEEDED].max(), score[_LEGS].min(1).max()) >= config.min_score)


def calibrate_standing(
    frames: list[Keypoints2d],
    camera: CameraModel,
    person_height: float | None = None,
    config: CalibrationConfig | None = None,
    up_c: Array | None = None,
) -> CameraPoseEstimate:
    """Return the camera's pose from frames of one upright person; `person_height` m, None: assumed.

    `up_c` (3,) is the vertical in the camera's axes where an IMU tells it; None takes that of the body.
    Raises `CalibrationError` when the feet come out above the camera.
    """
    config = config or CalibrationConfig()
    height = ASSUMED_HEIGHT if person_height is None else person_height
    landmarks = np.stack([frame.landmarks_c for frame in frames])
    scale = height / float(np.median(leg_and_trunk_length(landmarks)) / LEG_AND_TRUNK)
    body_c = landmarks * scale
    body_c = body_c + place(frames, body_c, camera)[:, None]
    T_wc = _level(vertical(body_c), config) if up_c is None else with_up(np.eye(4), up_c)
    T_wc[2, 3] = 0.0
    feet_w = np.median(floor_point(body_c, T_wc[2, :3]) @ T_wc[:3, :3].T, 0)
    if feet_w[2] >= 0:
        raise CalibrationError(
            f"the feet came out {feet_w[2]:.2f} m above the camera: the intrinsics cannot be right; "
            "calibrate the camera, or give its height and pitch"
        )
    T_wc[2, 3] = -feet_w[2]
    distance = float(np.hypot(*feet_w[:2]))
    return CameraPoseEstimate(T_wc, distance, scale, _assumptions(T_wc, distance, height, person_height is None))


def assume_level(
    frames: list[Keypoints2d], camera: CameraModel, person_height: float | None = None, up_c: Array | None = None
) -> CameraPoseEstimate:
    """Return the pose of a camera before a standing person whose feet it does not see: level, or with `up_c` (3,) up.

    The trunk's size gives the distance, the hips' usual height that of the camera; as `calibrate_standing` otherwise.
    """
    height = ASSUMED_HEIGHT if person_height is None else person_height
    landmarks = np.stack([frame.landmarks_c for frame in frames])
    scale = height / float(np.median(leg_and_trunk_length(landmarks)) / LEG_AND_TRUNK)
    hips_c = np.median(place(frames, landmarks * scale, camera), 0)
    up = LEVEL_UP if up_c is None else up_c
    T_wc = with_up(camera_pose(float(np.clip(HIP_HEIGHT * height - up @ hips_c, *_BELIEVABLE))), up)
    distance = float(np.linalg.norm(hips_c - (up @ hips_c) * up))
    level = "a level camera and " if up_c is None else ""
    assumptions = (
        f"camera {T_wc[2, 3]:.2f} m above the floor, person {distance:.2f} m away; assumed because the feet are not in "
        f"view: {level}a standing person; step back until all of you is visible, or set camera.height"
    )
    return CameraPoseEstimate(T_wc, distance, scale, assumptions)


def place(frames: list[Keypoints2d], body_c: Array, camera: CameraModel) -> Array:
    """Return where (n, 3) m the hip-centred bodies (n, 21, 3) m must be moved so that they project to the keypoints.

    Each is the score-weighted linear least-squares solution of x (Z + tz) = X + tx, likewise for y.
    """
    rays, valid = pixels_to_rays(camera, np.stack([frame.xy for frame in frames]))
    weight = np.stack([frame.score for frame in frames]) * valid
    xy = rays[..., :2] / rays[..., 2:]
    zero, one = np.zeros_like(xy[..., 0]), np.ones_like(xy[..., 0])
    rows = np.stack([np.stack([-one, zero, xy[..., 0]], -1), np.stack([zero, -one, xy[..., 1]], -1)], 2)
    right = body_c[..., :2] - xy * body_c[..., 2:]
    normal = np.einsum("nk,nkai,nkaj->nij", weight, rows, rows)
    return np.linalg.solve(normal, np.einsum("nk,nkai,nka->ni", weight, rows, right)[..., None])[..., 0]


def vertical(body_c: Array) -> Array:
    """Return the up direction (3,) in camera axes: from the support to the centre of mass, the median of all frames."""
    up, mass = LEVEL_UP, center_of_mass(body_c)
    for _ in range(4):  # which foot carries depends on what is up
        lean = mass - support_point(body_c, up)
        lean = np.median(lean / np.linalg.norm(lean, axis=-1, keepdims=True), 0)
        up = lean / np.linalg.norm(lean)
    return up


def _hips(frame: Keypoints2d) -> Array:
    return frame.xy[_HIPS].mean(0)


def _length(frame: Keypoints2d) -> float:
    """Shoulders to feet in the image, px."""
    return max(float(np.linalg.norm(frame.xy[_NEEDED].mean(0) - frame.xy[_LEGS[:, 1:]].mean((0, 1)))), 1.0)


def _level(up_c: Array, config: CalibrationConfig) -> Array:
    """The means of pitch and roll, given the body's vertical and how cameras usually stand."""
    body = camera_tilt(with_up(np.eye(4), up_c))
    pitch = body.pitch * config.level_pitch_deg**2 / (config.level_pitch_deg**2 + config.body_pitch_deg**2)
    doubt_deg = np.rad2deg(body.roll) - _ROLLS_DEG
    share = np.exp(-0.5 * (doubt_deg / config.body_roll_deg) ** 2) / (1.0 + (_ROLLS_DEG / config.level_roll_deg) ** 2)
    return camera_pose(0.0, pitch, float(np.deg2rad(share @ _ROLLS_DEG / share.sum())))


def _assumptions(T_wc: Array, distance: float, height: float, guessed: bool) -> str:
    tilt = camera_tilt(T_wc)
    return (
        f"camera {tilt.height:.2f} m above the floor, pitched {np.rad2deg(tilt.pitch):.1f} deg down, "
        f"rolled {np.rad2deg(tilt.roll):.1f} deg, person {distance:.2f} m away; assumed: a body height of "
        f"{height:.2f} m ({'not given' if guessed else 'given'}), feet on a flat floor, upright in balance"
    )
