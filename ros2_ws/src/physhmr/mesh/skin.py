"""A body model posed by SMPL parameters, with the linear blend skinning of the package `smplx` (torch, on the CPU)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physhmr.body.skeleton import BODY_INDEX, Skeleton
from physhmr.body.smpl_parameters import SmplParameters
from physhmr.errors import EngineError
from physhmr.mesh.body_model import BodyModel, load_body_model
from physhmr.motion.smpl import JOINTS
from physhmr.types import Array

SMPL_JOINTS = 24
"""Of SMPL itself, whose last two are the hands; SMPL-H and SMPL-X have other joints there, which stay at rest."""


class Skin:
    """The mesh of one body model around the humanoid."""

    def __init__(self, model: BodyModel, skeleton: Skeleton) -> None:
        """Make the model as large as the humanoid of `skeleton`; raises `EngineError` where smplx is not installed."""
        try:
            import torch
            from smplx.lbs import lbs
        except ImportError as error:
            raise EngineError(f"a mesh needs smplx and torch ({error}): pip install 'physhmr[smplx]'") from error
        # The other cores are the chain's.
        torch.set_num_threads(1)
        self._torch, self._lbs = torch, lbs
        self.faces = model.faces
        """(F, 3) vertices of each triangle."""
        self._joints = len(model.parents)
        self._root = model.rest_joints[0]
        # Feet of other legs would float, or be in the floor.
        height = skeleton.rest_points[:, 2]
        self._size = (height[0] - height[BODY_INDEX["L_Ankle"]]) / model.leg
        arrays = (model.template, model.pose_directions, model.regressor, model.weights)
        self._template, self._pose, self._regressor, self._weights = (self._tensor(one) for one in arrays)
        self._parents = torch.from_numpy(model.parents)

    def vertices(self, parameters: SmplParameters) -> NDArray[np.float32]:
        """(V, 3) m in the world, of one body: the pelvis is where the humanoid's is, fingers and face are at rest."""
        torch = self._torch
        pose = np.zeros(3 * self._joints)
        told = np.concatenate([parameters.global_orient, parameters.body_pose])
        used = 3 * (SMPL_JOINTS if self._joints == SMPL_JOINTS else len(JOINTS))
        pose[:used] = told[:used]
        with torch.no_grad():
            posed, _ = self._lbs(
                betas=torch.zeros(1, 0),
                pose=self._tensor(pose[None]),
                v_template=self._template,
                shapedirs=torch.zeros(len(self._template), 3, 0),
                posedirs=self._pose,
                J_regressor=self._regressor,
                parents=self._parents,
                lbs_weights=self._weights,
            )
        vertices: NDArray[np.float32] = self._size * (posed[0].numpy() - self._root) + parameters.transl
        return vertices.astype(np.float32)

    def _tensor(self, values: Array) -> Any:
        return self._torch.from_numpy(np.asarray(values, np.float32))


def load_skin(path: Path) -> Skin:
    """Return the skin of the body model in a file, for the humanoid; raises as `load_body_model` and `Skin` do."""
    return Skin(load_body_model(path), Skeleton())
