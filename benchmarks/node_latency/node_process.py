"""One process with nodes in it: started, watched through /proc (Linux only), and interrupted in the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from node_latency.node_usage import Usage

PAGE = os.sysconf("SC_PAGE_SIZE")
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE = 10.0
"""s a process may take to end after its interrupt."""


class NodeProcess:
    """`python -m physhmr_ros.nodes <executable>` with its parameters. Use as a context manager."""

    def __init__(
        self,
        executable: str,
        parameters: Sequence[str],
        domain: int,
        log: Path,
        remaps: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Start it with ROS parameters `[node:]name:=value` in domain `domain`; its output goes to the file `log`.

        `remaps` are `[node:]topic:=other`; `variables` are set in its environment.
        """
        self.name = executable
        self.usage: list[Usage] = []
        self.exit_code: int | None = None
        """None while it runs."""
        self._log = log
        command = [sys.executable, "-m", "physhmr_ros.nodes", executable, "--ros-args"]
        for parameter in parameters:
            command += ["-p", parameter]
        for remap in remaps:
            command += ["-r", remap]
        environment = {**os.environ, **(variables or {}), "ROS_DOMAIN_ID": str(domain)}
        with log.open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def sample(self) -> None:
        """Append the present usage; the process must be running."""
        self.usage.append(_usage(self._process.pid))

    def log_text(self) -> str:
        """Return what the process has said so far."""
        return self._log.read_text(errors="replace")

    def kill(self) -> None:
        """End it without a warning, as the kernel does when memory is short."""
        self._process.kill()
        self.exit_code = self._process.wait()

    def stop(self) -> None:
        """Interrupt the process as Ctrl-C does; one that does not end is killed, and its exit code tells."""
        if self.running:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self.exit_code = self._process.wait()

    def __enter__(self) -> NodeProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def machine_busy_s() -> float:
    """Return the CPU time of everything on this machine since its start, s over all cores."""
    user, nice, system, _idle, _iowait, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / CLOCK_TICKS


def _usage(pid: int) -> Usage:
    folder = Path("/proc", str(pid))
    # The command's name stands in parentheses and may hold anything; the numbers begin behind it.
    stat = (folder / "stat").read_text().rpartition(")")[2].split()
    user, system, threads, pages = int(stat[11]), int(stat[12]), int(stat[17]), int(stat[21])
    return Usage(
        at=time.monotonic(),
        rss_mb=pages * PAGE / 2**20,
        cpu_s=(user + system) / CLOCK_TICKS,
        fds=len(os.listdir(folder / "fd")),
        threads=threads,
    )
