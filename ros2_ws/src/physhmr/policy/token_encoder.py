"""Runs an exported motion encoder: one frame's rays to the token and the motion it stands for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from physhmr.body.skeleton import Skeleton
from physhmr.errors import NonFiniteError
from physhmr.geometry.rotation import matrix_to_quat
from physhmr.inference.onnx import OnnxEngine
from physhmr.policy.contract import check_metadata
from physhmr.types import Array, MotionToken, RayBundle, Reference


class TokenEncoder:
    """Follows one person; its state is the last token."""

    def __init__(self, path: Path, skeleton: Skeleton) -> None:
        """Load `path`; raises `ModelFileError` when it was exported for another humanoid or contract."""
        self._engine, self._ranges = OnnxEngine(path), skeleton.ranges
        self.metadata = self._engine.metadata
        check_metadata(path, self.metadata, skeleton, "motion_encoder")
        self._engine.warm_up()
        self.reset()

    def reset(self) -> None:
        """Forget the person."""
        size = next(spec.shape[-1] for spec in self._engine.inputs if spec.name == "token")
        self._token = np.zeros((1, size or 0), np.float32)
        self._rows: dict[str, Array] = {}

    def step(self, rays: RayBundle) -> MotionToken:
        """The token after `rays`, which are in the humanoid's scale."""
        self._rows = {
            "origin_w": rays.origin_w.mean(0), "dir_w": rays.dir_w, "score": rays.score,
            "landmarks_w": rays.landmarks_w,
        }  # fmt: skip
        return self._tell(rays.stamp_ns)

    def coast(self, stamp_ns: int) -> MotionToken:
        """The token after a control step without a new image; there was one before."""
        self._rows["score"] = np.zeros_like(self._rows["score"])
        return self._tell(stamp_ns)

    def _tell(self, stamp_ns: int) -> MotionToken:
        rows = {name: value[None].astype(np.float32) for name, value in self._rows.items()}
        told = self._engine.infer(rows | {"token": self._token})
        if not all(np.isfinite(value).all() for value in told.values()):
            raise NonFiniteError("motion token", 1)
        self._token = told["token_after"]
        row = {name: value[0].astype(float) for name, value in told.items()}
        hinges = np.clip(row["hinges"], *self._ranges.T)
        qpos = np.concatenate([row["pos"], matrix_to_quat(row["rot"]), hinges])
        qvel = np.concatenate([row["linvel"], row["angvel"], row["rates"]])
        return MotionToken(stamp_ns, row["token_after"], Reference(stamp_ns, qpos, qvel), _sure(row["contact"]))


def _sure(logits: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-logits))
