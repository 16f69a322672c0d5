"""Tracking scores of policies whose fate is known."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import CONTROL_HZ, standing_qpos
from physhmr.body.skeleton import Skeleton
from physhmr.body.soles import on_floor
from physhmr.errors import MotionFileError
from physhmr.eval.provenance import Provenance
from physhmr.eval.tracking import ClipScore, summarise, track_clips
from physhmr.eval.tracking_report import tracking_markdown, write_tracking
from physhmr.types import NUM_HINGES, HumanoidState, MotionClip, RayBundle, Reference

SKELETON = Skeleton()
ORIGIN = Provenance("abc123", {}, "a machine", "3.11", {}, 0, "now")


class HoldReference:
    """PD targets at the reference: enough to stand for a moment."""

    def target(self, state: HumanoidState, reference: Reference, rays: RayBundle | None = None) -> np.ndarray:
        return reference.qpos[7:]


class GoLimp:
    """Targets that follow the hinges: no stiffness."""

    def target(self, state: HumanoidState, reference: Reference, rays: RayBundle | None = None) -> np.ndarray:
        return state.qpos[7:]


class Explode:
    def target(self, state: HumanoidState, reference: Reference, rays: RayBundle | None = None) -> np.ndarray:
        return 1e9 * np.ones(NUM_HINGES) * (-1.0) ** np.arange(NUM_HINGES)


def standing_clip(seconds: float, fps: float = CONTROL_HZ) -> MotionClip:
    qpos = on_floor(standing_qpos(SKELETON), SKELETON)
    return MotionClip("standing", fps, np.tile(qpos, (round(seconds * fps) + 1, 1)), "made here")


def test_standing_still_for_a_moment_succeeds_and_is_near() -> None:
    heard: list[ClipScore] = []
    (score,) = track_clips(HoldReference(), [standing_clip(0.5)], SKELETON, heard.append)
    assert score.success and heard == [score]
    assert score.survived == score.seconds == pytest.approx(0.5)
    assert 0.0 < score.g_mpjpe < 30.0
    assert score.falls == 0


def test_a_limp_body_fails_where_it_passes_half_a_metre() -> None:
    (score,) = track_clips(GoLimp(), [standing_clip(4.0)], SKELETON)
    assert not score.success
    assert 0.2 < score.survived < 4.0
    assert score.g_mpjpe < 500.0, "the clip ends with the first frame beyond the limit"


def test_a_reference_that_jumps_away_is_not_followed() -> None:
    clip = standing_clip(1.0)
    clip.qpos[15:, 0] += 2.0
    (score,) = track_clips(HoldReference(), [clip], SKELETON)
    assert not score.success
    assert score.survived == pytest.approx(15 / CONTROL_HZ)


def test_exploding_physics_is_a_failure_not_an_error() -> None:
    (score,) = track_clips(Explode(), [standing_clip(2.0)], SKELETON)
    assert not score.success and score.survived < 2.0
    assert np.isfinite(score.g_mpjpe)


def test_another_rate_is_refused() -> None:
    with pytest.raises(MotionFileError, match="60 fps; resample"):
        track_clips(HoldReference(), [standing_clip(0.5, fps=60.0)], SKELETON)


GOOD = ClipScore("good", 10.0, 10.0, True, 0, 40.0, 30.0, 2.0)
LONG = replace(GOOD, name="long", seconds=30.0, survived=30.0, g_mpjpe=80.0)
BAD = ClipScore("bad", 20.0, 5.0, False, 1, 300.0, 90.0, float("nan"))


def test_the_summary_counts_clips_and_weighs_seconds() -> None:
    summary = summarise([GOOD, LONG, BAD])
    assert summary.success == pytest.approx(2 / 3)
    assert summary.survived == pytest.approx(45 / 60)
    assert summary.g_mpjpe == pytest.approx((10 * 40 + 30 * 80) / 40)
    assert np.isnan(summarise([BAD]).g_mpjpe)
    with pytest.raises(MotionFileError, match="no clip"):
        summarise([])


def test_the_report_has_the_worst_first_and_strict_json(tmp_path: Path) -> None:
    text = tracking_markdown([GOOD, BAD], ["core", "core"], ORIGIN)
    assert text.index("| bad") < text.index("| good")
    assert re.search(r"\| core +\| 2 +\| \d+ +\| 50\.0 ", text)
    as_json, _ = write_tracking([BAD], ["core"], ORIGIN, tmp_path)
    facts = json.loads(as_json.read_text(), parse_constant=pytest.fail)
    assert facts["summary"]["core"]["g_mpjpe"] is None and facts["clips"][0]["accel"] is None
