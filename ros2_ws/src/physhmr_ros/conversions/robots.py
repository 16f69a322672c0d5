"""A robot's targets as messages, and what retargeting reads from messages: the human, the robot's joints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from geometry_msgs.msg import Point, Pose, PoseWithCovariance, Quaternion, Twist, TwistWithCovariance, Vector3
from nav_msgs.msg import Odometry
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import Skeleton
from physhmr.errors import NonFiniteError, PhyshmrError
from physhmr.geometry.rotation import quat_to_matrix
from physhmr.retarget.human import HumanFrame, standing_parts
from physhmr.retarget.safety_gate import Command
from physhmr.retarget.target import RobotTarget
from physhmr.types import Array
from physhmr_msgs.msg import FootContacts
from physhmr_ros.conversions.humanoid import qpos
from physhmr_ros.conversions.primitives import doubles, header, to_ns, to_time

Duration = type(JointTrajectoryPoint().time_from_start)


def human_frame(odometry: Odometry, joints: JointState, contacts: FootContacts, skeleton: Skeleton) -> HumanFrame:
    """Return the human that three messages of one stamp tell of; raises as `humanoid.qpos` does."""
    pos, rot = forward_kinematics(qpos(odometry, joints), skeleton)
    push = {name: stamped.wrench.force.z for name, stamped in zip(contacts.names, contacts.wrenches, strict=True)}
    return HumanFrame(to_ns(joints.header.stamp), pos, rot, standing_parts(push))


def present_joints(message: JointState, names: Sequence[str]) -> Array:
    """Return the robot's joints (J,) rad in the order of `names`.

    Raises `PhyshmrError` that names the joints that are missing, `NonFiniteError` for a position that is none.
    """
    at = dict(zip(message.name, message.position, strict=False))
    missing = [name for name in names if name not in at]
    if missing:
        raise PhyshmrError(f"the robot's joint states lack {', '.join(missing)}")
    joints = np.array([at[name] for name in names], float)
    if not np.isfinite(joints).all():
        raise NonFiniteError("the robot's joint states", int((~np.isfinite(joints)).sum()))
    return joints


def joint_state(stamp_ns: int, names: Sequence[str], command: Command, effort: Array) -> JointState:
    """Return a command with the torques (J,) N m that the motion needs."""
    return JointState(
        header=header(stamp_ns, ""),
        name=list(names),
        position=doubles(command.position),
        velocity=doubles(command.velocity),
        effort=doubles(effort),
    )


def joint_positions(stamp_ns: int, names: Sequence[str], joints: Array) -> JointState:
    """Return where joints are, rad."""
    return JointState(header=header(stamp_ns, ""), name=list(names), position=doubles(joints))


def joint_trajectory(names: Sequence[str], command: Command, dt: float) -> JointTrajectory:
    """Return a command and the shortest stop after it, one point every `dt` s from its arrival (stamp 0: at once).

    Each message replaces the one before; a controller that hears no more comes to rest. ros2_control refuses
    trajectories that do not end at rest.
    """
    places = np.concatenate([command.position[None], command.braking])
    speeds = np.concatenate([command.velocity[None], np.diff(places, axis=0) / dt])
    speeds[-1] = 0.0  # But for rounding it is.
    points = []
    for step, (place, speed) in enumerate(zip(places, speeds, strict=True), start=1):
        ahead = to_time(round(step * dt * 1e9))
        point = JointTrajectoryPoint(positions=doubles(place), velocities=doubles(speed))
        point.time_from_start = Duration(sec=ahead.sec, nanosec=ahead.nanosec)
        points.append(point)
    return JointTrajectory(header=header(0, ""), joint_names=list(names), points=points)


def root_odometry(target: RobotTarget, world: str, child: str) -> Odometry:
    """Return the wanted pose and velocity of the root; the twist is in the root's own axes."""
    linear_b = quat_to_matrix(target.q[3:7]).T @ target.qvel[:3]
    x, y, z, w, qx, qy, qz = target.q[:7].tolist()
    twist = Twist(linear=_vector(linear_b), angular=_vector(target.qvel[3:6]))
    pose = Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(w=w, x=qx, y=qy, z=qz))
    return Odometry(
        header=header(target.stamp_ns, world),
        child_frame_id=child,
        pose=PoseWithCovariance(pose=pose),
        twist=TwistWithCovariance(twist=twist),
    )


def _vector(values: Array) -> Vector3:
    x, y, z = values.tolist()
    return Vector3(x=x, y=y, z=z)
