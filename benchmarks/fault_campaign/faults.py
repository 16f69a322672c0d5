"""The faults of the campaign: each happens on a stage and says from when on the input was good again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fault_campaign.stage import Stage
from physhmr.inference.model_files import MANIFEST, find_model, known_model

LASTS = 3.0
"""s of a fault that has a duration."""
AWAY = 3.0
"""s without a camera."""
CROSSING_FROM = 20
"""Pictures of the clip in which the person is alone, before the other one is in view."""
CLOCK_JUMP = 3600.0
"""s."""
HOG = "while True: pass"


@dataclass(frozen=True)
class Fault:
    """One row of the table."""

    name: str
    what: str
    """For a person to read."""
    happen: Callable[[Stage], float]
    """Do it; return since when the input is good again, `time.monotonic` seconds."""
    compressed: bool = False
    """Images are JPEGs."""
    relayed: bool = False
    """Rays go through the relay."""
    own_models: bool = False
    """The chain reads the policy's file from the stage's folder."""
    ready: Callable[[Stage], bool] = lambda stage: True
    """Whether it may happen now."""
    several: bool = False
    """Somebody else is in view for a while."""


def policy_killed(stage: Stage) -> float:
    """Kill the policy node and start it again."""
    stage.kill("policy")
    return stage.restart("policy")


def perception_killed(stage: Stage) -> float:
    """Kill the perception node and start it again."""
    stage.kill("perception")
    return stage.restart("perception")


def unplugged(stage: Stage) -> float:
    """Take the camera away with its topics, and bring it back."""
    stage.camera.unplug()
    stage.run_for(AWAY)
    stage.camera.plug()
    return time.monotonic()


def rays_spoilt(stage: Stage) -> float:
    """Write NaN, infinities and 1e300 into all rays."""
    if stage.relay is None:
        raise RuntimeError("this fault needs a relay on its stage")
    stage.relay.spoils = True
    stage.run_for(LASTS)
    stage.relay.spoils = False
    return time.monotonic()


def policy_swapped(stage: Stage) -> float:
    """Put another network where the policy was; the node is killed, must refuse, and starts when it is put right."""
    file = own_policy(stage.setting.folder)
    right = file.read_bytes()
    file.write_bytes(find_model("encoder").read_bytes())
    stage.run_for(1.0)
    stage.kill("policy")
    said = stage.refused("policy")
    if "is not the expected file" not in said:
        raise RuntimeError(f"the policy node did not say what was wrong with its file, but:\n{said}")
    file.write_bytes(right)
    return stage.restart("policy")


def alone_before(stage: Stage) -> bool:
    """Return whether the walk was seen as a whole, and is near its beginning again."""
    taken, clip = stage.camera.taken, stage.camera.clip
    return taken >= clip.round and 0 <= taken % clip.round - CROSSING_FROM < len(clip.pictures) // 10


def crossing(stage: Stage) -> float:
    """Let somebody cross the person's way once: the walk with its mirror image in front, up to its end."""
    camera, alone = stage.camera, stage.camera.clip
    end = camera.taken - camera.taken % alone.round + len(alone.pictures)
    camera.clip = stage.setting.crowd or alone
    stage.until(lambda: camera.taken >= end, "at the clip's end")
    camera.clip = alone
    return time.monotonic()


def cpu_taken(stage: Stage) -> float:
    """Run twice as many busy processes as there are cores, at the chain's own niceness."""
    with _hogs(2 * (os.cpu_count() or 1)):
        stage.run_for(LASTS)
    return time.monotonic()


def _with(**conditions: float | bool) -> Callable[[Stage], float]:
    """A fault of the camera that lasts for `LASTS`."""

    def happen(stage: Stage) -> float:
        before = {name: getattr(stage.camera.conditions, name) for name in conditions}
        stage.camera.set(**conditions)
        stage.run_for(LASTS)
        stage.camera.set(**before)
        return time.monotonic()

    return happen


FAULTS = (
    Fault("nothing", "nothing, for comparison", _with()),
    Fault("policy-killed", "policy node killed, started again", policy_killed),
    Fault("perception-killed", "perception node killed, started again", perception_killed),
    Fault("dropped", "30 % of the images dropped", _with(dropped=0.3)),
    Fault("late", "images 200 ms late, +-100 ms, overtaking each other", _with(late=0.2, jitter=0.1)),
    Fault("unplugged", "camera and its topics gone for 3 s", unplugged),
    Fault("corrupt", "all JPEGs cut off, empty, or noise", _with(corrupt=True), compressed=True),
    Fault("not-finite", "NaN, infinities and 1e300 in all rays", rays_spoilt, relayed=True),
    Fault("swapped", "another network in the policy's place; node killed, refuses, put right", policy_swapped,
          own_models=True),
    Fault("clock", "camera's clock one hour ahead, then back", _with(clock_ahead=CLOCK_JUMP)),
    Fault("crossing", "somebody crosses in front of the person", crossing, ready=alone_before, several=True),
    Fault("cpu", "busy processes, two for each core", cpu_taken),
)  # fmt: skip


def own_policy(folder: Path) -> Path:
    """Return the vision policy's file among the user's models under `folder`; it is put there with its manifest."""
    models = folder / "physhmr" / "models"
    file = models / "vision.onnx"
    if not file.exists():
        path, entry = known_model("vision")
        models.mkdir(parents=True)
        file.write_bytes(path.read_bytes())
        manifest: Mapping[str, Any] = {"models": [{**asdict(entry), "file": file.name}]}
        (models / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return file


@contextmanager
def _hogs(count: int) -> Iterator[None]:
    processes = [subprocess.Popen([sys.executable, "-c", HOG]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
