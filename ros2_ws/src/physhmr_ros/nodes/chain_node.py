"""What the nodes of the chain share: lifecycle with clear refusals, one worker thread, a report a second."""

from __future__ import annotations

import re
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.service import Service
from std_srvs.srv import Trigger

from physhmr.config import Config, ServiceConfig
from physhmr.errors import PhyshmrError
from physhmr_ros import qos
from physhmr_ros.conversions.status import diagnostic_array
from physhmr_ros.diagnostics import Level, Report
from physhmr_ros.parameters import NodeParameters

WARN_EVERY = 5.0
"""s between two repetitions of the same complaint."""


class ChainNode(LifecycleNode):
    """A lifecycle node with a worker thread that runs while the node is active.

    A node of the chain implements `open` (load, subscribe), `close` (the reverse), `work` (one pass of
    the worker, which must return within about 0.2 s) and `reports`.
    """

    hears_out = 0.0
    """s for which the node still takes what was sent before its process was told to end."""

    def __init__(self, name: str, kinds: Sequence[type[Config]]) -> None:
        """Declare the parameters of `kinds`; raises as `NodeParameters` does."""
        super().__init__(name, automatically_declare_parameters_from_overrides=True)
        self.settings = NodeParameters(self, kinds)
        self.stopping = threading.Event()
        self.finished = False
        """True when the node has nothing left to do and its process may end."""
        self.exit_code = 0
        """What its process then returns; 1: it could not go on."""
        self._worker: threading.Thread | None = None
        self._complained: dict[str, float] = {}
        self._offered: list[Service] = []
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", qos.STREAM)
        self.create_timer(1.0, self._report, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def open(self) -> None:
        """Load models and create publishers and subscriptions; raise `PhyshmrError` to refuse."""

    def close(self) -> None:
        """Give back what `open` took."""

    def start(self) -> None:
        """Forget the past before the worker runs (again)."""

    def begin(self) -> None:
        """Set up the worker's thread, in that thread."""

    def work(self) -> None:
        """Do one pass of the node's work."""
        raise NotImplementedError

    def offer(self, name: str) -> threading.Event:
        """Return an event that is set when somebody calls the service `name` (std_srvs/Trigger).

        The service exists only if the node's parameter `services` allows it. `withdraw` takes it back.
        """
        asked = threading.Event()
        if self.settings.get(ServiceConfig).services:
            self._offered.append(self.create_service(Trigger, name, partial(_ask, asked)))
        return asked

    def withdraw(self) -> None:
        """Take all services back that were offered."""
        while self._offered:
            self.destroy_service(self._offered.pop())

    def wake(self) -> None:
        """End a wait inside `work`, because the node stops."""

    def reports(self) -> list[Report]:
        """Return the state of the node for /diagnostics; called once a second."""
        return []

    def summary(self) -> list[str]:
        """Return what happened in the whole run, for the end of the process."""
        return []

    def stop_worker(self) -> None:
        """Stop the worker and wait for it; harmless when it does not run."""
        self.stopping.set()
        self.wake()
        if self._worker is not None:
            self._worker.join()
            self._worker = None

    def now_ns(self) -> int:
        """Return the node's clock in ns: wall time, or simulation time with use_sim_time."""
        return int(self.get_clock().now().nanoseconds)

    def complain(self, text: str, level: Level = Level.WARN) -> None:
        """Log a complaint; one that differs in its numbers only at most every `WARN_EVERY` seconds."""
        now, kind = time.monotonic(), re.sub(r"\d+", "#", text)
        if now - self._complained.get(kind, -WARN_EVERY) >= WARN_EVERY:
            self._complained[kind] = now
            # rclpy binds a severity to each line of source, so the two calls cannot be one.
            if level is Level.ERROR:
                self.get_logger().error(text)
            else:
                self.get_logger().warning(text)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load, or refuse with a message."""
        return self._guarded(self.open)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the worker."""
        super().on_activate(state)
        return self._guarded(self._start_worker)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop the worker."""
        self.stop_worker()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give everything back."""
        return self._guarded(self.close)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop from any state."""
        self.stop_worker()
        return self._guarded(self.close)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to unconfigured, from where another attempt can be made."""
        self.stop_worker()
        return TransitionCallbackReturn.SUCCESS

    def _start_worker(self) -> None:
        self.stopping.clear()
        self.start()
        self._worker = threading.Thread(target=self._run, name=self.get_name(), daemon=True)
        self._worker.start()

    def _run(self) -> None:
        self.begin()
        while not self.stopping.is_set():
            try:
                self.work()
            except PhyshmrError as error:
                self.complain(str(error))
            except Exception:  # a defect must neither stop the chain silently nor end it
                self.complain(f"defect in {self.get_name()}: {traceback.format_exc()}", Level.ERROR)
                self.stopping.wait(0.1)

    def _guarded(self, step: Callable[[], None]) -> TransitionCallbackReturn:
        try:
            step()
        except PhyshmrError as error:
            self.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        except Exception:  # rclpy would swallow it without a word
            self.get_logger().error(traceback.format_exc())
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    def _report(self) -> None:
        reports = self.reports()
        if reports:
            self._diagnostics.publish(diagnostic_array(self.now_ns(), reports))


def _ask(asked: threading.Event, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
    asked.set()
    response.success, response.message = True, "with the next step"
    return response
