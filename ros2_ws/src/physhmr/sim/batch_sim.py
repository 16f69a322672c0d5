"""Many humanoids at once: `mujoco.rollout` on CPU threads."""

from __future__ import annotations

import copy
from typing import Protocol

import mujoco
import mujoco.rollout
import numpy as np
from numpy.typing import NDArray

from physhmr.body.humanoid_mjcf import SUBSTEPS
from physhmr.errors import ConfigError, ShapeError
from physhmr.types import NQ, NUM_HINGES, NV

_FULL = mujoco.mjtState.mjSTATE_FULLPHYSICS


class BatchSim(Protocol):
    """Advances a batch of humanoids by one control step."""

    def step(self, qpos: NDArray, qvel: NDArray, target: NDArray) -> tuple[NDArray, NDArray]:
        """(N, 76), (N, 75) and PD targets (N, 69) rad to the next (N, 76), (N, 75)."""
        ...


FLOORS = 16
"""How many kinds of floor there are, where friction varies."""


def floor_frictions(model: mujoco.MjModel, spread: float) -> NDArray:
    """(F, G, 3) friction of all geoms on F kinds of floor; environment k stands on floor k modulo F.

    Sliding friction is `model`'s times 1 - `spread` to 1 + `spread`, from slippery to rough; `spread` is in [0, 1),
    and 0 means one floor. A contact takes the larger friction of its geoms, so all of them vary together.
    """
    if not 0.0 <= spread < 1.0:
        raise ConfigError("friction_spread", "must be at least 0 and less than 1", spread)
    factors = np.linspace(1.0 - spread, 1.0 + spread, FLOORS) if spread else np.ones(1)
    frictions = np.tile(model.geom_friction, (len(factors), 1, 1))
    frictions[..., 0] *= factors[:, None]
    return frictions


class ThreadedSim:
    """`BatchSim` on `mujoco.rollout` with one MjData per thread."""

    def __init__(self, model: mujoco.MjModel, num_threads: int = 2, friction_spread: float = 0.0) -> None:
        """Friction varies from environment to environment as `floor_frictions` says."""
        self._floors = [_on_floor(model, friction) for friction in floor_frictions(model, friction_spread)]
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
        models = [self._floors[row % len(self._floors)] for row in range(batch)]
        states, _ = self._rollout.rollout(models, self._threads, state, control)
        last = states[:, -1]
        return last[:, 1 : 1 + NQ], last[:, 1 + NQ :]

    def close(self) -> None:
        """Stop the threads."""
        self._rollout.close()


def _on_floor(model: mujoco.MjModel, friction: NDArray) -> mujoco.MjModel:
    """A copy of `model` whose geoms have `friction` (G, 3)."""
    other = copy.copy(model)
    other.geom_friction[:] = friction
    return other
