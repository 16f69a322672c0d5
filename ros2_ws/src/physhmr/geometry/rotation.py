"""Batched rotation algebra in numpy: matrices, wxyz quaternions, rotation vectors, hinge triples.

All functions broadcast over leading axes. Angles are radians.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from physhmr.types import Array

Y_UP_TO_Z_UP = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""x left, y up, z forward (BVH, ASF, SMPL) -> x forward, y left, z up."""


def quat_to_matrix(quat: Array) -> Array:
    """(..., 4) wxyz quaternions, normalised here, to (..., 3, 3) rotation matrices."""
    w, x, y, z = _components(quat / np.linalg.norm(quat, axis=-1, keepdims=True))
    xx, yy, zz = 2 * x * x, 2 * y * y, 2 * z * z
    xy, xz, yz = 2 * x * y, 2 * x * z, 2 * y * z
    wx, wy, wz = 2 * w * x, 2 * w * y, 2 * w * z
    rows = (
        1 - yy - zz, xy - wz, xz + wy,
        xy + wz, 1 - xx - zz, yz - wx,
        xz - wy, yz + wx, 1 - xx - yy,
    )  # fmt: skip
    return _joined(rows).reshape(*quat.shape[:-1], 3, 3)


def up_axis(quat: Array) -> Array:
    """(..., 3) where the z axis of unit (..., 4) wxyz quaternions points: the last column of their matrices."""
    w, x, y, z = _components(quat)
    return _joined((2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)))


def matrix_to_quat(R: Array) -> Array:
    """(..., 3, 3) rotation matrices to (..., 4) wxyz quaternions with w >= 0 (Bar-Itzhack's symmetric form)."""
    m00, m01, m02, m10, m11, m12, m20, m21, m22 = _components(R.reshape(*R.shape[:-2], 9))
    wx, wy, wz, xy, xz, yz = m21 - m12, m02 - m20, m10 - m01, m10 + m01, m02 + m20, m21 + m12
    # Each row is 4 * q_k * q; the one with the largest q_k^2 is the well conditioned one.
    rows = (
        1 + m00 + m11 + m22, wx, wy, wz,
        wx, 1 + m00 - m11 - m22, xy, xz,
        wy, xy, 1 - m00 + m11 - m22, yz,
        wz, xz, yz, 1 - m00 - m11 + m22,
    )  # fmt: skip
    products = _joined(rows).reshape(-1, 16)
    best = np.argmax(products[:, ::5], -1)
    q = products.reshape(-1, 4, 4)[np.arange(len(best)), best].reshape(*R.shape[:-2], 4)
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    return np.where(q[..., :1] < 0, -q, q)


def quat_multiply(a: Array, b: Array) -> Array:
    """Hamilton product of (..., 4) wxyz quaternions."""
    aw, ax, ay, az = _components(a)
    bw, bx, by, bz = _components(b)
    return _joined(
        (
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        )
    )


def _components(value: Array) -> list[Any]:
    """Along the last axis; of a single vector plain numbers, with which Python is ten times as fast as with numpy's."""
    return value.tolist() if value.ndim == 1 else [value[..., index] for index in range(value.shape[-1])]


def _joined(components: tuple[Any, ...]) -> Array:
    """The inverse of `_components`; np.stack takes five times as long, and control steps are made of such."""
    joined = np.empty((*np.shape(components[0]), len(components)))
    for index, component in enumerate(components):
        joined[..., index] = component
    return joined


def quat_conjugate(quat: Array) -> Array:
    """The inverse of unit (..., 4) wxyz quaternions."""
    return quat * np.array([1.0, -1.0, -1.0, -1.0])


def rotvec_to_quat(rotvec: Array) -> Array:
    """(..., 3) rotation vectors (axis * angle) to (..., 4) wxyz quaternions."""
    angle = np.linalg.norm(rotvec, axis=-1, keepdims=True)
    # sin(x/2)/x = sinc(x/2pi)/2 is smooth through zero.
    return np.concatenate([np.cos(angle / 2), rotvec * np.sinc(angle / (2 * np.pi)) / 2], -1)


def quat_to_rotvec(quat: Array) -> Array:
    """(..., 4) unit wxyz quaternions to the shortest (..., 3) rotation vectors."""
    q = np.where(quat[..., :1] < 0, -quat, quat)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., :1])
    scale = np.where(sine > 1e-9, angle / np.maximum(sine, 1e-12), 2.0)
    return q[..., 1:] * scale


def hinges_to_matrix(angles: Array) -> Array:
    """(..., 3) angles of an x, y, z hinge triple to (..., 3, 3): R = Rx Ry Rz (MuJoCo's serial hinges)."""
    cx, cy, cz = np.moveaxis(np.cos(angles), -1, 0)
    sx, sy, sz = np.moveaxis(np.sin(angles), -1, 0)
    rows = [
        cy * cz, -cy * sz, sy,
        cx * sz + sx * sy * cz, cx * cz - sx * sy * sz, -sx * cy,
        sx * sz - cx * sy * cz, sx * cz + cx * sy * sz, cx * cy,
    ]  # fmt: skip
    return np.stack(rows, -1).reshape(*angles.shape[:-1], 3, 3)


def hinges_to_quat(angles: Array) -> Array:
    """(..., 3) angles of an x, y, z hinge triple to (..., 4) wxyz quaternions, the product of the three."""
    cx, cy, cz = np.moveaxis(np.cos(angles / 2), -1, 0)
    sx, sy, sz = np.moveaxis(np.sin(angles / 2), -1, 0)
    return _joined(
        (
            cx * cy * cz - sx * sy * sz,
            sx * cy * cz + cx * sy * sz,
            cx * sy * cz - sx * cy * sz,
            cx * cy * sz + sx * sy * cz,
        )
    )


def matrix_to_hinges(R: Array) -> Array:
    """(..., 3, 3) to the (..., 3) hinge triple with |y| <= pi/2, the inverse of `hinges_to_matrix`."""
    x = np.arctan2(-R[..., 1, 2], R[..., 2, 2])
    y = np.arcsin(np.clip(R[..., 0, 2], -1.0, 1.0))
    z = np.arctan2(-R[..., 0, 1], R[..., 0, 0])
    return np.stack([x, y, z], -1)


def yaw_of(quat: Array) -> Array:
    """Heading of (..., 4) wxyz quaternions: angle of the body's x axis in the world's ground plane."""
    w, x, y, z = np.moveaxis(quat, -1, 0)
    return np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))


def yaw_quat(yaw: Array) -> Array:
    """(...,) headings to (..., 4) wxyz quaternions about the world's z axis."""
    yaw = np.asarray(yaw, float)
    zero = np.zeros_like(yaw)
    return np.stack([np.cos(yaw / 2), zero, zero, np.sin(yaw / 2)], -1)
