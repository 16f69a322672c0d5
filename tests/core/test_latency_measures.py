"""The arithmetic of benchmarks/latency.py on recordings whose figures are known beforehand."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from node_latency.bars import bars
from node_latency.letterbox import letterbox
from node_latency.measures import PERIOD_MS, counters, drift, image_latencies, output_figures, stage_figures
from node_latency.node_usage import Usage, usage_figures
from node_latency.recording import Output, Recording, Told

from physhmr.config import share_directory
from physhmr.geometry.camera import pixels_to_rays
from physhmr.video import VideoConfig, VideoReader

MS = 1_000_000


def output(stamp_ms: float, received_ms: float, non_finite: int = 0) -> Output:
    return Output(round(stamp_ms * MS), round(received_ms * MS), non_finite)


def test_an_image_is_answered_by_the_joint_state_of_its_stamp() -> None:
    recording = Recording([0, 33 * MS, 66 * MS], [output(0, 20), output(33, 63), output(66, 71)])
    latencies, unanswered = image_latencies(recording)
    assert latencies.tolist() == [20.0, 30.0, 5.0]
    assert unanswered == 0


def test_a_tick_without_a_new_image_answers_none() -> None:
    recording = Recording([0, 33 * MS, 66 * MS], [output(0, 20), output(34, 60), output(66, 80)])
    latencies, unanswered = image_latencies(recording)
    assert latencies.tolist() == [20.0, 14.0]
    assert unanswered == 1


def test_fresh_rays_whose_stamp_ran_past_the_image_answer_it() -> None:
    recording = Recording([0, 33 * MS, 66 * MS], [output(0, 20), output(34, 60), output(66, 80)], {34 * MS})
    latencies, unanswered = image_latencies(recording)
    assert latencies.tolist() == [20.0, 27.0, 14.0]
    assert unanswered == 0


def test_images_outside_the_outputs_do_not_count() -> None:
    recording = Recording([-33 * MS, 0, 33 * MS], [output(0, 20)])
    assert image_latencies(recording)[1] == 0
    assert image_latencies(Recording([0]))[0].size == 0


def test_steady_outputs_have_no_holes() -> None:
    figures = output_figures([output(n * PERIOD_MS, n * PERIOD_MS) for n in range(31)])
    assert figures["rate_hz"] == pytest.approx(30.0)
    assert figures["jitter_ms"] == pytest.approx(0.0, abs=1e-3)
    assert (figures["late"], figures["missing"], figures["stamps_not_increasing"]) == (0, 0, 0)


@pytest.mark.parametrize(("periods", "late", "missing"), [(1.9, 0, 0), (2.1, 1, 1), (4.0, 1, 3)])
def test_an_output_later_than_the_next_one_was_due_is_late(periods: float, late: int, missing: int) -> None:
    times = np.cumsum([0.0, 1.0, periods, 1.0]) * PERIOD_MS
    figures = output_figures([output(t, t) for t in times])
    assert (figures["late"], figures["missing"]) == (late, missing)


def test_unsound_outputs_are_counted() -> None:
    figures = output_figures([output(0, 0), output(0, 33, non_finite=2), output(-5, 66)])
    assert figures["non_finite"] == 2
    assert figures["stamps_not_increasing"] == 2


def test_a_queue_that_grows_shows_as_drift() -> None:
    assert drift(np.linspace(20.0, 100.0, 400)) == pytest.approx(40.0, abs=0.5)
    assert drift(np.full(400, 20.0)) == 0.0
    assert drift(np.zeros(3)) is None


def test_the_stages_of_many_seconds_are_summed_up() -> None:
    told = [
        Told(float(n), "policy: humanoid", 0, "", {"tick_ms_p50": 2.0, "tick_ms_p99": 3.0 + n, "falls": n})
        for n in range(3)
    ]
    assert stage_figures(Recording(told=told)) == {"policy/tick": {"p50": 2.0, "p99": 4.0, "worst_p99": 5.0}}
    assert counters(Recording(told=told)) == {"policy/falls": 2}


def test_growth_is_told_only_by_long_runs() -> None:
    samples = [Usage(float(t), 300.0 + t / 60.0, 0.25 * t, 20, 12) for t in range(0, 301, 5)]
    figures = usage_figures(samples)
    assert figures["rss_slope_mb_per_min"] == pytest.approx(1.0)
    assert figures["cpu_percent"] == pytest.approx(25.0)
    assert figures["fds_grown"] == 0
    # After the first minute, the middles of the first tenth and of the last are 67.5 and 292.5 s from the start.
    assert figures["rss_grown_percent"] == pytest.approx(100.0 * 3.75 / 301.125)
    short = usage_figures(samples[:15])
    assert short["rss_slope_mb_per_min"] is None and short["rss_grown_percent"] is None


def test_a_bar_that_was_not_measured_neither_holds_nor_fails() -> None:
    usage = {"rss_slope_mb_per_min": None, "rss_grown_percent": 2.1, "fds_grown": 2, "threads_grown": 0, "exit_code": 0}
    figures = {
        "latency_ms": {"p50": 45.0, "p99": 90.1, "drift": None},
        "control_tick_ms": {"p99": 4.9},
        "outputs": {"late": 0, "missing": 0, "non_finite": 0, "stamps_not_increasing": 0},
        "processes": {"live": usage, "source": {**usage, "fds_grown": 0}},
    }
    held = {bar.what: bar.holds for bar in bars(figures)}
    assert held["image stamp to joint state, median"] is True
    assert held["image stamp to joint state, p99"] is False
    assert held["open files grow, worst process"] is False
    assert held["memory grows, worst process"] is None
    assert held["memory after the first minute grows, worst"] is False


def test_a_letterboxed_clip_shows_the_same_rays(tmp_path: Path) -> None:
    clip = share_directory() / "models" / "clips" / "walk.mp4"
    with (
        VideoReader(VideoConfig(str(clip))) as whole,
        VideoReader(VideoConfig(str(letterbox(clip, (640, 480), tmp_path)))) as boxed,
    ):
        assert (boxed.camera.width, boxed.camera.height) == (640, 480)
        assert boxed.announced_frames == whole.announced_frames
        assert np.allclose(boxed.camera.T_wc, whole.camera.T_wc)
        corners = np.array([[-0.5, -0.5], [1279.5, 379.5]])
        placed = np.array([[-0.5, 144.5], [639.5, 334.5]])
        assert np.allclose(pixels_to_rays(whole.camera, corners)[0], pixels_to_rays(boxed.camera, placed)[0])
    assert yaml.safe_load((tmp_path / "walk.camera.yaml").read_text())["person_height_m"] == 1.65
