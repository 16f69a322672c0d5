"""Batched forward kinematics of the humanoid in torch: bodies' poses and velocities from qpos and qvel.

The same code feeds training, evaluation and the exported ONNX file, so what a policy observes is
defined once. MuJoCo conventions: root quaternion wxyz, root angular velocity in the root's frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from physhmr.body.points import BodyPoint
from physhmr.body.skeleton import BODY_INDEX, PARENTS, Skeleton


@dataclass(frozen=True)
class BodyMotion:
    """World poses and velocities of the 24 bodies, batched."""

    pos: Tensor
    """(N, 24, 3) m, body origins."""
    rot: Tensor
    """(N, 24, 3, 3) rotation matrices."""
    linvel: Tensor
    """(N, 24, 3) m/s, of the body origins."""
    angvel: Tensor
    """(N, 24, 3) rad/s, world axes."""

    def __getitem__(self, index: Tensor | slice) -> BodyMotion:
        """Select along the batch."""
        return BodyMotion(self.pos[index], self.rot[index], self.linvel[index], self.angvel[index])

    def __setitem__(self, index: Tensor, other: BodyMotion) -> None:
        """Replace a selection along the batch."""
        for part in fields(self):
            getattr(self, part.name)[index] = getattr(other, part.name)


class Kinematics(nn.Module):
    """qpos (N, 76), qvel (N, 75) -> `BodyMotion`.

    Only rotations have to be composed level by level down the tree; what they carry adds up along the way from the
    root, which is one product with a constant matrix.
    """

    offsets: Tensor
    on_the_way: Tensor

    def __init__(self, skeleton: Skeleton) -> None:
        super().__init__()
        self.register_buffer("offsets", torch.tensor(skeleton.offsets, dtype=torch.float32), persistent=False)
        self.register_buffer("on_the_way", _on_the_way(), persistent=False)
        self._levels = _levels()
        order = [body for level in self._levels for body in level]
        self._restore = [order.index(body) for body in range(len(PARENTS))]
        self._position_in_level = {body: level.index(body) for level in self._levels for body in level}

    def forward(self, qpos: Tensor, qvel: Tensor) -> BodyMotion:
        """Poses and velocities of all bodies."""
        local_rot, local_angvel = _hinge_motion(qpos[:, 7:].reshape(-1, 23, 3), qvel[:, 6:].reshape(-1, 23, 3))
        root_rot = quat_to_matrix(qpos[:, 3:7])
        rot = self._rotations(root_rot, local_rot)
        parent_rot = rot[:, list(PARENTS[1:])]
        arm = rotate(parent_rot, self.offsets[1:])
        root_angvel = rotate(root_rot, qvel[:, 3:6])[:, None]
        ang = self._add_up(root_angvel, rotate(parent_rot, local_angvel))
        pos = self._add_up(qpos[:, None, :3], arm)
        lin = self._add_up(qvel[:, None, :3], torch.linalg.cross(ang[:, list(PARENTS[1:])], arm))
        return BodyMotion(pos, rot, lin, ang)

    def _rotations(self, root_rot: Tensor, local_rot: Tensor) -> Tensor:
        """(N, 24, 3, 3) in the world of (N, 3, 3) and, in their parents, (N, 23, 3, 3)."""
        levels = [root_rot[:, None]]
        for level in self._levels[1:]:
            up = [self._position_in_level[PARENTS[body]] for body in level]
            levels.append(compose(levels[-1][:, up], local_rot[:, [body - 1 for body in level]]))
        return torch.cat(levels, 1)[:, self._restore]

    def _add_up(self, root: Tensor, steps: Tensor) -> Tensor:
        """(N, 24, 3) sums of (N, 1, 3) and (N, 23, 3) from the root to each body."""
        with _float32_products():
            return self.on_the_way @ torch.cat([root, steps], 1)


class PlacedPoints(nn.Module):
    """Points fixed in bodies, in the world."""

    offsets: Tensor

    def __init__(self, points: tuple[BodyPoint, ...]) -> None:
        super().__init__()
        self._bodies = [BODY_INDEX[point.body] for point in points]
        offsets = torch.tensor([point.offset_b for point in points], dtype=torch.float32)
        self.register_buffer("offsets", offsets, persistent=False)

    def forward(self, body: BodyMotion) -> Tensor:
        """(N, P, 3) m."""
        return body.pos[:, self._bodies] + rotate(body.rot[:, self._bodies], self.offsets)


def quat_to_matrix(quat: Tensor) -> Tensor:
    """(..., 4) wxyz quaternions, normalised here, to (..., 3, 3)."""
    w, x, y, z = (quat / quat.norm(dim=-1, keepdim=True)).split(1, -1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.cat(rows, -1).reshape(*quat.shape[:-1], 3, 3)


def yaw_matrix(forward: Tensor) -> Tensor:
    """(..., 2) horizontal directions of any length to (..., 3, 3): the turn about z that takes x there."""
    cosine, sine = forward.split(1, -1)
    length = torch.sqrt(cosine * cosine + sine * sine).clamp_min(1e-6)
    cosine, sine = cosine / length, sine / length
    zero, one = torch.zeros_like(sine), torch.ones_like(sine)
    rows = torch.cat([cosine, -sine, zero, sine, cosine, zero, zero, zero, one], -1)
    return rows.reshape(*forward.shape[:-1], 3, 3)


def rotate(R: Tensor, vectors: Tensor) -> Tensor:
    """(..., 3, 3) times (..., 3). Written out: a batched matmul of 3x3 blocks is 20 times slower on a CPU."""
    return (R * vectors[..., None, :]).sum(-1)


def compose(A: Tensor, B: Tensor) -> Tensor:
    """(..., 3, 3) times (..., 3, n), written out like `rotate`."""
    return (A[..., :, :, None] * B[..., None, :, :]).sum(-2)


def _hinge_motion(angles: Tensor, rates: Tensor) -> tuple[Tensor, Tensor]:
    """R = Rx Ry Rz and the angular velocity in the parent's axes: ex qx' + Rx ey qy' + Rx Ry ez qz'."""
    # Split and joined with the last axis kept: in the exported file that is a third of the nodes.
    (cx, cy, cz), (sx, sy, sz) = angles.cos().split(1, -1), angles.sin().split(1, -1)
    rows = [
        cy * cz, -cy * sz, sy,
        cx * sz + sx * sy * cz, cx * cz - sx * sy * sz, -sx * cy,
        sx * sz - cx * sy * cz, sx * cz + cx * sy * sz, cx * cy,
    ]  # fmt: skip
    rot = torch.cat(rows, -1).reshape(*angles.shape, 3)
    x_rate, y_rate, z_rate = rates.split(1, -1)
    angvel = torch.cat([x_rate + sy * z_rate, cx * y_rate - sx * cy * z_rate, sx * y_rate + cx * cy * z_rate], -1)
    return rot, angvel


@contextmanager
def _float32_products() -> Iterator[None]:
    """Whatever a training allows its networks: in bfloat16 a body 5 m from the origin would be 15 mm off."""
    allowed = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(allowed)


def _on_the_way() -> Tensor:
    """(24, 24) one where the column's body lies between the root and the row's, both included."""
    rows = torch.eye(len(PARENTS))
    for body, parent in enumerate(PARENTS):
        if parent >= 0:
            rows[body] += rows[parent]
    return rows


def _levels() -> list[list[int]]:
    """Bodies grouped by their depth in the tree; the root is level 0."""
    depth = [0] * len(PARENTS)
    for body, parent in enumerate(PARENTS):
        depth[body] = depth[parent] + 1 if parent >= 0 else 0
    return [[body for body, d in enumerate(depth) if d == level] for level in range(max(depth) + 1)]
