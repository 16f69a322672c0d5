"""Tracking scores as JSON and Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from physhmr.eval.provenance import Provenance
from physhmr.eval.report import markdown_table, origin_lines, write_pair
from physhmr.eval.tracking import ClipScore, summarise
from physhmr.eval.views import ViewScore, summary_table


def write_tracking(
    scores: Sequence[ClipScore], groups: Sequence[str], origin: Provenance, folder: Path
) -> tuple[Path, Path]:
    """Write tracking.json and tracking.md into `folder` and return their paths; `groups` names each clip's."""
    facts = {
        "provenance": origin.as_dict(),
        "summary": {name: _finite(asdict(summarise(some))) for name, some in _grouped(scores, groups).items()},
        "clips": [_finite(asdict(score)) for score in scores],
    }
    return write_pair(folder, "tracking", facts, tracking_markdown(scores, groups, origin))


def write_views(scores: Sequence[ViewScore], origin: Provenance, folder: Path) -> tuple[Path, Path]:
    """Write views.json and views.md into `folder` and return their paths."""
    facts = {"provenance": origin.as_dict(), "views": [_finite(asdict(score)) for score in scores]}
    return write_pair(folder, "views", facts, views_markdown(scores, origin))


def views_markdown(scores: Sequence[ViewScore], origin: Provenance) -> str:
    """Return the methods side by side, then clip by clip."""
    clips = [["clip", "method", "success", "survived s", "MPJPE mm"]]
    for score in sorted(scores, key=lambda score: (score.clip, score.method)):
        numbers = [f"{score.survived:.1f}", f"{score.mpjpe:.1f}"]
        clips.append([score.clip, score.method, "yes" if score.success else "no", *numbers])
    tables = [markdown_table(summary_table(scores)), markdown_table(clips)]
    return "\n\n".join(["# Synthetic views", *origin_lines(origin), _VIEWS_LEGEND, *tables]) + "\n"


def tracking_markdown(scores: Sequence[ClipScore], groups: Sequence[str], origin: Provenance) -> str:
    """Return the whole report: group by group, then clip by clip, the worst first."""
    tables = [markdown_table(_summaries(scores, groups)), markdown_table(_rows(scores))]
    return "\n\n".join(["# Tracking", *origin_lines(origin), _LEGEND, *tables]) + "\n"


def _grouped(scores: Sequence[ClipScore], groups: Sequence[str]) -> dict[str, list[ClipScore]]:
    found: dict[str, list[ClipScore]] = {}
    for score, name in sorted(zip(scores, groups, strict=True), key=lambda pair: pair[1]):
        found.setdefault(name, []).append(score)
    return found


def _summaries(scores: Sequence[ClipScore], groups: Sequence[str]) -> list[list[str]]:
    rows = [["clips", "number", "s", "success %", "seconds survived %", "G-MPJPE mm", "MPJPE mm"]]
    for name, some in _grouped(scores, groups).items():
        summary = summarise(some)
        shares = [f"{100 * share:.1f}" for share in (summary.success, summary.survived)]
        errors = [f"{error:.1f}" for error in (summary.g_mpjpe, summary.mpjpe)]
        rows.append([name, str(summary.clips), f"{summary.seconds:.0f}", *shares, *errors])
    return rows


_VIEWS_LEGEND = (
    "Clips seen by random cameras with BlazePose's measured errors; every method gets the same rays. Success: the mean "
    "distance of the 24 bodies never passes 0.5 m. Errors in mm over what was survived, skate in mm/frame."
)
_LEGEND = (
    "Physics only, no root force. Success: the mean distance of the 24 bodies never passes 0.5 m. The summary's errors "
    "are over the successful clips."
)


def _rows(scores: Sequence[ClipScore]) -> list[list[str]]:
    rows = [["clip", "s", "survived s", "success", "G-MPJPE mm", "MPJPE mm", "Accel m/s^2"]]
    for score in sorted(scores, key=lambda score: (score.survived / score.seconds, -score.g_mpjpe)):
        numbers = [f"{value:.1f}" for value in (score.g_mpjpe, score.mpjpe, score.accel)]
        verdict = "yes" if score.success else "fell" if score.falls else "no"
        rows.append([score.name, f"{score.seconds:.1f}", f"{score.survived:.1f}", verdict, *numbers])
    return rows


def _finite(facts: dict[str, object]) -> dict[str, object]:
    """JSON has no NaN: None."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in facts.items()}
