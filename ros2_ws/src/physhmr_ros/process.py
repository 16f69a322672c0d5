"""One operating-system process with nodes in it: start, spin, and an orderly end without a traceback."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import rclpy
from rclpy.experimental import EventsExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions

from physhmr.config import NodeConfig
from physhmr.errors import PhyshmrError
from physhmr_ros.nodes.chain_node import ChainNode

RCLError = rclpy_implementation.RCLError
UnknownROSArgsError = rclpy_implementation.UnknownROSArgsError
SPIN_SLICE = 0.1
"""s; how long a signal may wait for the executor to return."""
IMPATIENT = 3
"""The so-many-th interrupt ends the process on the spot."""


def run(make_nodes: Callable[[], Sequence[ChainNode]], arguments: Sequence[str] | None = None) -> int:
    """Run nodes until all are finished or a signal comes; return the exit code.

    `environment.prepare` comes before.

    0: done or interrupted; 1: a node refused to start or could not go on; 2: an argument or parameter is wrong.
    """
    stop = threading.Event()
    try:
        with _interrupts(stop), _ros(arguments):
            return _spin(list(make_nodes()), stop)
    except (PhyshmrError, RCLError, UnknownROSArgsError) as error:
        print(f"physhmr: {error}", file=sys.stderr)  # noqa: T201
        return 2


def _spin(nodes: list[ChainNode], stop: threading.Event) -> int:
    # The default executor costs 2-3 times as much, and this one's own spin() never returns.
    executor = EventsExecutor()
    for node in nodes:
        executor.add_node(node)
    try:
        if not all(_bring_up(node) for node in nodes):
            return 1
        # What was loaded stays: the collector need not walk through it in the middle of a control step.
        gc.collect()
        gc.freeze()
        while not stop.is_set() and not all(node.finished for node in nodes):
            executor.spin_once(timeout_sec=SPIN_SLICE)
        end = time.monotonic() + max(node.hears_out for node in nodes)
        while time.monotonic() < end:
            executor.spin_once(timeout_sec=SPIN_SLICE)
        for node in nodes:
            node.stop_worker()
            for line in node.summary():
                node.get_logger().info(line)
        return max(node.exit_code for node in nodes)
    finally:
        for node in reversed(nodes):
            node.trigger_shutdown()
        for node in nodes:
            executor.remove_node(node)
            node.destroy_node()
        executor.shutdown()


def _bring_up(node: ChainNode) -> bool:
    if not node.settings.get(NodeConfig).autostart:
        return True
    steps = (node.trigger_configure, node.trigger_activate)
    active = all(step() == TransitionCallbackReturn.SUCCESS for step in steps)
    if active:
        node.get_logger().info("active")
    return active


@contextmanager
def _ros(arguments: Sequence[str] | None) -> Iterator[None]:
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    try:
        yield
    finally:
        rclpy.try_shutdown()


@contextmanager
def _interrupts(stop: threading.Event) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into `stop`, also while shutting down."""
    count = 0

    def interrupted(number: int, frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        stop.set()
        if count >= IMPATIENT:
            os._exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)
    yield
    for number in (signal.SIGINT, signal.SIGTERM):
        # Python would give the default action back while it ends, and one more interrupt would kill it.
        signal.signal(number, signal.SIG_IGN)
