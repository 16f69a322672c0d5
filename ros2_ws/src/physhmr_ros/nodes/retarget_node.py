"""The humanoid drives a robot: topics in, guarded joint targets out; disarmed until somebody enables it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Any

from nav_msgs.msg import Odometry
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, String
from std_srvs.srv import SetBool
from trajectory_msgs.msg import JointTrajectory

from physhmr.body.skeleton import Skeleton
from physhmr.config import NODES, RetargetConfig
from physhmr.errors import PhyshmrError
from physhmr.retarget.clear_way import JointClearance
from physhmr.retarget.human import HumanFrame
from physhmr.retarget.inverse_dynamics import Effort, InverseDynamics
from physhmr.retarget.joint_limiter import limits_of
from physhmr.retarget.proportions import skeleton_proportions
from physhmr.retarget.retargeter import RetargetCfg, Retargeter
from physhmr.retarget.robot import Robot, load_robot
from physhmr.retarget.robot_sim import RobotSim
from physhmr.retarget.safety_gate import Command, GateCfg, Mode, SafetyGate
from physhmr.retarget.target import RobotTarget
from physhmr.types import Array, Status
from physhmr_msgs.msg import FootContacts, HumanState
from physhmr_ros import qos
from physhmr_ros.conversions import humanoid, robots
from physhmr_ros.conversions.primitives import to_ns
from physhmr_ros.diagnostics import Level, Report, StageClock
from physhmr_ros.mailbox import Mailbox
from physhmr_ros.nodes.chain_node import ChainNode

HUMAN = {
    "human/joint_states": JointState, "human/odom": Odometry, "human/contacts": FootContacts, "human/state": HumanState,
}  # fmt: skip
"""Read together, by their stamp."""


class RetargetNode(ChainNode):
    """One robot behind a safety gate."""

    def __init__(self) -> None:
        super().__init__("retarget", NODES["retarget"])
        self._config = self.settings.get(RetargetConfig)
        self._skeleton, self._stages = Skeleton(), StageClock()
        self._letters: Mailbox[tuple[HumanFrame, Status]] = Mailbox()
        self._guard = threading.Lock()
        self._gate: SafetyGate | None = None
        self._told: dict[str, str] = {}

    def open(self) -> None:
        """Load the robot, then listen and publish; raises `RobotError` for a robot that cannot be driven."""
        config = self._config
        robot = load_robot(config.robot)
        person, cfg = skeleton_proportions(self._skeleton), RetargetCfg(speed=config.speed)
        self._retargeter = Retargeter(robot, person, cfg, config.upper_body)
        self._inverse = InverseDynamics(robot)
        self._sim = RobotSim(robot, balance=config.upper_body) if config.simulate else None
        self._joints = robot.upper_joints if config.upper_body else list(range(robot.num_joints))
        self._names = [robot.joint_names[joint] for joint in self._joints]
        self._commands = self.create_publisher(JointState, "joint_targets", qos.STREAM)
        self._trajectory = self.create_publisher(JointTrajectory, "joint_trajectory", qos.STREAM)
        self._root = self.create_publisher(Odometry, "root_target", qos.STREAM)
        self._texts = {
            topic: self.create_publisher(String, topic, qos.LATCHED)
            for topic in ("retarget/state", "retarget/torque_exceeded")
        }
        self._simulated = self.create_publisher(JointState, "simulated/joint_states", qos.STREAM)
        self._enabling = self.create_service(SetBool, "retarget/enable", self._on_enable)
        self._listening = [self._listen(topic, kind) for topic, kind in HUMAN.items()]
        self._listening += [
            self.create_subscription(JointState, "robot_joint_states", self._on_present, qos.STREAM),
            self.create_subscription(Bool, "dead_man", self._on_dead_man, qos.STREAM),
        ]
        self._robot = robot
        self._gate = self._new_gate(robot)

    def close(self) -> None:
        """Take the topics back."""
        if self._gate is None:
            return
        self._gate = None
        for subscription in self._listening:
            self.destroy_subscription(subscription)
        self.destroy_service(self._enabling)
        for publisher in (self._commands, self._trajectory, self._root, *self._texts.values(), self._simulated):
            self.destroy_publisher(publisher)

    def start(self) -> None:
        """Begin disarmed, with no past."""
        self._gate = self._new_gate(self._robot)
        self._newest: dict[str, Any] = {}
        self._present: Array | None = None
        self._target: RobotTarget | None = None
        self._effort: Effort | None = None
        self._joined, self._infeasible, self._detours, self._detour = -1, 0, 0, False
        self._overloads, self._told = Counter[str](), {}
        self._retargeter.reset()
        self._inverse.reset()
        self._due = time.monotonic()
        self._letters.open()

    def wake(self) -> None:
        """Close the mailbox."""
        self._letters.close()

    def work(self) -> None:
        """Follow the newest human if there is one, then give the command that is due."""
        self._due = max(self._due + 1.0 / self._config.rate, time.monotonic() - 1.0)
        self.stopping.wait(max(0.0, self._due - time.monotonic()))
        letter, begin = self._letters.take(), time.perf_counter()
        if letter is not None:
            self._follow(*letter)
            self._stages.add({"retarget": 1e3 * (time.perf_counter() - begin)})
        with self._guard:
            command = self._gate.step(time.monotonic()) if self._gate else None
        if command is not None:
            self._detour = command.detour
            self._detours += command.detour
            self._tell(command)
        self._simulate(command)
        self._tell_state()

    def reports(self) -> list[Report]:
        """Return mode, reason, what is infeasible and the milliseconds."""
        gate = self._gate
        if gate is None:
            return []
        values: dict[str, float | int | str] = {"mode": gate.mode.value, "stop": gate.stop.value}
        values |= {"infeasible frames": self._infeasible, "dropped humans": self._letters.dropped}
        values["commands around own parts"] = self._detours
        values |= {f"frames over torque: {name}": count for name, count in sorted(self._overloads.items())}
        if self._target is not None:
            values["reason"] = self._target.reason
        if self._sim is not None:
            values["simulated falls"] = self._sim.falls
        moving = gate.mode in (Mode.ACTIVE, Mode.SOFT_START)
        level = Level.OK if moving and not self._detour else Level.WARN
        return [Report("retarget: robot", level, gate.stop.value or gate.mode.value, values | self._stages.report())]

    def _new_gate(self, robot: Robot) -> SafetyGate:
        config = self._config
        cfg = GateCfg(
            config.stale_after, config.dead_man_after, config.infeasible_after,
            workspace=config.workspace, soft_speed=config.soft_speed,
        )  # fmt: skip
        clearance = JointClearance(robot, self._retargeter.collision, self._joints)
        return SafetyGate(limits_of(robot, self._joints, config.speed), 1.0 / config.rate, cfg, clearance)

    def _follow(self, human: HumanFrame, status: Status) -> None:
        """Retarget one frame and offer it to the gate."""
        target = None
        try:
            target = self._retargeter.step(human)
            self._effort = self._inverse(target)
            self._infeasible += not target.feasible
            self._tell_torques(self._effort)
            self._root.publish(robots.root_odometry(target, "odom", f"{self._robot.cfg.name}/root"))
        except PhyshmrError as error:
            self.complain(str(error))
        self._target = target or self._target
        with self._guard:
            if self._gate is not None:
                self._gate.offer(time.monotonic(), target and target.only(self._joints), status)

    def _tell(self, command: Command) -> None:
        assert self._target is not None and self._effort is not None
        effort = self._effort.torque[self._joints]
        self._commands.publish(robots.joint_state(self._target.stamp_ns, self._names, command, effort))
        self._trajectory.publish(robots.joint_trajectory(self._names, command, 1.0 / self._config.rate))

    def _simulate(self, command: Command | None) -> None:
        """Let the stand-in robot follow; it says where its joints are."""
        if self._sim is None:
            return
        wanted = self._robot.stand[7:].copy()
        if command is not None:
            wanted[self._joints] = command.position
        self._sim.step(wanted, 1.0 / self._config.rate)
        self._simulated.publish(robots.joint_positions(self.now_ns(), self._robot.joint_names, self._sim.joints))
        self._present = self._sim.joints[self._joints]

    def _tell_torques(self, effort: Effort) -> None:
        """Say which of the driven joints would need more torque than they have."""
        over = [name for name, joint in zip(self._names, self._joints, strict=True) if effort.exceeded[joint]]
        self._overloads.update(over)
        self._tell_text("retarget/torque_exceeded", ", ".join(over))

    def _tell_state(self) -> None:
        """Say mode and reason."""
        gate = self._gate
        if gate is not None:
            text = f"{gate.mode.value}: {gate.stop.value}".removesuffix(": ")
            if self._tell_text("retarget/state", text):
                self.get_logger().info(text)

    def _tell_text(self, topic: str, text: str) -> bool:
        """Publish a text that differs from the last one there; True if it did."""
        if self._told.get(topic) == text:
            return False
        self._told[topic] = text
        self._texts[topic].publish(String(data=text))
        return True

    def _listen(self, topic: str, kind: type) -> Any:
        return self.create_subscription(kind, topic, lambda message: self._on_human(topic, message), qos.STREAM)

    def _on_human(self, topic: str, message: Any) -> None:
        """Join what belongs to one stamp."""
        self._newest[topic] = message
        stamps = {to_ns(m.header.stamp) for m in self._newest.values()}
        if len(self._newest) < len(HUMAN) or len(stamps) > 1 or stamps == {self._joined}:
            return
        (self._joined,) = stamps
        joints, odometry, contacts, state = (self._newest[name] for name in HUMAN)
        try:
            human = robots.human_frame(odometry, joints, contacts, self._skeleton)
            self._letters.put((human, humanoid.status(state)))
        except PhyshmrError as error:
            self.complain(str(error))

    def _on_present(self, message: JointState) -> None:
        try:
            present = robots.present_joints(message, self._names)
        except PhyshmrError as error:
            self.complain(str(error))
        else:
            self._present = present if self._sim is None else self._present

    def _on_dead_man(self, message: Bool) -> None:
        with self._guard:
            if self._gate is not None:
                self._gate.press(time.monotonic(), message.data)

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        """Enable, or disarm; a refusal says what is missing."""
        with self._guard:
            try:
                if not request.data and self._gate is not None:
                    self._gate.disarm()
                elif self._gate is None or self._present is None:
                    raise PhyshmrError("not enabled: robot_joint_states has not been heard")
                else:
                    self._gate.enable(time.monotonic(), self._present)
                response.success = True
            except PhyshmrError as error:
                response.success, response.message = False, str(error)
        return response


def nodes() -> list[ChainNode]:
    """Return the node of this executable."""
    return [RetargetNode()]
