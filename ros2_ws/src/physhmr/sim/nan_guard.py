"""Keeps what went into a simulation that exploded, for a post-mortem."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from physhmr.sim.batch_sim import BatchSim

HISTORY = 8
"""Control steps that a dump goes back."""


class NanGuard:
    """A `BatchSim` around another one: the first few explosions are written to files, none is hidden."""

    def __init__(self, sim: BatchSim, folder: Path, max_dumps: int = 5) -> None:
        """Files `exploded_<k>.npz` go to `folder`."""
        self._sim, self._folder, self._max_dumps = sim, folder, max_dumps
        self._past: deque[tuple[NDArray, NDArray, NDArray]] = deque(maxlen=HISTORY)
        self.explosions = 0
        """Environments that have exploded so far."""

    def step(self, qpos: NDArray, qvel: NDArray, target: NDArray) -> tuple[NDArray, NDArray]:
        """One control step of the guarded simulation, its result unchanged."""
        self._past.append((qpos.copy(), qvel.copy(), target.copy()))
        after = self._sim.step(qpos, qvel, target)
        bad = np.flatnonzero(~(np.isfinite(after[0]).all(1) & np.isfinite(after[1]).all(1)))
        if len(bad):
            self._dump(bad)
        return after

    def _dump(self, bad: NDArray) -> None:
        """The exploded environments' last states and targets, oldest first: arrays (steps, exploded, ...)."""
        if self.explosions < self._max_dumps:
            self._folder.mkdir(parents=True, exist_ok=True)
            past = [step for step in self._past if len(step[0]) == len(self._past[-1][0])]
            qpos, qvel, target = (np.stack([step[part][bad] for step in past]) for part in range(3))
            path = self._folder / f"exploded_{self.explosions}.npz"
            np.savez(path, environments=bad, qpos=qpos, qvel=qvel, target=target)
        self.explosions += len(bad)
