"""The pinhole camera with plumb-bob or rational distortion: pixels <-> rays, poses, CameraInfo.

Pixel centres lie at integer coordinates (OpenCV, CameraInfo). Camera axes are optical: z forward,
x right, y down. The world is z up. `pitch` > 0 looks down, `roll` > 0 turns the camera clockwise
about its viewing direction; angles are radians.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from physhmr.errors import CameraError, ShapeError
from physhmr.types import Array, CameraModel

LEVEL_R_WC: Array = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""Orientation of a level camera that looks along world x."""

_NEWTON_STEPS = 12
_NEWTON_TOLERANCE = 1e-9
_MIN_DEPTH = 1e-9


@dataclass(frozen=True)
class CameraTilt:
    """What a camera's pose says when heading and place on the floor do not matter."""

    height: float
    """m above the floor."""
    pitch: float
    """rad, > 0 looks down."""
    roll: float
    """rad, > 0 clockwise about the viewing direction."""


def camera_from_fov(width: int, height: int, fov: float) -> CameraModel:
    """Return a distortion-free camera whose longer image side spans `fov` radians.

    Raises `CameraError` unless 0 < fov < pi.
    """
    if not 0.0 < fov < np.pi:
        raise CameraError(f"the field of view must lie between 0 and pi rad, got {fov:g} (degrees?)")
    focal = 0.5 * max(width, height) / np.tan(0.5 * fov)
    K = np.array([[focal, 0.0, 0.5 * (width - 1)], [0.0, focal, 0.5 * (height - 1)], [0.0, 0.0, 1.0]])
    return CameraModel(K=K, width=width, height=height)


def camera_pose(height: float, pitch: float = 0.0, roll: float = 0.0) -> Array:
    """Return T_wc (4, 4) of a camera `height` m above the world's origin whose heading is world x."""
    cp, sp, cr, sr = np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    pitch_w = np.array([[cp, 0.0, sp], [0.0, 1.0, 0.0], [-sp, 0.0, cp]])
    roll_c = np.array([[cr, -sr, 0.0], [sr, cr, 0.0], [0.0, 0.0, 1.0]])
    T_wc = np.eye(4)
    T_wc[:3, :3] = pitch_w @ LEVEL_R_WC @ roll_c
    T_wc[2, 3] = height
    return T_wc


def with_up(T_wc: Array, up_c: Array) -> Array:
    """Return the pose of a camera as high as T_wc (4, 4), with `up_c` (3,) up and its heading along world x."""
    turned = np.eye(4)
    turned[2, :3] = up_c
    tilt = camera_tilt(turned)
    return camera_pose(float(T_wc[2, 3]), tilt.pitch, tilt.roll)


def camera_tilt(T_wc: Array) -> CameraTilt:
    """Return height, pitch and roll of a camera pose (4, 4); the inverse of `camera_pose`."""
    right_up, down_up, forward_up = T_wc[2, :3]
    pitch = np.arctan2(-forward_up, np.hypot(right_up, down_up))
    return CameraTilt(float(T_wc[2, 3]), float(pitch), float(np.arctan2(-right_up, -down_up)))


def with_pose(camera: CameraModel, T_wc: Array) -> CameraModel:
    """Return the same camera standing at T_wc (4, 4)."""
    return replace(camera, T_wc=T_wc)


def require_pose(camera: CameraModel) -> Array:
    """Return T_wc (4, 4); raises `CameraError` while it is unknown."""
    if camera.T_wc is None:
        raise CameraError(
            "the camera's pose in the world is unknown: provide it by TF, by height and pitch, or calibrate on a person"
        )
    return camera.T_wc


def distort(camera: CameraModel, xy: Array) -> Array:
    """Apply the lens to ideal image-plane coordinates (..., 2) = (x/z, y/z); OpenCV's model."""
    return _lens(_coefficients(camera), xy)[0]


def undistort(camera: CameraModel, xy_distorted: Array) -> tuple[Array, np.ndarray]:
    """Invert `distort` by Newton's method.

    Takes (..., 2), returns ideal coordinates (..., 2) and a mask (...) that is False where the lens
    polynomial has no inverse (far outside the image); the coordinates there stay as they were.
    """
    target = np.asarray(xy_distorted, float)
    if not camera.distortion.any():
        return target.copy(), np.ones(target.shape[:-1], bool)
    coefficients, xy = _coefficients(camera), target.copy()
    # A step off the invertible branch runs to infinity: let it, the mask below catches it.
    with np.errstate(all="ignore"):
        for _ in range(_NEWTON_STEPS):
            value, jacobian = _lens(coefficients, xy)
            error = value - target
            solved = np.abs(error).max(-1) < _NEWTON_TOLERANCE
            if solved.all():
                break
            xy = xy - _solve_symmetric(jacobian, error)
        inverted = solved & ((xy * xy).sum(-1) < _invertible_radius(coefficients) ** 2)
    return np.where(inverted[..., None], xy, target), inverted


def pixels_to_rays(camera: CameraModel, pixels: Array) -> tuple[Array, np.ndarray]:
    """Return unit directions (..., 3) in the camera's axes for pixels (..., 2), and where they are valid (...)."""
    pixels = np.asarray(pixels, float)
    if pixels.shape[-1:] != (2,):
        raise ShapeError("pixels", "(..., 2)", pixels.shape)
    plane = np.concatenate([pixels, np.ones_like(pixels[..., :1])], -1) @ np.linalg.inv(camera.K).T
    xy, valid = undistort(camera, plane[..., :2])
    direction = np.concatenate([xy, np.ones_like(xy[..., :1])], -1)
    return direction / np.linalg.norm(direction, axis=-1, keepdims=True), valid


def project_c(camera: CameraModel, points_c: Array) -> Array:
    """Return pixels (..., 2) of points (..., 3) m in camera axes; `CameraError` if one is not in front."""
    points_c = np.asarray(points_c, float)
    if (points_c[..., 2] < _MIN_DEPTH).any():
        raise CameraError("cannot project a point that does not lie in front of the camera")
    xy = distort(camera, points_c[..., :2] / points_c[..., 2:])
    return xy @ camera.K[:2, :2].T + camera.K[:2, 2]


def project(camera: CameraModel, points_w: Array) -> Array:
    """Return pixels (..., 2) of world points (..., 3) m; raises as `project_c` and `require_pose` do."""
    T_wc = require_pose(camera)
    return project_c(camera, (np.asarray(points_w, float) - T_wc[:3, 3]) @ T_wc[:3, :3])


def _coefficients(camera: CameraModel) -> Array:
    padded = np.zeros(8)
    padded[: camera.distortion.size] = camera.distortion
    return padded


def _lens(coefficients: Array, xy: Array) -> tuple[Array, tuple[Array, Array, Array]]:
    """Return the distorted coordinates and the entries (xx, xy, yy) of their symmetric Jacobian."""
    k1, k2, p1, p2, k3, k4, k5, k6 = coefficients
    x, y = xy[..., 0], xy[..., 1]
    r2 = x * x + y * y
    numerator, denominator = 1 + r2 * (k1 + r2 * (k2 + r2 * k3)), 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
    radial = numerator / denominator
    slope = (k1 + r2 * (2 * k2 + 3 * r2 * k3) - radial * (k4 + r2 * (2 * k5 + 3 * r2 * k6))) / denominator
    value = np.stack(
        [x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x), y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y], -1
    )
    cross = 2 * x * y * slope + 2 * p1 * x + 2 * p2 * y
    return value, (
        radial + 2 * x * x * slope + 2 * p1 * y + 6 * p2 * x,
        cross,
        radial + 2 * y * y * slope + 6 * p1 * y + 2 * p2 * x,
    )


def _solve_symmetric(matrix: tuple[Array, Array, Array], right: Array) -> Array:
    a, b, d = matrix
    solution = np.stack([d * right[..., 0] - b * right[..., 1], a * right[..., 1] - b * right[..., 0]], -1)
    return solution / (a * d - b * b)[..., None]


def _invertible_radius(coefficients: Array) -> float:
    """Return the ideal radius up to which the distorted radius grows; infinity when it always does."""
    k1, k2, _, _, k3, k4, k5, k6 = coefficients
    numerator, denominator = np.poly1d([k3, k2, k1, 1.0]), np.poly1d([k6, k5, k4, 1.0])
    s = np.poly1d([1.0, 0.0])  # r squared
    growth = (numerator + 2 * s * numerator.deriv()) * denominator - 2 * s * numerator * denominator.deriv()
    turns = np.concatenate([growth.roots, denominator.roots])
    real = turns.real[(np.abs(turns.imag) < 1e-9) & (turns.real > 0)]
    return float(np.sqrt(real.min(initial=np.inf)))
