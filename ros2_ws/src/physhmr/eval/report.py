"""Evaluation results as JSON for machines and Markdown for people."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from physhmr.eval.evaluate import METHODS, ClipRecord
from physhmr.eval.provenance import Provenance
from physhmr.eval.recording import ACCURACY, PLAUSIBILITY

Table = Sequence[Sequence[str]]

LEGEND = """\
`landmarks`: BlazePose's own 3-D landmarks, moved to where its rays say. `lifted`: the reference pose of causal
lifting. `humanoid`: what the policy and physics make of it. Joints: shoulders, elbows, wrists, hips, knees,
ankles; the root is the middle of the hips. Metrics are defined in `physhmr/eval/pose_metrics.py` and
`physics_metrics.py`; motions per frame are per 1/30 s. A foot is in contact below 1 cm (corners of the
humanoid's soles) or 5 cm (heel and toe landmarks). `-`: nothing to measure, as accuracy without a truth."""


@dataclass(frozen=True)
class EvaluationResult:
    """All clips of one run."""

    provenance: Provenance
    records: tuple[ClipRecord, ...]
    missing: tuple[str, ...] = ()
    """Clips that were asked for and are not there, with the reason."""

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON; what has no value is None."""
        return {
            "provenance": self.provenance.as_dict(),
            "clips": [clip_facts(record) for record in self.records],
            "missing": list(self.missing),
        }


def write_result(result: EvaluationResult, folder: Path) -> tuple[Path, Path]:
    """Write evaluation.json and evaluation.md into `folder` and return their paths."""
    return write_pair(folder, "evaluation", result.as_dict(), markdown(result))


def write_pair(folder: Path, stem: str, facts: Mapping[str, object], text: str) -> tuple[Path, Path]:
    """Write `facts` as <stem>.json and `text` as <stem>.md into `folder` and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    as_json, as_markdown = folder / f"{stem}.json", folder / f"{stem}.md"
    as_json.write_text(json.dumps(facts, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    as_markdown.write_text(text, encoding="utf-8")
    return as_json, as_markdown


def clip_facts(record: ClipRecord) -> dict[str, object]:
    """Return what JSON holds of one clip."""
    return {
        "name": record.name,
        "note": record.note,
        "frames": record.frames,
        "fps": record.fps,
        "camera": record.assumed,
        "counters": record.counters,
        "unsteady_falls": record.unsteady_falls,
        "detector_px": _number(float(np.mean(record.detector_px))) if record.detector_px else None,
        "methods": {
            name: {metric: _number(value) for metric, value in row.items()} for name, row in record.scores().items()
        },
        "stage_ms": {stage: percentiles(times) for stage, times in record.stage_ms.items()},
    }


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return median and 99th percentile."""
    return {"p50": float(np.percentile(values, 50)), "p99": float(np.percentile(values, 99))}


def markdown(result: EvaluationResult) -> str:
    """Return the whole report."""
    parts = ["# Evaluation", *origin_lines(result.provenance), LEGEND]
    if any(record.truth_w is not None for record in result.records):
        parts += ["## Accuracy against the truth", markdown_table(_score_rows(result, ACCURACY, with_truth=True))]
    parts += ["## Plausibility", markdown_table(_score_rows(result, PLAUSIBILITY, with_truth=False))]
    parts += ["## Clips", markdown_table(_clip_rows(result))]
    parts += ["## Milliseconds per frame, p50 / p99", markdown_table(_stage_rows(result))]
    if result.missing:
        parts += ["## Missing", "\n".join(f"- {line}" for line in result.missing)]
    return "\n\n".join(parts) + "\n"


def markdown_table(rows: Table) -> str:
    """Return `rows`, the first being the head, as a Markdown table with aligned columns."""
    rows = [[cell.replace("|", r"\|") for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def origin_lines(origin: Provenance) -> list[str]:
    """Return the paragraphs that say where results come from."""
    models = "\n".join(f"- `{name}` sha256 {digest}" for name, digest in origin.models.items())
    packages = ", ".join(f"{name} {version}" for name, version in origin.packages.items())
    return [f"Commit {origin.commit}, {origin.when}, seed {origin.seed}.", models, f"{origin.machine}; Python "
            f"{origin.python}, {packages}."]  # fmt: skip


def _score_rows(result: EvaluationResult, metrics: Mapping[str, str], with_truth: bool) -> list[list[str]]:
    rows = [["clip", "method", *metrics.values()]]
    for record in result.records:
        if with_truth and record.truth_w is None:
            continue
        table = record.scores()
        rows += [[record.name, method, *(_cell(table[method][name]) for name in metrics)] for method in METHODS]
    return rows


def _clip_rows(result: EvaluationResult) -> list[list[str]]:
    head = ["clip", "frames", "fps", "falls", "restarts", "person lost", "falls in unsteady runs"]
    head += ["keypoints to truth px", "camera", "what"]
    rows = [head]
    for record in result.records:
        counts = [str(record.counters.get(name, 0)) for name in ("falls", "reinitialisations", "losses")]
        counts.append(" ".join(map(str, record.unsteady_falls)) or "-")
        detector = _cell(float(np.mean(record.detector_px))) if record.detector_px else "-"
        facts = [record.name, str(record.frames), f"{record.fps:g}", *counts, detector, record.assumed, record.note]
        rows.append(facts)
    return rows


def _stage_rows(result: EvaluationResult) -> list[list[str]]:
    stages = list(dict.fromkeys(stage for record in result.records for stage in record.stage_ms))
    rows = [["clip", *stages]]
    for record in result.records:
        rows.append([record.name, *(_stage_cell(record.stage_ms.get(stage)) for stage in stages)])
    return rows


def _stage_cell(times: Sequence[float] | None) -> str:
    if not times:
        return "-"
    facts: Mapping[str, float] = percentiles(times)
    return f"{facts['p50']:.1f} / {facts['p99']:.1f}"


def _cell(value: float) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.1f}"


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
