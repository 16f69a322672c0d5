"""The residuals of lifting as one mink task: rays, bone directions, floor.

For body points p_k(q) the stacked error is
  rays    r_k = (I - d d^T)(p_k - c)              perpendicular offset, m (PhysHMR's pixel-as-ray), camera by camera
  bones   b_j = (p_head - p_tail) - |.| u_j       landmark direction u_j at the body's own length, m
  floor   f_i = z_i  for the soles' corners       m, pressed up always, held down while standing
  balance g = (com - s)_xy                        m, centre of mass against a point s of the support
Each row carries its own cost, set anew for every frame.
"""

from __future__ import annotations

import mink
import mujoco
import numpy as np

from physhmr.body.keypoints import keypoint_points
from physhmr.body.skeleton import Skeleton
from physhmr.body.soles import sole_corners
from physhmr.types import KEYPOINTS, NUM_KEYPOINTS, NV, Array, RayBundle

_SIDED_BONES = (
    ("Shoulder", "Elbow"), ("Elbow", "Wrist"), ("Wrist", "Hand"), ("Hip", "Knee"), ("Knee", "Ankle"), ("Heel", "Toe"),
)  # fmt: skip
_TRUNK_BONES = (
    ("R_Hip", "L_Hip"), ("R_Shoulder", "L_Shoulder"), ("L_Hip", "L_Shoulder"), ("R_Hip", "R_Shoulder"),
    ("R_Ear", "L_Ear"), ("L_Ear", "Nose"), ("R_Ear", "Nose"),
)  # fmt: skip
BONES: tuple[tuple[int, int], ...] = tuple(
    (KEYPOINTS.index(tail), KEYPOINTS.index(head))
    for tail, head in (*_TRUNK_BONES, *((f"{s}_{a}", f"{s}_{b}") for s in "LR" for a, b in _SIDED_BONES))
)


class LiftTask(mink.Task):
    """Rays, bone directions, floor and balance of one frame against the humanoid's keypoints."""

    def __init__(self, model: mujoco.MjModel, skeleton: Skeleton) -> None:
        soles = sole_corners(skeleton)
        super().__init__(cost=np.zeros(3 * NUM_KEYPOINTS + 3 * len(BONES) + len(soles) + 2))
        points = (*keypoint_points(skeleton), *soles)
        self._body_ids = [model.body(point.body).id for point in points]
        self._offsets = np.array([point.offset_b for point in points])
        self._tails, self._heads = np.array(BONES).T
        self._origin, self._projector = np.zeros((1, NUM_KEYPOINTS, 3)), np.zeros((1, NUM_KEYPOINTS, 3, 3))
        self._bone_dir = np.zeros((len(BONES), 3))
        self._root_id = model.body("Pelvis").id
        self._pose, self._placed = np.zeros(0), np.zeros((len(points), 3))
        self.support_w = np.zeros(2)
        """(2,) m, where over the floor the centre of mass is wanted."""

    def set_rays(self, rays: RayBundle) -> None:
        """The measurements of this frame in the humanoid's scale: rays of all cameras, landmarks of the first."""
        views = (rays, *rays.others)
        self._origin = np.stack([view.origin_w for view in views])
        direction = np.stack([view.dir_w for view in views])
        self._projector = np.eye(3) - direction[..., :, None] * direction[..., None, :]
        bone = rays.landmarks_w[self._heads] - rays.landmarks_w[self._tails]
        self._bone_dir = bone / np.maximum(np.linalg.norm(bone, axis=1, keepdims=True), 1e-6)

    def set_costs(self, ray: Array, bone: Array, floor: Array, balance: float) -> None:
        """Costs (C, 21) for C cameras, (B,), (16,) and a number, 1/m."""
        self.cost = np.concatenate([np.repeat(ray, 3), np.repeat(bone, 3), floor, [balance, balance]])

    def center_of_mass(self, configuration: mink.Configuration) -> Array:
        """(3,) m."""
        return np.array(configuration.data.subtree_com[self._root_id])

    def points(self, configuration: mink.Configuration) -> Array:
        """(37, 3) m, keypoints and sole corners; the same pose is asked for several times in a row."""
        if not np.array_equal(configuration.q, self._pose):
            self._pose, self._placed = configuration.q.copy(), self._place(configuration)
        return self._placed

    def positions(self, configuration: mink.Configuration) -> Array:
        """(21, 3) m, the body's keypoints now."""
        return self.points(configuration)[:NUM_KEYPOINTS]

    def soles(self, configuration: mink.Configuration) -> Array:
        """(2, 8, 3) m, the corners of the left and right sole now."""
        return self.points(configuration)[NUM_KEYPOINTS:].reshape(2, -1, 3)

    def _place(self, configuration: mink.Configuration) -> Array:
        rotation = configuration.data.xmat[self._body_ids].reshape(-1, 3, 3)
        return configuration.data.xpos[self._body_ids] + (rotation @ self._offsets[:, :, None])[..., 0]

    def ray_residuals(self, configuration: mink.Configuration) -> Array:
        """(C, 21, 3) m, for each of C cameras."""
        return (self._projector @ (self.positions(configuration) - self._origin)[..., None])[..., 0]

    def compute_error(self, configuration: mink.Configuration) -> Array:
        """Rays, bones, floor, balance, one after the other."""
        point = self.points(configuration)
        bone = point[self._heads] - point[self._tails]
        length = np.linalg.norm(bone, axis=1, keepdims=True)
        return np.concatenate(
            [
                self.ray_residuals(configuration).ravel(),
                (bone - length * self._bone_dir).ravel(),
                point[NUM_KEYPOINTS:, 2],
                self.center_of_mass(configuration)[:2] - self.support_w,
            ]
        )

    def compute_jacobian(self, configuration: mink.Configuration) -> Array:
        """Bone lengths of rigid segments do not depend on q; those that do change slowly, so |.| is held."""
        jacobian = np.empty((len(self._body_ids), 3, NV))
        for row, body, point in zip(jacobian, self._body_ids, self.points(configuration), strict=True):
            mujoco.mj_jac(configuration.model, configuration.data, row, None, point, body)
        rays = (self._projector @ jacobian[:NUM_KEYPOINTS]).reshape(-1, NV)
        bones = (jacobian[self._heads] - jacobian[self._tails]).reshape(-1, NV)
        balance = np.empty((3, NV))
        mujoco.mj_jacSubtreeCom(configuration.model, configuration.data, balance, self._root_id)
        return np.concatenate([rays, bones, jacobian[NUM_KEYPOINTS:, 2], balance[:2]])
