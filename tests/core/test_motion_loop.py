"""A looped clip goes on: same speed, same cycle, no jumps."""

from __future__ import annotations

import numpy as np
import pytest

from physhmr.errors import MotionFileError
from physhmr.geometry.rotation import yaw_of, yaw_quat
from physhmr.motion.loop import best_cycle, loop_clip
from physhmr.types import NQ, MotionClip


def walking(frames: int, period: int = 30, turn: float = 0.0) -> MotionClip:
    """A synthetic walk: hinges swing with `period`, the root advances 1 m/s and turns at `turn` rad/s."""
    time = np.arange(frames) / 30.0
    qpos = np.zeros((frames, NQ))
    heading = turn * time
    qpos[:, 0] = np.sin(heading) / turn if turn else time
    qpos[:, 1] = (1 - np.cos(heading)) / turn if turn else 0.0
    qpos[:, 2] = 0.95
    qpos[:, 3:7] = yaw_quat(heading)
    qpos[:, 7:] = 0.5 * np.sin(2 * np.pi * np.arange(frames)[:, None] / period + np.arange(69))
    return MotionClip("walk", 30.0, qpos, "synthetic")


def test_the_cycle_is_found() -> None:
    start, end = best_cycle(walking(80))
    assert (end - start) % 30 == 0


@pytest.mark.parametrize("turn", [0.0, 0.4])
def test_looping_continues_the_motion(turn: float) -> None:
    looped, straight = loop_clip(walking(80, turn=turn), 20.0), walking(601, turn=turn)
    assert looped.duration == pytest.approx(20.0)
    step = np.linalg.norm(np.diff(looped.qpos[:, :2], axis=0), axis=1)
    assert np.allclose(step, 1 / 30, atol=1e-3)
    assert (
        np.abs(np.diff(looped.qpos[:, 7:], axis=0)).max() <= np.abs(np.diff(straight.qpos[:, 7:], axis=0)).max() + 1e-6
    )


def test_who_stands_stays_there() -> None:
    """Somebody who sways by 2 cm a second and turns a little: after ten minutes they are where they were."""
    clip = walking(80)
    qpos = clip.qpos.copy()
    qpos[:, 0] *= 0.02
    qpos[:, 3:7] = yaw_quat(0.01 * np.arange(80))
    looped = loop_clip(MotionClip("sway", 30.0, qpos, "synthetic"), 600.0)
    assert np.ptp(looped.qpos[:, 0]) < 0.06
    assert np.abs(np.diff(looped.qpos[:, 0])).max() < 0.02
    assert yaw_of(looped.qpos[:, 3:7]).max() < 0.9


def test_too_short_a_clip_is_refused() -> None:
    with pytest.raises(MotionFileError, match="cycle"):
        loop_clip(walking(10), 20.0)
