"""One run: a clip through the source node, the chain in its own processes, a recorder on the topics."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from node_latency.letterbox import letterbox
from node_latency.measures import image_latencies, quantiles
from node_latency.node_process import NodeProcess, machine_busy_s
from node_latency.recording import Recording
from node_latency.table import number

if TYPE_CHECKING:
    from node_latency.recorder import Recorder

CHAINS = {"composed": ("live",), "separate": ("policy", "perception")}
"""Executables of the chain, in the order of their start."""
MODELS = ("blazepose_detector", "blazepose_full", "encoder", "vision")
"""Of a chain with the default parameters."""
START_WITHIN = 60.0
"""s to the first joint state."""
TELL_EVERY = 5.0
"""s between two lines of progress."""


@dataclass(frozen=True)
class Setup:
    """What to run."""

    clip: Path
    size: tuple[int, int]
    """(width, height) px of the images."""
    processes: str
    """Key of `CHAINS`."""
    seconds: float
    """From the first joint state on."""
    domain: int
    """ROS_DOMAIN_ID."""
    parameters: tuple[str, ...] = ()
    """Other than the nodes' defaults, `node:name:=value`."""


@dataclass(frozen=True)
class Run:
    """What came of it."""

    recording: Recording
    processes: Sequence[NodeProcess]
    """Ended."""
    said: str
    """What they logged."""
    to_first_joint_state: float
    """s from the start of the processes."""
    recorder_cpu_percent: float
    """What the measuring took itself."""
    others_cpu_percent: float
    """What everybody else on this machine took; one core is 100 %."""


def run(setup: Setup) -> Run:
    """Start, record, stop; raises `RuntimeError` with the logs if a process ends early or no joint state comes."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        tell("preparing the clip")
        video = letterbox(setup.clip, setup.size, folder)
        recorder = stack.enter_context(_recorder())
        # The source keeps the first image until somebody looks at it, so it may start together with the chain.
        play = (f"source:uri:={video}", "source:loop:=true", "source:max_side:=0")
        started = time.monotonic()
        processes = [
            stack.enter_context(NodeProcess(name, (*play, *setup.parameters), setup.domain, folder / f"{name}.log"))
            for name in (*CHAINS[setup.processes], "source")
        ]
        _await_first(recorder, processes)
        to_first = time.monotonic() - started
        recorder_cpu, others_cpu = _watch(recorder, processes, setup.seconds)
        for process in processes:
            process.stop()
        return Run(recorder.recording, processes, _said(processes), to_first, recorder_cpu, others_cpu)


def tell(line: str) -> None:
    """Say at once how far it is."""
    print(line, file=sys.stderr, flush=True)


def _said(processes: Sequence[NodeProcess]) -> str:
    return "\n".join(process.log_text() for process in processes)


@contextmanager
def _recorder() -> Iterator[Recorder]:
    # ROS comes in only now, when `environment.prepare` has set up this process for it.
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    from node_latency.recorder import Recorder

    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        with Recorder() as recorder:
            yield recorder
    finally:
        rclpy.try_shutdown()


def _await_first(recorder: Recorder, processes: Sequence[NodeProcess]) -> None:
    end = time.monotonic() + START_WITHIN
    while not recorder.recording.outputs:
        _require_running(processes)
        if time.monotonic() > end:
            raise RuntimeError(f"no joint state within {START_WITHIN:g} s; the nodes said:\n{_said(processes)}")
        recorder.spin_until(time.monotonic() + 0.1)


def _watch(recorder: Recorder, processes: Sequence[NodeProcess], seconds: float) -> tuple[float, float]:
    """Record, sampling the processes once a second; return the recorder's and everybody else's CPU in percent."""
    begin = told = time.monotonic()
    own, busy = time.process_time(), machine_busy_s()
    while (passed := time.monotonic() - begin) < seconds:
        _require_running(processes)
        for process in processes:
            process.sample()
        if time.monotonic() - told >= TELL_EVERY:
            told = time.monotonic()
            tell(f"{passed:.0f} of {seconds:g} s: {_progress(recorder.recording, processes)}")
        recorder.spin_until(begin + min(passed + 1.0, seconds))
    for process in processes:
        process.sample()
    chain = sum(process.usage[-1].cpu_s - process.usage[0].cpu_s for process in processes)
    own = time.process_time() - own
    return 100.0 * own / seconds, 100.0 * max(machine_busy_s() - busy - chain - own, 0.0) / seconds


def _progress(recording: Recording, processes: Sequence[NodeProcess]) -> str:
    recent = Recording(recording.images[-150:], recording.outputs[-150:], recording.fresh)
    latency = quantiles(image_latencies(recent)[0])
    memory = ", ".join(f"{process.name} {process.usage[-1].rss_mb:.0f} MiB" for process in processes)
    return f"latency {number(latency['p50'])} ms, {memory}"


def _require_running(processes: Sequence[NodeProcess]) -> None:
    for process in processes:
        if not process.running:
            raise RuntimeError(f"{process.name} ended; it said:\n{process.log_text()}")
