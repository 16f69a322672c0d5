"""Where faults happen: the chain in its processes, a camera and a listener, all moved on by one loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from node_latency.node_process import NodeProcess
from rclpy.experimental import EventsExecutor
from rclpy.node import Node

from fault_campaign.camera import Camera
from fault_campaign.clip import Clip
from fault_campaign.heard import Told
from fault_campaign.listener import Listener
from fault_campaign.relay import BEFORE, Relay

CHAIN = ("policy", "perception")
"""Executables, in the order of their start."""
START_WITHIN = 90.0
"""s until the chain tracks for the first time, or a node is active again."""


@dataclass(frozen=True)
class Setting:
    """What is on a stage."""

    clip: Clip
    domain: int
    """ROS_DOMAIN_ID."""
    folder: Path
    """For logs and files; it vanishes afterwards."""
    compressed: bool = False
    """Images are JPEGs."""
    relayed: bool = False
    """Rays go through `Stage.relay`, which may spoil them."""
    crowd: Clip | None = None
    """The same clip with somebody else in view."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Set in the processes' environment."""


class Stage:
    """Use as a context manager inside an initialised rclpy."""

    def __init__(self, setting: Setting) -> None:
        """Set up camera and listener; the chain is started on entering."""
        self.setting = setting
        self._node = Node("fault_campaign")
        self.camera = Camera(self._node, setting.clip, setting.compressed)
        self.listener = Listener(self._node, BEFORE if setting.relayed else "rays")
        self.relay = Relay(self._node) if setting.relayed else None
        self._running: dict[str, NodeProcess] = {}
        self.ended: list[NodeProcess] = []
        """Processes that were meant to end, in the order of their end."""
        self.died: list[str] = []
        """Processes that ended otherwise than well, known when the stage is closed."""
        self._executor = EventsExecutor()
        self._executor.add_node(self._node)
        self._stack = ExitStack()

    def start(self, executable: str) -> NodeProcess:
        """Start a process of the chain; it ends with the stage at the latest."""
        setting = self.setting
        process = NodeProcess(
            executable,
            ["perception:transport:=compressed"] if setting.compressed else [],
            setting.domain,
            setting.folder / f"{executable}-{len(self.ended)}.log",
            [f"perception:rays:={BEFORE}"] if setting.relayed else [],
            setting.variables,
        )
        self._running[executable] = self._stack.enter_context(process)
        return process

    def kill(self, executable: str) -> None:
        """End a process of the chain without a warning."""
        process = self._running.pop(executable)
        process.kill()
        self.ended.append(process)

    def restart(self, executable: str) -> float:
        """Start what was killed, and return when it is active, `time.monotonic` seconds.

        Raises `RuntimeError` with what it said if it does not become active.
        """
        process = self.start(executable)
        self.until(lambda: "active" in process.log_text() or not process.running, f"{executable} active")
        if not process.running:
            raise RuntimeError(f"{executable} did not start; it said:\n{process.log_text()}")
        return time.monotonic()

    def refused(self, executable: str) -> str:
        """Start a process that cannot run; return what it said. Raises `RuntimeError` if it goes on running."""
        process = self.start(executable)
        self.until(lambda: not process.running, f"{executable} ended")
        del self._running[executable]
        process.stop()
        self.ended.append(process)
        if not process.exit_code:
            raise RuntimeError(f"{executable} ended with code 0 where it should have refused")
        return process.log_text()

    def run_for(self, seconds: float) -> None:
        """Let time pass: send what is due, hear what comes."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            due = self.camera.work()
            self._executor.spin_once(timeout_sec=max(0.0, min(due, end) - now))

    def until(self, happened: Callable[[], object], what: str) -> None:
        """Let time pass until something has happened; raises `RuntimeError` if it does not."""
        end = time.monotonic() + START_WITHIN
        while not happened():
            if time.monotonic() > end:
                raise RuntimeError(f"not {what} within {START_WITHIN:g} s; the nodes said:\n{self.said()}")
            self.run_for(0.05)

    @property
    def states(self) -> list[Told]:
        """What the chain was doing, so far."""
        return self.listener.heard.states

    def said(self) -> str:
        """Return what all processes logged."""
        return "\n".join(process.log_text() for process in (*self.ended, *self._running.values()))

    def __enter__(self) -> Stage:
        try:
            for executable in CHAIN:
                self.start(executable)
            self.until(lambda: self.states and self.states[-1].state == "tracking", "tracking")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self.died = [name for name, process in self._running.items() if process.exit_code]
        self._executor.remove_node(self._node)
        self._node.destroy_node()
        self._executor.shutdown()
