"""Many humanoids at once: `mujoco.rollout` on CPU threads."""

from __future__ import annotations

from typing import Protocol

import mujoco
import mujoco.rollout
import numpy as np
from numpy.typing import NDArray

from physhmr.body.humanoid_mjcf import SUBSTEPS
from physhmr.errors import ShapeError
from physhmr.types import NQ, NUM_HINGES, NV

_FULL = mujoco.mjtState.mjSTATE_FULLPHYSICS


class BatchSim(Protocol):
    """Advances a batch of humanoids by one control step."""

    def step(self, qpos: NDArray, qvel: NDArray, target: NDArray) -> tuple[NDArray, NDArray]:
        """(N, 76), (N, 75) and PD targets (N, 69) rad to the next (N, 76), (N, 75)."""
        ...


class ThreadedSim:
    """`BatchSim` on `mujoco.rollout` with one MjData per thread."""

    def __init__(self, model: mujoco.MjModel, num_threads: int = 2) -> None:
        self.model = model
        self._threads = [mujoco.MjData(model) for _ in range(num_threads)]
        self._rollout = mujoco.rollout.Rollout(nthread=num_threads)
        if mujoco.mj_stateSize(model, _FULL) != 1 + NQ + NV:
            raise ShapeError("physics state", 1 + NQ + NV, mujoco.mj_stateSize(model, _FULL))

    def step(self, qpos: NDArray, qvel: NDArray, target: NDArray) -> tuple[NDArray, NDArray]:
        """One control step of `SUBSTEPS` simulation steps with constant targets."""
        batch = len(qpos)
        if target.shape != (batch, NUM_HINGES):
            raise ShapeError("target", (batch, NUM_HINGES), target.shape)
        state = np.concatenate([np.zeros((batch, 1)), qpos, qvel], 1)
        control = np.repeat(target[:, None].astype(float), SUBSTEPS, 1)
        states, _ = self._rollout.rollout(self.model, self._threads, state, control)
        last = states[:, -1]
        return last[:, 1 : 1 + NQ], last[:, 1 + NQ :]

    def close(self) -> None:
        """Stop the threads."""
        self._rollout.close()
