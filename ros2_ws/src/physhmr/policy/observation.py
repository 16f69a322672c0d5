"""What a policy and its critic see, in torch, defined once for training, evaluation and the exported file.

Everything is expressed in the heading frame: origin at the simulated root, z up, x along the root's yaw.
"""

from __future__ import annotations

import torch
from torch import Tensor

from physhmr.policy.kinematics import BodyMotion, compose, rotate, yaw_matrix
from physhmr.types import NUM_KEYPOINTS

PROPRIOCEPTION_SIZE = 1 + 23 * 3 + 24 * 6 + 24 * 3 + 24 * 3
TRACKING_SIZE = 24 * 3 + 6 + 6 + 69 + 69
RAYS_SIZE = 4 * NUM_KEYPOINTS
EXPERT_SIZE = PROPRIOCEPTION_SIZE + TRACKING_SIZE
VISION_SIZE = EXPERT_SIZE + RAYS_SIZE
PREVIEW_STEPS = (3, 8, 16)
"""Control steps from the reference's next frame to those of a critic's preview."""
PREVIEW_SIZE = len(PREVIEW_STEPS) * (24 * 3 + 3)
MAX_RESIDUAL = 0.5
"""m; what is farther off only tells the direction."""
RATE_SCALE = 0.1
"""Hinge rates are an order of magnitude larger than angles; the scale spares the normaliser."""


def heading_rotation(root_rot: Tensor) -> Tensor:
    """(N, 3, 3) R_wh: the yaw-only part of the root's rotation."""
    return yaw_matrix(root_rot[:, :2, 0])


def proprioception(body: BodyMotion) -> Tensor:
    """(N, 358) root height, local body positions, body rotations as two columns, velocities (method.md)."""
    R_hw = heading_rotation(body.rot[:, 0]).transpose(1, 2)[:, None]
    height = body.pos[:, 0, 2:]
    local_pos = rotate(R_hw, body.pos[:, 1:] - body.pos[:, :1])
    columns = compose(R_hw, body.rot[..., :2])
    parts = [local_pos, columns, rotate(R_hw, body.linvel), rotate(R_hw, body.angvel)]
    return torch.cat([height, *(part.flatten(1) for part in parts)], -1)


def tracking(body: BodyMotion, reference: BodyMotion, qpos: Tensor, qpos_ref: Tensor, qvel_ref: Tensor) -> Tensor:
    """(N, 222) where the reference is, seen from the simulated body: differences and reference rates."""
    R_hw = heading_rotation(body.rot[:, 0]).transpose(1, 2)[:, None]
    offset = rotate(R_hw, reference.pos - body.pos)
    root_columns = compose(R_hw, reference.rot[:, :1, :, :2])
    root_velocity = rotate(R_hw, torch.stack([reference.linvel[:, 0], reference.angvel[:, 0]], 1))
    hinge_error = qpos_ref[:, 7:] - qpos[:, 7:]
    parts = [offset, root_columns, root_velocity, hinge_error, RATE_SCALE * qvel_ref[:, 6:]]
    return torch.cat([part.flatten(1) for part in parts], -1)


def expert_observation(
    body: BodyMotion, reference: BodyMotion, qpos: Tensor, qpos_ref: Tensor, qvel_ref: Tensor
) -> Tensor:
    """(N, 580) proprioception and tracking: all that the tracking expert sees."""
    return torch.cat([proprioception(body), tracking(body, reference, qpos, qpos_ref, qvel_ref)], -1)


def preview_observation(body: BodyMotion, coming_w: Tensor, told_w: Tensor) -> Tensor:
    """(N, 225) what no policy can know: where the true motion goes, and how wrongly it will be told.

    Its bodies (N, 3, 24, 3) m seen from the simulated ones, then the roots (N, 3, 3) m that will be told seen from its
    own, all in the present heading frame.
    """
    R_hw = heading_rotation(body.rot[:, 0]).transpose(1, 2)[:, None]
    offset = rotate(R_hw[:, None], coming_w - body.pos[:, None])
    return torch.cat([offset.flatten(1), rotate(R_hw, told_w - coming_w[:, :, 0]).flatten(1)], -1)


def ray_observation(body: BodyMotion, keypoints_w: Tensor, origin_w: Tensor, dir_w: Tensor, score: Tensor) -> Tensor:
    """(N, 84) residuals of the body's keypoints (N, 21, 3) against their rays, then the rays' scores.

    r = (I - d d^T)(p - c) as in `geometry.rays.ray_residual` (PhysHMR, pixel-as-ray), in the heading frame, zero
    where nothing was seen; `origin_w` (N, 21 or 1, 3), `dir_w` (N, 21, 3), `score` (N, 21).
    """
    R_hw = heading_rotation(body.rot[:, 0]).transpose(1, 2)[:, None]
    offset = keypoints_w - origin_w
    residual = offset - (offset * dir_w).sum(-1, keepdim=True) * dir_w
    residual = residual * (MAX_RESIDUAL / residual.norm(dim=-1, keepdim=True).clamp_min(MAX_RESIDUAL))
    seen = (score > 0).to(residual.dtype)[..., None]
    return torch.cat([(seen * rotate(R_hw, residual)).flatten(1), score], -1)
