"""Starts the processes of a plan, ends them in order, and never leaves one behind."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from types import FrameType

from physhmr_ros.bringup import Executable

POLL = 0.1
"""s between two looks at the processes."""
LINGER = 0.5
"""s that the others go on after the source has ended, to use its last image."""
GRACE = 10.0
"""s for an orderly end; then a process is killed."""
_PR_SET_PDEATHSIG = 1


class Supervisor:
    """The processes of one run; interrupts reach them through it, in order."""

    def __init__(self) -> None:
        self._running: list[tuple[Executable, subprocess.Popen[bytes]]] = []
        self._interrupted = threading.Event()
        self._missing = 0
        """Exit code of a process that the others do without."""

    def run(self, plan: Sequence[tuple[Executable, Sequence[str]]]) -> int:
        """Run executables with their arguments until an essential one ends or an interrupt comes.

        Return 0 after an interrupt or when the process that ends the run is done, else the exit code of
        the process that failed, also of one that the others did without.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_interrupt)
        try:
            for executable, arguments in plan:
                self._running.append((executable, _start(executable, arguments)))
            return self._watch() or self._missing
        finally:
            self._end()

    def _watch(self) -> int:
        while not self._interrupted.wait(POLL):
            for executable, process in list(self._running):
                code = process.poll()
                if code is None:
                    continue
                if not executable.essential:
                    self._do_without(executable, process, code)
                    continue
                if code == 0 and executable.ends_the_run:
                    self._interrupted.wait(LINGER)
                return code
        return 0

    def _do_without(self, executable: Executable, process: subprocess.Popen[bytes], code: int) -> None:
        self._running.remove((executable, process))
        self._missing = code
        sys.stderr.write(f"[WARN] {executable.name} ended with code {code}; the others go on without it\n")

    def _end(self) -> None:
        """Interrupt the last started first: sources before those who listen to them."""
        for _, process in reversed(self._running):
            if process.poll() is None:
                # Our nodes treat it like SIGINT, and a Python that is only just starting ends without a traceback.
                process.terminate()
            _await(process)

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        self._interrupted.set()


def _start(executable: Executable, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "physhmr_ros.nodes", executable.name, *arguments]
    # A session of its own keeps the terminal's Ctrl-C away: the supervisor says who ends when.
    return subprocess.Popen(command, start_new_session=True, preexec_fn=_end_with_parent)


def _await(process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + GRACE
    while process.poll() is None:
        if time.monotonic() > end:
            process.kill()
        time.sleep(0.02)


def _end_with_parent() -> None:
    """Have the kernel end this process should the supervisor be killed (Linux only)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
