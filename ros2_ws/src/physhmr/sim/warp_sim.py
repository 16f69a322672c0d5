"""Thousands of humanoids at once: `mujoco_warp`, on an NVIDIA GPU, or slowly on a CPU."""

from __future__ import annotations

import mujoco
import mujoco_warp
import numpy as np
import warp
from numpy.typing import NDArray

from physhmr.body.humanoid_mjcf import SUBSTEPS
from physhmr.errors import ShapeError
from physhmr.sim.batch_sim import floor_frictions
from physhmr.types import NQ, NUM_HINGES, NV

CONTACTS = 48
"""Room for contacts of each humanoid: a lying one has about thirty."""
CONSTRAINTS = 320
"""Room for rows of constraints of each humanoid."""


class WarpSim:
    """`BatchSim` on `mujoco_warp`; the number of humanoids is fixed, the step is one CUDA graph where there is a GPU.

    Poses agree with `ThreadedSim`'s to single precision (1e-6) after a control step; where a hinge presses against its
    limit both solvers stop before they have converged, and it differs by up to 20 mrad.
    """

    def __init__(
        self, model: mujoco.MjModel, num_envs: int, device: str | None = None, friction_spread: float = 0.0
    ) -> None:
        """`device` as in warp, such as `cuda:0` or `cpu`; None: the best there is. Friction as in `ThreadedSim`."""
        self._count, self._device = num_envs, warp.get_device(device)
        with warp.ScopedDevice(self._device):
            self._model = mujoco_warp.put_model(model)
            # mujoco_warp takes the row of a world's number modulo the rows.
            self._model.geom_friction = warp.array(floor_frictions(model, friction_spread), dtype=warp.vec3)
            self._worlds = mujoco_warp.make_data(model, nworld=num_envs, nconmax=CONTACTS, njmax=CONSTRAINTS)
        self._graph: warp.Graph | None = None

    def step(self, qpos: NDArray, qvel: NDArray, target: NDArray) -> tuple[NDArray, NDArray]:
        """One control step of `SUBSTEPS` simulation steps with constant targets."""
        for name, value, width in (("qpos", qpos, NQ), ("qvel", qvel, NV), ("target", target, NUM_HINGES)):
            if value.shape != (self._count, width):
                raise ShapeError(name, (self._count, width), value.shape)
        worlds = self._worlds
        for array, value in ((worlds.qpos, qpos), (worlds.qvel, qvel), (worlds.ctrl, target)):
            array.assign(np.ascontiguousarray(value, np.float32))
        # As `mujoco.rollout` does: every control step begins without a guess.
        worlds.qacc_warmstart.zero_()
        with warp.ScopedDevice(self._device):
            self._advance()
        return worlds.qpos.numpy().astype(float), worlds.qvel.numpy().astype(float)

    def close(self) -> None:
        """Drop the captured graph."""
        self._graph = None

    def _advance(self) -> None:
        if not self._device.is_cuda:
            self._substeps()
            return
        if self._graph is None:
            with warp.ScopedCapture() as capture:
                self._substeps()
            self._graph = capture.graph
        warp.capture_launch(self._graph)

    def _substeps(self) -> None:
        for _ in range(SUBSTEPS):
            mujoco_warp.step(self._model, self._worlds)
