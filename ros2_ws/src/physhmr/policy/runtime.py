"""Runs an exported policy: loads it, checks that it was made for this humanoid, maps states to actions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from physhmr.body.skeleton import Skeleton
from physhmr.errors import NonFiniteError
from physhmr.inference.onnx import OnnxEngine
from physhmr.policy.contract import check_metadata
from physhmr.types import Array, HumanoidState, Reference


class TrackingPolicy:
    """The tracking expert: state and reference to PD targets."""

    def __init__(self, path: Path, skeleton: Skeleton) -> None:
        """Load `path`; raises `ModelFileError` when it was exported for another humanoid or contract."""
        self._engine = OnnxEngine(path)
        self._ranges = skeleton.ranges
        self.metadata = self._engine.metadata
        check_metadata(path, self.metadata, skeleton, "tracking_expert")
        self._engine.warm_up()

    def target(self, state: HumanoidState, reference: Reference) -> Array:
        """(69,) PD targets, rad, inside the hinge ranges."""
        # The observation is blind to where in the world this happens; near the origin float32 is at its best.
        origin = np.array([state.qpos[0], state.qpos[1], 0.0])
        rows = {
            "qpos": _shifted(state.qpos, origin),
            "qvel": state.qvel,
            "qpos_ref": _shifted(reference.qpos, origin),
            "qvel_ref": reference.qvel,
        }
        outputs = self._engine.infer({name: row[None].astype(np.float32) for name, row in rows.items()})
        target = outputs["target"][0].astype(float)
        if not np.isfinite(target).all():
            raise NonFiniteError("policy output", int(np.count_nonzero(~np.isfinite(target))))
        return np.clip(target, self._ranges[:, 0], self._ranges[:, 1])


def _shifted(qpos: Array, origin: Array) -> Array:
    moved = qpos.copy()
    moved[:3] -= origin
    return moved
