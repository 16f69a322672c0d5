"""The robot in MuJoCo with its own actuators on a floor: what a user would see the hardware do.

Position servos take the commands; motors, and the joints of a model without actuators, as a URDF is, get a loop with
the gains of the robot's file. Where balance is asked for (upper-body mode), stiff legs hold the stance within their
torques and the ankles lean against a drifting centre of mass: a stand-in for the robot's own controller, not a product.
"""

from __future__ import annotations

import mujoco
import numpy as np

from physhmr.errors import DivergedError, RobotError, ShapeError
from physhmr.retarget.robot import Robot, free_spec
from physhmr.retarget.roles import SIDES
from physhmr.types import Array

TIMESTEP = 0.002
"""s."""
COLLISION_GROUP = 3
FALLEN_SHARE = 0.55
"""Of the standing height of the root, below which the robot lies."""
BALANCE_STIFFNESS, BALANCE_DAMPING = 1.5, 0.06
"""Of the balancing legs: stiffness in weight times height, damping in s of it."""
LEAN_GAIN, LEAN_DAMPING = 1.2, 0.25
"""rad of ankle per m of the centre of mass from the middle of the feet, and per m/s."""


class RobotSim:
    """One simulated robot that takes joint commands like a ros2_control position interface."""

    def __init__(self, robot: Robot, balance: bool = False) -> None:
        """`balance`: legs are left to the stand-in controller, commands move the upper body only."""
        self.robot, self._balance = robot, balance
        self.model = _with_floor(robot)
        self._state = mujoco.MjData(self.model)
        self._actuator = (self.model.actuator_trnid[:, 0] - 1).tolist()
        """Joint of each actuator."""
        self._make_servos()
        self._pitch = _ankles(robot, axis=1) if balance else {}
        self.falls = 0
        """Since the start."""
        self.reset()

    def reset(self, q: Array | None = None) -> None:
        """Put the robot into `q` (nq,), default: standing, at rest."""
        mujoco.mj_resetData(self.model, self._state)
        self._state.qpos[:] = self.robot.stand if q is None else q
        self._command = self._state.qpos[7:].copy()
        self._down = False
        mujoco.mj_forward(self.model, self._state)

    @property
    def q(self) -> Array:
        """(nq,) the pose now."""
        return self._state.qpos.copy()

    @property
    def joints(self) -> Array:
        """(J,) rad, what the encoders of the robot would say."""
        return self._state.qpos[7:].copy()

    @property
    def fallen(self) -> bool:
        """The root is down."""
        return self._down

    def step(self, command: Array, dt: float) -> float:
        """Advance by `dt` s with joint commands (J,) rad; returns the root mean square tracking error, rad.

        Raises `DivergedError` when the physics explodes; the robot then stands again.
        """
        if np.shape(command) != (self.robot.num_joints,):
            raise ShapeError("command", (self.robot.num_joints,), np.shape(command))
        legs = self.robot.leg_joints
        self._command = np.array(command, float)
        if self._balance:
            self._command[legs] = self.robot.stand[7:][legs]
        for _ in range(max(1, round(dt / TIMESTEP))):
            self._state.ctrl[:] = self._control()
            mujoco.mj_step(self.model, self._state)
        if not (np.isfinite(self._state.qpos).all() and np.abs(self._state.qvel).max() < 1e3):
            self.reset()
            raise DivergedError(f"the simulated {self.robot.cfg.name} diverged; it stands again")
        self._count_falls()
        followed = self.robot.upper_joints if self._balance else list(range(self.robot.num_joints))
        return float(np.sqrt(np.mean((self.joints - self._command)[followed] ** 2)))

    def _control(self) -> Array:
        """(nu,) rad, what the servos are told."""
        wanted = self._command.copy()
        for joint, sign in self._pitch.items():
            wanted[joint] += sign * self._lean()
        return np.clip(wanted, *self.robot.ranges.T)[self._actuator]

    def _lean(self) -> float:
        """rad, how much the ankles pitch against the centre of mass, seen along the robot's heading."""
        forward = self._state.xmat[self.robot.root].reshape(3, 3)[:2, 0]
        forward = forward / max(float(np.linalg.norm(forward)), 1e-6)
        feet = np.mean([self._state.xpos[self.robot.body[f"{side}_foot"]] for side in SIDES], axis=0)
        away = (self._state.subtree_com[self.robot.root] - feet)[:2] @ forward - self._offset
        return float(LEAN_GAIN * away + LEAN_DAMPING * self._state.qvel[:2] @ forward)

    @property
    def _offset(self) -> float:
        """m, of the soles' middle before the feet's points."""
        placed = self.robot.soles.mean(axis=(0, 1)) @ self.robot.rest_rot["left_foot"].T
        return float(placed[0])

    def _make_servos(self) -> None:
        """Motors get the loop of the robot's file; legs that balance, one that carries the robot's weight."""
        gains = self.robot.joint_table("gains", self.robot.cfg.gains)
        motors = self.model.actuator_biastype == mujoco.mjtBias.mjBIAS_NONE
        stiff = BALANCE_STIFFNESS * 9.81 * self.model.body_mass.sum() * self.robot.stand[2]
        for index, joint in enumerate(self._actuator):
            if self._balance and joint in self.robot.leg_joints:
                self._make_servo(index, stiff, BALANCE_DAMPING * stiff)
            elif motors[index]:
                if joint not in gains:
                    name = self.robot.joint_names[joint]
                    raise RobotError(f"the motor of '{name}' of '{self.robot.cfg.name}' needs gains in the YAML")
                self._make_servo(index, *gains[joint])

    def _make_servo(self, index: int, kp: float, kd: float) -> None:
        """Actuator `index` holds positions with the torque that its joint has."""
        model, limit = self.model, self.robot.torque[self._actuator[index]]
        model.actuator_biastype[index] = mujoco.mjtBias.mjBIAS_AFFINE
        model.actuator_gainprm[index, 0] = kp
        model.actuator_biasprm[index, :3] = (0.0, -kp, -kd)
        model.actuator_ctrllimited[index] = 0
        model.actuator_forcelimited[index], model.actuator_forcerange[index] = 1, (-limit, limit)
        model.actuator_gear[index, 0] = 1.0

    def _count_falls(self) -> None:
        low = self._state.qpos[2] < FALLEN_SHARE * self.robot.stand[2]
        self.falls += int(low and not self._down)
        self._down = bool(low)


def _with_floor(robot: Robot) -> mujoco.MjModel:
    """The robot's model on a floor, with the time step of the simulation."""
    spec = free_spec(robot.cfg.model_path)
    if not spec.actuators:
        # Said aloud, as below: a default may make servos of them.
        motor = {"trntype": mujoco.mjtTrn.mjTRN_JOINT, "biastype": mujoco.mjtBias.mjBIAS_NONE}
        for name in robot.joint_names:
            spec.add_actuator(name=name, target=name, **motor)
    spec.option.timestep = TIMESTEP
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    floor = spec.worldbody.add_geom(name="retarget_floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1])
    # Said aloud: the model's defaults hold for new shapes too.
    floor.contype, floor.conaffinity, floor.condim, floor.friction = 1, 1, 3, [1.0, 0.005, 0.0001]
    if not (robot.model.geom_contype.any() or robot.model.geom_conaffinity.any()):
        # A model that switches all contacts off must still stand on its feet.
        for geom in (geom for body in spec.bodies[1:] for geom in body.geoms if geom.group == COLLISION_GROUP):
            geom.conaffinity = 1
    return spec.compile()


def _ankles(robot: Robot, axis: int) -> dict[int, float]:
    """Joints at the feet that turn about the robot's y while standing, with the sign that pitches the toes down."""
    placed, found = robot.placed(robot.stand), {}
    for side in SIDES:
        body = robot.body[f"{side}_foot"]
        while body != robot.body[f"{side}_knee"]:
            first = int(robot.model.body_jntadr[body])
            for joint in range(first, first + int(robot.model.body_jntnum[body])):
                along = float(placed.xaxis[joint][axis])
                if abs(along) > 0.8:
                    found[joint - 1] = float(np.sign(along))
            body = int(robot.model.body_parentid[body])
    return found
