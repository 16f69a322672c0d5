"""A robot made ready for retargeting: its compiled model, limits, links by role, soles and proportions."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import mujoco
import numpy as np

from physhmr.errors import RobotError, UnknownNameError
from physhmr.retarget.geom_points import sole_corners
from physhmr.retarget.proportions import Proportions
from physhmr.retarget.robot_cfg import RobotCfg, load_robot_cfg
from physhmr.retarget.roles import SIDES
from physhmr.types import Array

V = TypeVar("V")
DEFAULT_VELOCITY = 10.0
"""rad/s, where neither file nor model says."""
UNLIMITED = np.pi
"""rad, the range of joints for which neither file nor model gives one."""


class Robot:
    """A robot on a free joint; joints are its hinges in the model's order.

    `q` (nq,) is [root position m, root quaternion wxyz, joints rad], MuJoCo's qpos.
    """

    def __init__(self, cfg: RobotCfg) -> None:
        """Compile and check; raises `RobotError` or `UnknownNameError` that says what the model has instead."""
        self.cfg = cfg
        self.model = compile_model(cfg.model_path)
        self._scratch = mujoco.MjData(self.model)
        self.joint_names = _hinge_names(self.model, cfg.name)
        self._set_limits()
        self.body = {role: self._body_id(link.link) for role, link in cfg.links.items()}
        self.offset = {role: np.array(link.point) for role, link in cfg.links.items()}
        self.velocity = self._table("velocity", cfg.velocity, np.full(self.num_joints, DEFAULT_VELOCITY))
        self.torque = self._table("torque", cfg.torque, _model_torques(self.model))
        self.stand, placed = self._stand()
        self.rest_rot = {role: placed.xmat[body].reshape(3, 3).copy() for role, body in self.body.items()}
        """(3, 3) orientation of each role's link while standing upright, facing x."""
        self.soles = np.array([sole_corners(self.model, placed, self.body[f"{side}_foot"]) for side in SIDES])
        """(2, 4, 3) m, corners of left and right sole in their foot's frame: heel and toe, left and right."""
        self.proportions = self._measure(placed)
        self.leg_joints = self._leg_joints()
        """Indices of the joints between the root and the feet."""
        self.arm_joints = {side: self._arm_joints(side) for side in SIDES if f"{side}_hand" in self.body}
        """Side -> indices of the joints between the trunk and that hand."""
        self.elbow = {f"{side}_elbow": self._elbow(side) for side in SIDES if f"{side}_elbow" in self.body}
        """Elbow -> its hinge (MuJoCo id) and the sign with which it flexes."""
        self.upper_joints = [i for i in range(self.num_joints) if i not in set(self.leg_joints)]

    @property
    def num_joints(self) -> int:
        """Number of hinges."""
        return len(self.joint_names)

    @property
    def root(self) -> int:
        """Body on the free joint."""
        return int(self.model.jnt_bodyid[0])

    @property
    def ranges(self) -> Array:
        """(J, 2) rad."""
        return self.model.jnt_range[1:]

    def points(self, placed: mujoco.MjData, role: str) -> Array:
        """(3,) m, where the role's point is in the world."""
        body = self.body[role]
        return placed.xpos[body] + placed.xmat[body].reshape(3, 3) @ self.offset[role]

    def corners(self, placed: mujoco.MjData) -> Array:
        """(2, 4, 3) m, the corners of both soles in the world."""
        feet = [self.body[f"{side}_foot"] for side in SIDES]
        return placed.xpos[feet][:, None] + self.soles @ np.swapaxes(placed.xmat[feet].reshape(-1, 3, 3), 1, 2)

    def placed(self, q: Array) -> mujoco.MjData:
        """Kinematics of the pose (nq,), valid until the next call."""
        state = self._scratch
        state.qpos[:] = q
        mujoco.mj_kinematics(self.model, state)
        mujoco.mj_comPos(self.model, state)
        return state

    def joint_table(self, what: str, table: Mapping[str, V]) -> dict[int, V]:
        """Joint index -> value for a table of shell patterns; later patterns win.

        Raises `UnknownNameError` for a pattern that fits no joint.
        """
        found: dict[int, V] = {}
        for pattern, value in table.items():
            hits = [i for i, name in enumerate(self.joint_names) if fnmatch.fnmatchcase(name, pattern)]
            if not hits:
                raise UnknownNameError(f"joint in {what} of robot '{self.cfg.name}'", pattern, self.joint_names)
            found |= dict.fromkeys(hits, value)
        return found

    def _table(self, what: str, table: Mapping[str, float], default: Array) -> Array:
        values = default.copy()
        for index, value in self.joint_table(what, table).items():
            values[index] = value
        if not (values > 0).all():
            name = self.joint_names[int(np.flatnonzero(values <= 0)[0])]
            raise RobotError(f"robot '{self.cfg.name}': {what} of joint '{name}' must be positive; give it in the YAML")
        return values

    def _set_limits(self) -> None:
        """The file's limits, else the model's, else its position actuators', else half a turn each way."""
        ranges, limited = self.model.jnt_range, self.model.jnt_limited
        ctrl = {int(a[0]): c for a, c in zip(self.model.actuator_trnid, self.model.actuator_ctrlrange, strict=True)}
        for joint in range(1, self.model.njnt):
            if not limited[joint]:
                motor = self.model.actuator_biastype[:].any() and joint in ctrl and ctrl[joint].any()
                ranges[joint] = ctrl[joint] if motor else (-UNLIMITED, UNLIMITED)
        for index, pair in self.joint_table("limits", self.cfg.limits).items():
            ranges[1 + index] = pair
        limited[1:] = 1
        if not (ranges[1:, 0] < ranges[1:, 1]).all():
            bad = self.joint_names[int(np.flatnonzero(ranges[1:, 0] >= ranges[1:, 1])[0])]
            raise RobotError(f"robot '{self.cfg.name}': the lower limit of joint '{bad}' is not below the upper one")

    def _body_id(self, name: str) -> int:
        bodies = [self.model.body(i).name for i in range(1, self.model.nbody)]
        if name not in bodies:
            raise UnknownNameError(f"link of robot '{self.cfg.name}'", name, bodies)
        return int(self.model.body(name).id)

    def _stand(self) -> tuple[Array, mujoco.MjData]:
        """The standing pose at the origin, facing x, lowest sole on the floor; and its kinematics."""
        q = self.model.qpos0.copy()
        if self.cfg.stand:
            keys = [self.model.key(i).name for i in range(self.model.nkey)]
            if self.cfg.stand not in keys:
                raise UnknownNameError(f"keyframe of robot '{self.cfg.name}'", self.cfg.stand, keys)
            q = self.model.key(self.cfg.stand).qpos.copy()
        for index, angle in self.joint_table("stand_joints", self.cfg.stand_joints).items():
            q[7 + index] = angle
        q[:7] = (0, 0, 0, 1, 0, 0, 0)
        q[7:] = np.clip(q[7:], self.ranges[:, 0], self.ranges[:, 1])
        placed = self.placed(q)
        feet = [self.body[f"{side}_foot"] for side in SIDES]
        corners = [sole_corners(self.model, placed, foot) @ placed.xmat[foot].reshape(3, 3).T for foot in feet]
        q[2] = -min((corner + placed.xpos[foot])[:, 2].min() for corner, foot in zip(corners, feet, strict=True))
        return q, self.placed(q)

    def _measure(self, placed: mujoco.MjData) -> Proportions:
        at = {role: self.points(placed, role) for role in self.body}
        arms = "left_shoulder" in at

        def length(first: str, second: str) -> float:
            return float(np.mean([np.linalg.norm(at[f"{s}_{first}"] - at[f"{s}_{second}"]) for s in SIDES]))

        return Proportions(
            thigh=length("hip", "knee"),
            shank=length("knee", "foot"),
            hip_width=float(abs(at["left_hip"][1] - at["right_hip"][1])),
            stance_width=float(abs(at["left_foot"][1] - at["right_foot"][1])),
            ankle_height=float(np.mean([at[f"{side}_foot"][2] for side in SIDES])),
            upper_arm=length("shoulder", "elbow") if arms else 0.0,
            forearm=length("elbow", "hand") if arms else 0.0,
        )

    def _elbow(self, side: str) -> tuple[int, float]:
        """The first hinge above the elbow's link; it flexes towards the wider side of the straight arm."""
        body = self.body[f"{side}_elbow"]
        while body and not self.model.body_jntnum[body]:
            body = int(self.model.body_parentid[body])
        joint = int(self.model.body_jntadr[body])
        low, high = self.model.jnt_range[joint]
        angles, q, reach = np.linspace(low, high, 60), self.stand.copy(), []
        for angle in angles:
            q[6 + joint] = angle
            placed = self.placed(q)
            reach.append(np.linalg.norm(self.points(placed, f"{side}_hand") - self.points(placed, f"{side}_shoulder")))
        straight = angles[int(np.argmax(reach))]
        return joint, 1.0 if high - straight >= straight - low else -1.0

    def _leg_joints(self) -> list[int]:
        feet = [self.body[f"{side}_foot"] for side in SIDES]
        return sorted(
            {joint for foot in feet for above in ancestors(self.model, foot) for joint in self._hinges(above)}
        )

    def _arm_joints(self, side: str) -> list[int]:
        other = ancestors(self.model, self.body[f"{SIDES[1 - SIDES.index(side)]}_hand"])
        own = [body for body in ancestors(self.model, self.body[f"{side}_hand"]) if body not in other]
        return sorted(joint for body in own for joint in self._hinges(body))

    def _hinges(self, body: int) -> list[int]:
        """Indices of the joints of one body, the free joint left out."""
        start, count = int(self.model.body_jntadr[body]), int(self.model.body_jntnum[body])
        return [joint - 1 for joint in range(start, start + count) if joint > 0]


def load_robot(name_or_path: str | Path) -> Robot:
    """The robot of that name in config/robots, or of that YAML file; errors as of `load_robot_cfg` and `Robot`."""
    return Robot(load_robot_cfg(name_or_path))


def ancestors(model: mujoco.MjModel, body: int) -> list[int]:
    """The body and those above it, without the world."""
    chain = []
    while body:
        chain.append(body)
        body = int(model.body_parentid[body])
    return chain


def compile_model(path: Path) -> mujoco.MjModel:
    """Compile an MJCF or URDF as `free_spec` reads it; raises `RobotError`."""
    spec = free_spec(path)
    try:
        return spec.compile()
    except (ValueError, mujoco.FatalError) as error:
        raise RobotError(f"MuJoCo cannot compile {path}: {error}") from error


def free_spec(path: Path) -> mujoco.MjSpec:
    """An MJCF or URDF, not compiled yet; a robot bolted to the world gets a free joint. Raises `RobotError`."""
    if not path.is_file():
        raise RobotError(f"there is no robot model at {path}")
    try:
        spec = mujoco.MjSpec.from_file(str(path))
    except (ValueError, mujoco.FatalError) as error:
        raise RobotError(f"MuJoCo cannot read {path}: {error}") from error
    bodies = spec.worldbody.bodies
    if bodies and not any(joint.type == mujoco.mjtJoint.mjJNT_FREE for joint in bodies[0].joints):
        bodies[0].add_freejoint()
    return spec


def _hinge_names(model: mujoco.MjModel, robot: str) -> list[str]:
    kinds = model.jnt_type
    if not model.njnt or kinds[0] != mujoco.mjtJoint.mjJNT_FREE:
        raise RobotError(f"robot '{robot}': the first joint must be the free joint of the root")
    if (kinds[1:] != mujoco.mjtJoint.mjJNT_HINGE).any():
        bad = model.joint(1 + int(np.flatnonzero(kinds[1:] != mujoco.mjtJoint.mjJNT_HINGE)[0])).name
        raise RobotError(f"robot '{robot}': only hinges are supported, joint '{bad}' is something else")
    return [model.joint(index).name for index in range(1, model.njnt)]


def _model_torques(model: mujoco.MjModel) -> Array:
    """(J,) N m: the smallest limit that joint or actuator give; infinite where none does."""
    limit = np.where(model.jnt_actfrclimited[1:], model.jnt_actfrcrange[1:, 1], np.inf)
    for index in range(model.nu):
        joint = model.actuator_trnid[index, 0] - 1
        if model.actuator_forcelimited[index]:
            limit[joint] = min(limit[joint], model.actuator_forcerange[index, 1])
        elif model.actuator_ctrllimited[index] and model.actuator_biastype[index] == 0:
            limit[joint] = min(limit[joint], model.actuator_ctrlrange[index, 1] * model.actuator_gear[index, 0])
    return limit
