"""What the live chain does when something goes wrong, and how soon it tracks again.

    python benchmarks/faults.py
    python benchmarks/faults.py --only unplugged --only clock

Starts the real perception and policy nodes for each fault, shows them the bundled walk to and fro as a camera would,
lets the fault happen and listens to everything that is published. Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from fault_campaign.clip import Clip, read_clip, with_a_crossing
from fault_campaign.verdict import SAME_DIRECTION, Figures, Times, figures, markdown, off_course
from node_latency.live_run import MODELS

from physhmr.config import share_directory
from physhmr.errors import PhyshmrError
from physhmr.eval.provenance import provenance
from physhmr.inference.model_files import find_model
from physhmr_ros import environment

if TYPE_CHECKING:
    from fault_campaign.faults import Fault
    from fault_campaign.stage import Setting, Stage

BEFORE = 2.0
"""s of good input before the fault."""
AFTER = 4.0
"""s of good input behind it."""
LAST = 1.0
"""s at the end in which somebody is the same person, or not."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Let everything go wrong, print and write; return 0 if every fault was measured and every verdict is good."""
    options = _options(arguments)
    os.environ["ROS_DOMAIN_ID"] = str(options.domain)
    try:
        environment.prepare()
        # ROS comes in only now, when this process is set up for it.
        from fault_campaign.faults import FAULTS

        wanted = [fault for fault in FAULTS if not options.only or fault.name in options.only]
        clip, load = read_clip(options.clip, (640, 480)), os.getloadavg()[0]
        faults: list[list[Figures]] = []
        for fault in wanted:
            if rounds := _rounds(fault, clip, options):
                faults.append(rounds)
                _write(options, load, faults)
    except PhyshmrError as error:
        print(f"faults: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"{markdown(faults)}\n\nwritten: {options.out}")
    good = all(row.holds for rounds in faults for row in rounds)
    return 0 if good and sum(map(len, faults)) == options.rounds * len(wanted) else 1


def _rounds(fault: Fault, clip: Clip, options: argparse.Namespace) -> list[Figures]:
    """Let one fault happen again and again; a round in which the chain did not even start says nothing about it."""
    found = []
    for _ in range(options.rounds):
        try:
            found.append(_tried(fault, clip, options.domain))
        except RuntimeError as error:
            print(f"  not measured: {error}", file=sys.stderr, flush=True)
    return found


def _write(options: argparse.Namespace, load: float, faults: Sequence[Sequence[Figures]]) -> None:
    """Write what is known so far: a campaign takes minutes, and may be interrupted."""
    result = {
        "provenance": provenance([find_model(name) for name in MODELS]).as_dict(),
        "setup": {
            "clip": options.clip.name,
            "rounds": options.rounds,
            "load_average": [load, os.getloadavg()[0]],
            "niceness": os.nice(0),
        },
        "faults": [{**asdict(row), "holds": row.holds} for rounds in faults for row in rounds],
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _tried(fault: Fault, clip: Clip, domain: int) -> Figures:
    print(f"{fault.name}: {fault.what}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        with _stage(_setting(fault, clip, domain, Path(folder))) as stage:
            stage.run_for(BEFORE)
            stage.until(lambda: fault.ready(stage), "ready")
            begin, shown = time.monotonic(), max(stage.camera.shown)
            good = fault.happen(stage)
            stage.run_for(AFTER)
            times = Times(begin, good, time.monotonic())
        same = _same_person(stage, shown) if fault.several else None
        row = figures(fault.name, fault.what, stage.listener.heard, times, stage.said(), stage.died, same)
    print(f"  {'holds' if row.holds else 'FAILS'}: {row}", file=sys.stderr, flush=True)
    return row


def _setting(fault: Fault, clip: Clip, domain: int, folder: Path) -> Setting:
    from fault_campaign.faults import own_policy
    from fault_campaign.stage import Setting

    variables = {}
    if fault.own_models:
        own_policy(folder)
        variables["XDG_DATA_HOME"] = str(folder)
    crowd = with_a_crossing(clip) if fault.several else None
    return Setting(clip, domain, folder, fault.compressed, fault.relayed, crowd, variables)


@contextmanager
def _stage(setting: Setting) -> Iterator[Stage]:
    import rclpy
    from fault_campaign.stage import Stage
    from rclpy.signals import SignalHandlerOptions

    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        with Stage(setting) as stage:
            yield stage
    finally:
        rclpy.try_shutdown()


def _same_person(stage: Stage, before_ns: int) -> bool:
    """Whether in the last second the hips were where they were in the same pictures before `before_ns`."""
    hips_w = stage.listener.heard.hips_w
    angles = off_course(hips_w, stage.camera.shown, before_ns, max(hips_w) - round(1e9 * LAST))
    return bool(angles.size) and float(sorted(angles)[angles.size // 2]) < SAME_DIRECTION


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="of one fault; may be repeated")
    parser.add_argument("--rounds", type=int, default=3, help="how often each fault happens")
    parser.add_argument("--clip", type=Path, default=share_directory() / "models" / "clips" / "walk.mp4")
    parser.add_argument("--domain", type=int, default=77, help="ROS_DOMAIN_ID of the run")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "faults.json")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
