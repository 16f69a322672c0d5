"""What is in a motion library, in numbers: minutes, how feet keep to the floor, and whether they could carry."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from physhmr.body.skeleton import Skeleton
from physhmr.body.soles import corner_positions
from physhmr.errors import MotionFileError
from physhmr.motion.cleanup import ClipReport, Limits
from physhmr.motion.ground import beyond_support, supported
from physhmr.motion.library import LibraryClip
from physhmr.types import MotionClip

FLOOR_BAR = 0.020
"""m; deepest point of the feet below the floor, and 95th percentile of their height while they bear weight."""
RESTS = 0.1
"""m/s; a sole whose corners are slower, on average, rests."""


@dataclass(frozen=True)
class FloorFit:
    """How far a clip's lowest foot point is from the floor."""

    penetration: float
    """m, the deepest."""
    float_p50: float
    """m, height in supported frames."""
    float_p95: float
    """m."""

    @property
    def passes(self) -> bool:
        """Both within `FLOOR_BAR`."""
        return max(self.penetration, self.float_p95) <= FLOOR_BAR


def floor_fit(clip: MotionClip, skeleton: Skeleton) -> FloorFit:
    """Measure one clip."""
    corners = corner_positions(clip.qpos, skeleton)
    lowest = corners[..., 2].min(1)
    held = lowest[supported(corners, clip.qpos[:, 2], clip.fps)]
    held = held if len(held) else np.zeros(1)
    return FloorFit(float(max(-lowest.min(), 0.0)), float(np.median(held)), float(np.percentile(held, 95)))


def unevenness(clip: MotionClip, skeleton: Skeleton) -> float:
    """m, from the lowest to the highest corner of a sole that rests (`RESTS`), median; 0 where none ever does."""
    soles = corner_positions(clip.qpos, skeleton).reshape(len(clip.qpos), 2, -1, 3)
    speed = np.linalg.norm(np.gradient(soles, 1 / clip.fps, axis=0), axis=-1).mean(-1)
    resting = soles[speed < RESTS]
    return float(np.median(np.ptp(resting[..., 2], axis=-1))) if len(resting) else 0.0


def describe(clips: Sequence[LibraryClip], skeleton: Skeleton) -> list[str]:
    """Lines for a person: minutes by category and split, floor fit, fastest hinges, feet that could not carry."""
    lines = []
    for category in ("core", "wide"):
        for split in ("train", "validation"):
            chosen = [c.clip for c in clips if (c.category, c.split) == (category, split)]
            lines.append(f"{category:<5}{split:<11}{len(chosen):4d} clips  {minutes(chosen):6.2f} min")
    everything = [c.clip for c in clips]
    lines.append(f"total           {len(everything):4d} clips  {minutes(everything):6.2f} min")
    fits = [floor_fit(clip, skeleton) for clip in everything]
    deepest, high = max(fit.penetration for fit in fits), [fit.float_p95 for fit in fits]
    lines.append(
        f"floor, mm: deepest {1e3 * deepest:.1f}; float of a clip (p95 of its supported frames): "
        f"median {1e3 * float(np.median(high)):.1f}, p95 {1e3 * float(np.percentile(high, 95)):.1f}, "
        f"worst {1e3 * max(high):.1f}; {sum(fit.passes for fit in fits)} of {len(fits)} clips within "
        f"{1e3 * FLOOR_BAR:.0f}"
    )
    rates = [np.abs(np.diff(clip.qpos[:, 7:], axis=0)).max() * clip.fps for clip in everything]
    lines.append(f"fastest hinge of a clip, rad/s: median {np.median(rates):.1f}, worst {max(rates):.1f}")
    uneven = [unevenness(clip, skeleton) for clip in everything]
    lines.append(f"standing soles, heights of their corners apart, mm: {_worst(everything, uneven)}")
    beyond = [float(beyond_support(clip.qpos, skeleton, clip.fps).mean()) for clip in everything]
    lines.append(f"zero moment point outside of the feet, on average, mm: {_worst(everything, beyond)}")
    return lines


def _worst(clips: Sequence[MotionClip], metres: Sequence[float]) -> str:
    """The median in mm, and the three worst clips."""
    worst = sorted(zip(metres, (clip.name for clip in clips), strict=True), reverse=True)[:3]
    named = ", ".join(f"{name} {1e3 * value:.0f}" for value, name in worst)
    return f"median {1e3 * float(np.median(metres)):.0f}; worst {named}"


def minutes(clips: Sequence[MotionClip]) -> float:
    """Summed duration."""
    return sum(clip.duration for clip in clips) / 60


def describe_cleanup(reports: Sequence[ClipReport]) -> list[str]:
    """Lines for a person: what was cut and mended, clip by clip where there was anything, and in all."""
    total: Counter[str] = Counter()
    lines = []
    for report in reports:
        total.update(report.faults)
        if report.kept < report.frames or report.mended:
            unnamed = "too short" if report.frames < Limits.shortest_clip else "floor after placing"
            faults = ", ".join(f"{kind} {count}" for kind, count in report.faults.items()) or unnamed
            lines.append(
                f"{report.name:<50}{report.frames:5d} -> {report.kept:5d} frames, {report.mended} mended ({faults})"
            )
    frames, kept = sum(r.frames for r in reports), sum(r.kept for r in reports)
    lines.append(f"in all {frames} frames came in, {kept} were kept; faulty frames: {dict(total)}")
    return lines


def save_reports(path: Path, reports: Sequence[ClipReport]) -> None:
    """Write the clean-up's reports as JSON."""
    path.write_text(json.dumps([asdict(report) for report in reports], indent=1))


def load_reports(path: Path) -> list[ClipReport]:
    """Read them; raises `MotionFileError` when the file is missing or another one."""
    try:
        return [ClipReport(**entry) for entry in json.loads(path.read_text())]
    except (OSError, ValueError, TypeError) as error:
        raise MotionFileError(f"{path} is not a clean-up report: {error}") from error
