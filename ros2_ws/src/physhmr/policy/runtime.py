"""Runs an exported policy: loads it, checks that it was made for this humanoid, maps states to PD targets."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from physhmr.body.skeleton import Skeleton
from physhmr.body.tangent import pose_shifted
from physhmr.errors import NonFiniteError
from physhmr.inference.onnx import OnnxEngine
from physhmr.policy.contract import check_metadata
from physhmr.types import NUM_KEYPOINTS, Array, HumanoidState, RayBundle, Reference


class Policy(Protocol):
    """Drives the humanoid."""

    def target(self, state: HumanoidState, reference: Reference, rays: RayBundle | None = None) -> Array:
        """(69,) PD targets, rad, that bring `state` to `reference`, one control step ahead.

        `rays` are those of a new image, in the humanoid's scale; None: there is no new one.
        """


class _OnnxPolicy:
    """What all policies have in common: the file, its contract, the ranges, and an origin near the humanoid."""

    kind: str

    def __init__(self, path: Path, skeleton: Skeleton) -> None:
        """Load `path`; raises `ModelFileError` when it was exported for another humanoid or contract."""
        self._engine = OnnxEngine(path)
        self._ranges = skeleton.ranges
        self.metadata = self._engine.metadata
        check_metadata(path, self.metadata, skeleton, self.kind)
        self._engine.warm_up()

    def _infer(self, rows: dict[str, Array]) -> Array:
        outputs = self._engine.infer({name: row[None].astype(np.float32) for name, row in rows.items()})
        target = outputs["target"][0].astype(float)
        if not np.isfinite(target).all():
            raise NonFiniteError("policy output", int(np.count_nonzero(~np.isfinite(target))))
        return np.clip(target, self._ranges[:, 0], self._ranges[:, 1])


class TrackingPolicy(_OnnxPolicy):
    """The tracking expert: state and reference to PD targets."""

    kind = "tracking_expert"

    def target(self, state: HumanoidState, reference: Reference, rays: RayBundle | None = None) -> Array:
        """As `Policy.target`; it does not look at the rays."""
        return self._infer(_motion(state, reference))


class VisionPolicy(_OnnxPolicy):
    """State, the encoder's pose and the rays themselves to PD targets."""

    kind = "vision_policy"

    def target(self, state: HumanoidState, reference: Reference, rays: RayBundle | None = None) -> Array:
        """As `Policy.target`."""
        return self._infer(_motion(state, reference) | _sight(state, rays))


def _origin(state: HumanoidState) -> Array:
    # The observation is blind to where in the world this happens; near the origin float32 is at its best.
    return np.array([state.qpos[0], state.qpos[1], 0.0])


def _motion(state: HumanoidState, reference: Reference) -> dict[str, Array]:
    origin = _origin(state)
    return {
        "qpos": pose_shifted(state.qpos, -origin),
        "qvel": state.qvel,
        "qpos_ref": pose_shifted(reference.qpos, -origin),
        "qvel_ref": reference.qvel,
    }


def _sight(state: HumanoidState, rays: RayBundle | None) -> dict[str, Array]:
    if rays is None:
        nowhere = np.zeros((NUM_KEYPOINTS, 3))
        return {"origin_w": nowhere, "dir_w": np.tile(np.eye(3)[0], (NUM_KEYPOINTS, 1)), "score": nowhere[:, 0]}
    return {"origin_w": rays.origin_w - _origin(state), "dir_w": rays.dir_w, "score": rays.score}
