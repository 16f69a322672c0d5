"""One humanoid in real time: the only module that touches MuJoCo's state while the node runs."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np

from physhmr.body.humanoid_mjcf import FOOT_BODIES, SUBSTEPS, build_model
from physhmr.body.skeleton import BODY_NAMES, Shape, Skeleton
from physhmr.errors import DivergedError, ShapeError
from physhmr.sim.physics_meter import PhysicsMeter
from physhmr.types import NQ, NUM_HINGES, NV, Array, Contact, HumanoidState, Physics

MAX_SPEED = 100.0
"""m/s or rad/s: any faster generalised velocity is a numerical explosion, not motion."""


class HumanoidSim:
    """Steps the humanoid by control steps; no force but PD torques and contacts ever acts on it."""

    def __init__(self, shape: Shape | None = None) -> None:
        self.model = build_model(shape)
        self._sim_state = mujoco.MjData(self.model)
        self._body_ids = [self.model.body(name).id for name in BODY_NAMES]
        self._foot_of = {self.model.body(name).id: name for name in FOOT_BODIES}
        self._meter = PhysicsMeter(self.model, Skeleton(shape or Shape()))
        self._steps = 0
        """Control steps since the meter was read."""
        self._told: HumanoidState | None = None
        """The present state, once somebody asked: the end of a control step is the beginning of the next."""

    def reset(self, qpos: Array, qvel: Array | None = None) -> None:
        """Put the humanoid into (76,) qpos and (75,) qvel (default: at rest)."""
        if qpos.shape != (NQ,):
            raise ShapeError("qpos", (NQ,), qpos.shape)
        self._told, self._steps = None, 0
        self._meter.reset()
        mujoco.mj_resetData(self.model, self._sim_state)
        self._sim_state.qpos[:] = qpos
        self._sim_state.qvel[:] = np.zeros(NV) if qvel is None else qvel
        mujoco.mj_forward(self.model, self._sim_state)

    def step(self, target: Array) -> None:
        """Advance one control step with PD targets (69,) rad.

        Raises `DivergedError` and leaves the last good state in place when the physics explodes.
        """
        if target.shape != (NUM_HINGES,):
            raise ShapeError("target", (NUM_HINGES,), target.shape)
        self._told, sim = None, self._sim_state
        good_qpos, good_qvel = sim.qpos.copy(), sim.qvel.copy()
        sim.ctrl[:] = target
        mujoco.mj_step(self.model, sim, SUBSTEPS)
        # MuJoCo resets itself to qpos0 on NaN; its warning counter tells.
        warned = (
            sim.warning[mujoco.mjtWarning.mjWARN_BADQACC].number + sim.warning[mujoco.mjtWarning.mjWARN_BADQPOS].number
        )
        healthy = np.isfinite(sim.qpos).all() and np.isfinite(sim.qvel).all() and np.abs(sim.qvel).max() < MAX_SPEED
        if warned or not healthy:
            self.reset(good_qpos, 0.0 * good_qvel)
            raise DivergedError("the physics diverged; the last good state was restored at rest")
        # Positions after the step, so that what is published is one consistent instant.
        mujoco.mj_forward(self.model, sim)
        self._steps += 1

    @property
    def qpos(self) -> Array:
        """(76,) a copy of the present pose: cheaper than the whole state."""
        return self._sim_state.qpos.copy()

    def state(self, stamp_ns: int) -> HumanoidState:
        """The present state, stamped `stamp_ns`."""
        if self._told is None:
            self._told = self._tell(stamp_ns)
        return self._told if self._told.stamp_ns == stamp_ns else replace(self._told, stamp_ns=stamp_ns)

    def physics(self) -> Physics:
        """How the humanoid stands on the floor now, and how it slid since this was last asked."""
        steps, self._steps = self._steps, 0
        return self._meter.read(self._sim_state, self.state(0) if self._told is None else self._told, steps)

    def _tell(self, stamp_ns: int) -> HumanoidState:
        sim = self._sim_state
        return HumanoidState(
            stamp_ns=stamp_ns,
            qpos=sim.qpos.copy(),
            qvel=sim.qvel.copy(),
            body_pos_w=sim.xpos[self._body_ids].copy(),
            body_quat_w=sim.xquat[self._body_ids].copy(),
            torque=sim.actuator_force.copy(),
            contacts=self._contacts(),
        )

    def _contacts(self) -> tuple[Contact, ...]:
        """The floor's resultant wrench on each foot body that touches it."""
        sim, wrench = self._sim_state, np.zeros(6)
        total: dict[int, Array] = {}
        if not sim.ncon:
            return ()
        # MuJoCo makes a Python object of every contact that is asked for alone; the arrays cost nothing.
        bodies = self.model.geom_bodyid[sim.contact.geom].tolist()
        frames, points = sim.contact.frame.reshape(-1, 3, 3), sim.contact.pos
        for index, (first, second) in enumerate(bodies):
            foot = second if first == 0 else first
            if foot not in self._foot_of or (first and second):
                continue
            mujoco.mj_contactForce(self.model, sim, index, wrench)
            # MuJoCo's contact frame points from geom 0 to geom 1; the floor is geom 0, so this acts on the foot.
            force = wrench[:3] @ frames[index] * (1.0 if first == 0 else -1.0)
            (x, y, z), (fx, fy, fz) = (points[index] - sim.xpos[foot]).tolist(), force.tolist()
            total[foot] = total.get(foot, np.zeros(6)) + np.array(
                [fx, fy, fz, y * fz - z * fy, z * fx - x * fz, x * fy - y * fx]
            )
        return tuple(Contact(self._foot_of[foot], value[:3], value[3:]) for foot, value in sorted(total.items()))
