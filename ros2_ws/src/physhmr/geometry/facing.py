"""Front or back: nobody turns around between two images, but detectors take the one for the other.

From afar, a body and its double, with left and right exchanged and depth turned over, look alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from physhmr.types import KEYPOINTS, MIRRORED_KEYPOINTS, Array, Keypoints2d, RayBundle

_LEFT, _RIGHT = ([KEYPOINTS.index(f"{side}_{part}") for part in ("Hip", "Shoulder")] for side in "LR")


@dataclass(frozen=True)
class FacingConfig:
    """What counts as turning around."""

    sure: float = 0.3
    """|cosine| between the body's lateral axis and the image's x axis above which front and back differ."""
    turn_time: float = 0.15
    """s; nobody goes from sure to sure of the opposite in less."""
    insistence: float = 1.0
    """s after which a detector that keeps saying so is believed."""


class FacingGuard:
    """Turns keypoints over that face the other way than those just before."""

    def __init__(self, config: FacingConfig | None = None) -> None:
        self._config = config or FacingConfig()
        self.reset()

    def reset(self) -> None:
        """Forget the person."""
        self._facing = 0.0
        self._sure_ns = self._contrary_ns = 0

    def step(self, keypoints: Keypoints2d) -> Keypoints2d:
        """The keypoints, or their double."""
        facing = lateral(keypoints.landmarks_c)
        if abs(facing) < self._config.sure:
            return keypoints
        contrary = facing * self._facing < 0.0
        now = keypoints.stamp_ns
        if contrary and 1e-9 * (now - self._sure_ns) <= self._config.turn_time:
            self._contrary_ns = self._contrary_ns or now
            if 1e-9 * (now - self._contrary_ns) <= self._config.insistence:
                self._sure_ns = now
                return turned_over(keypoints)
        self._facing, self._sure_ns, self._contrary_ns = facing, now, 0
        return keypoints


def lateral(landmarks_c: Array) -> float:
    """Cosine between the axis from the right to the left side and the camera's x axis; 1 faces the camera."""
    return float(left_axis(landmarks_c)[0])


def left_axis(landmarks: Array) -> Array:
    """(3,) unit vector from the right to the left side of hips and shoulders (21, 3), in the axes of these."""
    axis = (landmarks[_LEFT] - landmarks[_RIGHT]).sum(0)
    return np.asarray(axis / max(float(np.linalg.norm(axis)), 1e-6))


def turned_over(keypoints: Keypoints2d) -> Keypoints2d:
    """The double: left and right exchanged, depth turned over."""
    xy, score, landmarks_c = double_of(keypoints.xy, keypoints.score, keypoints.landmarks_c)
    return replace(keypoints, xy=xy, score=score, landmarks_c=landmarks_c)


def turned_over_rays(rays: RayBundle) -> RayBundle:
    """The same for the rays of one camera; upright people stay so: depth is the horizontal way to them."""
    swap, depth_w = list(MIRRORED_KEYPOINTS), rays.dir_w.mean(0) * [1.0, 1.0, 0.0]
    depth_w /= max(float(np.linalg.norm(depth_w)), 1e-6)
    flipped_w = rays.landmarks_w - 2.0 * (rays.landmarks_w @ depth_w)[:, None] * depth_w
    return replace(
        rays, origin_w=rays.origin_w[swap], dir_w=rays.dir_w[swap], score=rays.score[swap], landmarks_w=flipped_w[swap]
    )


def double_of(xy: Array, score: Array, landmarks_c: Array) -> tuple[Array, Array, Array]:
    """`turned_over` for the parts of any number of `Keypoints2d`: (..., 21, 2), (..., 21), (..., 21, 3)."""
    swap = list(MIRRORED_KEYPOINTS)
    return xy[..., swap, :], score[..., swap], landmarks_c[..., swap, :] * [1.0, 1.0, -1.0]
