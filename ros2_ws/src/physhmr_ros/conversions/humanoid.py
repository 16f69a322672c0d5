"""The simulated humanoid as JointState, Odometry, TF, contacts and state."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import (
    Point,
    Pose,
    PoseWithCovariance,
    Quaternion,
    Transform,
    TransformStamped,
    Twist,
    TwistWithCovariance,
    Vector3,
    Wrench,
    WrenchStamped,
)
from nav_msgs.msg import Odometry
from sensor_msgs.msg import JointState
from tf2_msgs.msg import TFMessage

from physhmr.body.skeleton import BODY_NAMES, HINGE_NAMES, PARENTS
from physhmr.errors import NonFiniteError, PhyshmrError, ShapeError, UnknownNameError
from physhmr.geometry.rotation import quat_conjugate, quat_multiply, quat_to_matrix
from physhmr.types import Array, Contact, Estimate, HumanoidState, Status
from physhmr_msgs.msg import FootContacts, HumanState
from physhmr_ros.conversions.primitives import NANOSECONDS, doubles, header


def joint_state(state: HumanoidState) -> JointState:
    """Return 69 hinge angles (rad), rates (rad/s) and torques (N m)."""
    return JointState(
        header=header(state.stamp_ns, ""),
        name=list(HINGE_NAMES),
        position=doubles(state.qpos[7:]),
        velocity=doubles(state.qvel[6:]),
        effort=doubles(state.torque),
    )


def odometry(state: HumanoidState, world: str, child: str) -> Odometry:
    """Return the pelvis in the world; the twist is in the pelvis' own axes, as nav_msgs wants it."""
    linear_b = quat_to_matrix(state.qpos[3:7]).T @ state.qvel[:3]
    twist = Twist(linear=_vector(linear_b), angular=_vector(state.qvel[3:6]))
    return Odometry(
        header=header(state.stamp_ns, world),
        child_frame_id=child,
        pose=PoseWithCovariance(pose=Pose(position=_point(state.qpos[:3]), orientation=_quaternion(state.qpos[3:7]))),
        twist=TwistWithCovariance(twist=twist),
    )


def body_transforms(state: HumanoidState, world: str, prefix: str, root_only: bool = False) -> TFMessage:
    """Return TF world -> pelvis and, unless `root_only`, parent -> body of the other 23 bodies."""
    position, quat = state.body_pos_w.copy(), state.body_quat_w.copy()
    parents = np.array(PARENTS[1:])
    turn_to_parent = quat_conjugate(state.body_quat_w[parents])
    offset = state.body_pos_w[1:] - state.body_pos_w[parents]
    position[1:] = np.einsum("nij,nj->ni", quat_to_matrix(turn_to_parent), offset)
    quat[1:] = quat_multiply(turn_to_parent, state.body_quat_w[1:])
    frames = [prefix + name for name in BODY_NAMES]
    return TFMessage(
        transforms=[
            TransformStamped(
                header=header(state.stamp_ns, frames[PARENTS[i]] if i else world),
                child_frame_id=frames[i],
                transform=Transform(translation=_vector(position[i]), rotation=_quaternion(quat[i])),
            )
            for i in range(1 if root_only else len(frames))
        ]
    )


def foot_contacts(state: HumanoidState, world: str) -> FootContacts:
    """Return the floor's wrench on each body in contact."""
    shared = header(state.stamp_ns, world)
    return FootContacts(
        header=shared,
        wrenches=[WrenchStamped(header=shared, wrench=_wrench(contact)) for contact in state.contacts],
        names=[contact.body for contact in state.contacts],
    )


def human_state(estimate: Estimate, ray_age: float, world: str) -> HumanState:
    """Return what the chain is doing; `ray_age` in s, -1 before the first rays."""
    counters, transition = estimate.counters, estimate.transition
    return HumanState(
        header=header(estimate.state.stamp_ns, world),
        state=getattr(HumanState, estimate.status.name),
        previous=getattr(HumanState, (transition.before if transition else estimate.status).name),
        in_state=(estimate.state.stamp_ns - transition.stamp_ns) / NANOSECONDS if transition else 0.0,
        reason=estimate.reason,
        ray_age=ray_age,
        scale=estimate.scale,
        lost_count=counters["losses"],
        fall_count=counters["falls"],
        divergence_count=counters["divergences"],
        reinitialisation_count=counters["reinitialisations"],
        recovery_count=counters["recoveries"],
        transition_count=counters["transitions"],
    )


def qpos(odometry: Odometry, joints: JointState) -> Array:
    """Return the humanoid's (76,) configuration.

    Raises `ShapeError` unless all hinges are there, `NonFiniteError` unless each is a number, `PhyshmrError` for
    an orientation that is none.
    """
    if tuple(joints.name) != HINGE_NAMES or len(joints.position) != len(HINGE_NAMES):
        raise ShapeError(
            "JointState", f"the {len(HINGE_NAMES)} hinges of the humanoid, each with a position",
            f"{len(joints.name)} names and {len(joints.position)} positions",
        )  # fmt: skip
    place, turn = odometry.pose.pose.position, odometry.pose.pose.orientation
    values = np.concatenate([[place.x, place.y, place.z, turn.w, turn.x, turn.y, turn.z], joints.position])
    if not np.isfinite(values).all():
        raise NonFiniteError("Odometry and JointState", int(np.count_nonzero(~np.isfinite(values))))
    if np.linalg.norm(values[3:7]) < 0.5:
        raise PhyshmrError("Odometry's orientation must be a unit quaternion, got one of almost no length")
    return values


def status(message: HumanState) -> Status:
    """Return what the chain was doing; raises `UnknownNameError` for a state that the message does not define."""
    states = {int(getattr(HumanState, status.name)): status for status in Status}
    if message.state not in states:
        raise UnknownNameError("HumanState.state", str(message.state), map(str, states))
    return states[message.state]


def _wrench(contact: Contact) -> Wrench:
    return Wrench(force=_vector(contact.force_w), torque=_vector(contact.torque_w))


def _vector(values: Array) -> Vector3:
    x, y, z = values.tolist()
    return Vector3(x=x, y=y, z=z)


def _point(values: Array) -> Point:
    x, y, z = values.tolist()
    return Point(x=x, y=y, z=z)


def _quaternion(wxyz: Array) -> Quaternion:
    w, x, y, z = wxyz.tolist()
    return Quaternion(x=x, y=y, z=z, w=w)
