"""Whole processes: frames over DDS from one to the other, clear refusals, and an end without a traceback."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]
FAKE = [sys.executable, str(Path(__file__).with_name("fake_chain.py"))]
NODES = [sys.executable, "-m", "physhmr_ros.nodes"]
WHEN_STARTED = """
import signal, sys
from physhmr_ros.nodes import __main__
handle = signal.signal
def told(number, handler):
    handle(number, handler)
    print("started", file=sys.stderr, flush=True)
signal.signal = told
sys.exit(__main__.main(sys.argv[1:]))
"""
"""Says when it has taken over the interrupts."""
WITHOUT_MUJOCO = """
import sys
from physhmr_ros.nodes import __main__
sys.modules["mujoco"] = None
sys.exit(__main__.main(sys.argv[1:]))
"""
SOURCES = str(Path(__file__).parents[2] / "ros2_ws" / "src")


def start(*command: str) -> subprocess.Popen[str]:
    """Start a process with the sources on its path, whether or not they are installed."""
    path = os.pathsep.join(filter(None, (SOURCES, os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"PYTHONPATH": path}
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)


def heard(process: subprocess.Popen[str], text: str, seconds: float = 60.0) -> str:
    """Read the process's log until `text` comes; return the line."""
    assert process.stderr is not None
    end = time.monotonic() + seconds
    for line in process.stderr:
        if text in line:
            return line
        assert time.monotonic() < end
    raise AssertionError(f"the process ended without saying '{text}'")


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Return the exit code and the rest of the log."""
    _, log = process.communicate(timeout=60)
    return process.returncode, log


def test_a_missing_package_is_said_with_the_command_that_brings_it() -> None:
    code, log = finish(start(sys.executable, "-c", WITHOUT_MUJOCO, "policy"))
    assert code == 2
    assert "the Python module 'mujoco' is missing" in log
    assert "python3 -m pip install" in log and "'mujoco<5" in log
    assert "ros-jazzy" not in log and "Traceback" not in log


def accounted_for(log: str) -> int:
    """Return how many images arrived or were counted as lost: a busy machine may lose some, but not in silence."""
    found = re.search(r"images: (\d+); \d+ dropped, (\d+) lost", log)
    assert found
    assert int(found[1]) > 0
    return int(found[1]) + int(found[2])


def test_every_frame_of_a_file_crosses_to_the_other_process(clip: Path) -> None:
    chain = start(*FAKE, "live")
    heard(chain, "[perception]: active")
    source = start(*NODES, "source", "--ros-args", "-p", f"uri:={clip}")
    code, log = finish(source)
    assert code == 0
    assert "after 45 images" in log
    time.sleep(0.5)
    chain.send_signal(signal.SIGINT)
    code, log = finish(chain)
    assert code == 0
    assert accounted_for(log) >= 40
    assert "image stamp to joint state: median" in log
    assert "Traceback" not in log


def test_separate_processes_do_what_the_composed_one_does(clip: Path) -> None:
    policy, perception = start(*FAKE, "policy"), start(*FAKE, "perception")
    heard(policy, "active")
    heard(perception, "active")
    code, _ = finish(start(*NODES, "source", "--ros-args", "-p", f"uri:={clip}"))
    assert code == 0
    time.sleep(0.5)
    logs = []
    for process in (perception, policy):
        process.send_signal(signal.SIGINT)
        code, log = finish(process)
        assert code == 0
        logs.append(log)
    assert accounted_for(logs[0]) >= 40
    assert "tracking" in logs[1]


@pytest.mark.parametrize("interrupts", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupts_end_a_process_without_a_traceback(number: signal.Signals, interrupts: int) -> None:
    chain = start(*FAKE, "live")
    heard(chain, "[perception]: active")
    for _ in range(interrupts):
        chain.send_signal(number)
        time.sleep(0.02)
    code, log = finish(chain)
    assert code == 0
    assert "Traceback" not in log


@pytest.mark.parametrize("after", [0.3, 0.6, 1.0, 1.5])
def test_an_interrupt_while_it_starts_ends_it_without_a_traceback(after: float) -> None:
    """Whatever is being imported then."""
    process = start(sys.executable, "-c", WHEN_STARTED, "policy")
    heard(process, "started")
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    code, log = finish(process)
    assert code in (0, 128 + signal.SIGINT)
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["policy", "--ros-args", "-p", "clok:=frame"], 2, "Did you mean 'clock'"),
        (["policy", "--ros-args", "-p", "clock:=sundial"], 2, "must be one of timer, frame"),
        (["polciy"], 2, "Did you mean 'policy'"),
        (["source"], 1, "no video: set the parameter uri"),
        (["source", "--ros-args", "-p", "uri:=/no/such.mp4"], 1, "no video at '/no/such.mp4'"),
    ],
)
def test_what_cannot_run_says_why_and_fails(arguments: list[str], code: int, reason: str) -> None:
    found, log = finish(start(*NODES, *arguments))
    assert found == code
    assert reason in log
    assert "Traceback" not in log


def test_a_truncated_file_plays_as_far_as_it_goes_and_says_so(clip: Path, tmp_path: Path) -> None:
    import cv2
    import numpy as np

    # An AVI can be read up to where it breaks off; its header announces all 60 frames.
    whole = tmp_path / "whole.avi"
    writer = cv2.VideoWriter(str(whole), cv2.VideoWriter.fourcc(*"MJPG"), 60.0, (320, 240))
    for step in range(60):
        writer.write(np.full((240, 320, 3), 80 + step, np.uint8))
    writer.release()
    broken = tmp_path / "broken.avi"
    broken.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    options = ["listeners:=0", "rate:=0.0", "max_fps:=0.0", f"uri:={broken}"]
    code, log = finish(start(*NODES, "source", "--ros-args", *(part for o in options for part in ("-p", o))))
    assert code == 0
    assert "truncated?" in log
    assert "Traceback" not in log
