"""Clips: velocities against analytic motion and MuJoCo's integration, mirroring, files."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import build_model, standing_qpos
from physhmr.body.skeleton import HINGE_NAMES, Skeleton
from physhmr.errors import MotionFileError, NonFiniteError, ShapeError
from physhmr.geometry.rotation import rotvec_to_quat
from physhmr.motion.clip import (
    at_tempo,
    clip_velocities,
    load_clips,
    load_labelled_clips,
    mirror_clip,
    mirror_qpos,
    save_clips,
)
from physhmr.types import MotionClip

FPS = 30.0
RNG = np.random.default_rng(0)


def smooth_clip(frames: int = 60, name: str = "smooth") -> MotionClip:
    """Sines in every coordinate, a root that turns about a fixed axis."""
    time = np.arange(frames)[:, None] / FPS
    qpos = np.zeros((frames, 76))
    qpos[:, :3] = 0.3 * np.sin(time * [1.0, 1.5, 2.0])
    qpos[:, 3:7] = rotvec_to_quat(time * np.array([0.3, -0.2, 0.5]))
    qpos[:, 7:] = 0.4 * np.sin(time * np.linspace(0.5, 3.0, 69))
    return MotionClip(name, FPS, qpos, "made up")


def test_velocities_of_analytic_motion() -> None:
    clip, time = smooth_clip(), np.arange(60)[:, None] / FPS
    velocity = clip_velocities(clip.qpos, FPS)
    inside = slice(1, -1)
    np.testing.assert_allclose(
        velocity[inside, :3], (0.3 * np.cos(time * [1.0, 1.5, 2.0]) * [1.0, 1.5, 2.0])[inside], atol=1e-3
    )
    # Turning about a fixed axis, the angular velocity is the same in the body as in the world.
    np.testing.assert_allclose(velocity[:, 3:6], np.tile([0.3, -0.2, 0.5], (60, 1)), atol=1e-9)
    rates = np.linspace(0.5, 3.0, 69)
    np.testing.assert_allclose(velocity[inside, 6:], (0.4 * np.cos(time * rates) * rates)[inside], atol=3e-3)


def test_velocity_integrates_to_the_next_pose() -> None:
    """In MuJoCo's own convention, root rotation included."""
    model = build_model()
    first = standing_qpos(Skeleton())
    first[3:7] = rotvec_to_quat(np.array([0.4, 0.8, -0.3]))
    rate = RNG.normal(size=75)
    second = first.copy()
    mujoco.mj_integratePos(model, second, rate, 1 / FPS)
    np.testing.assert_allclose(clip_velocities(np.stack([first, second]), FPS), np.tile(rate, (2, 1)), atol=1e-9)


@pytest.mark.parametrize("tempo", [0.8, 1.0, 1.7])
def test_tempo_scales_time_and_velocity_and_nothing_else(tempo: float) -> None:
    clip = smooth_clip()
    changed = at_tempo(clip, tempo)
    assert len(changed.qpos) == int(59 / tempo) + 1
    np.testing.assert_allclose(changed.qpos[0], clip.qpos[0], atol=1e-12)
    # Where both clips have a frame they agree.
    every = np.arange(0, len(changed.qpos), 10)
    at = np.round(every * tempo).astype(int)
    np.testing.assert_allclose(changed.qpos[every], clip.qpos[at], atol=1e-9)
    speed, faster = clip_velocities(clip.qpos, FPS), clip_velocities(changed.qpos, FPS)
    np.testing.assert_allclose(faster[every[1:-1]], tempo * speed[at[1:-1]], atol=0.02)


def test_mirroring_twice_changes_nothing() -> None:
    qpos = RNG.normal(size=(5, 76))
    np.testing.assert_allclose(mirror_qpos(mirror_qpos(qpos)), qpos, atol=1e-15)
    assert mirror_qpos(qpos) is not qpos and not np.allclose(mirror_qpos(qpos), qpos)


def test_mirroring_swaps_sides_and_keeps_ranges() -> None:
    low, high = Skeleton().ranges.T
    qpos = np.zeros(76)
    qpos[7:] = RNG.uniform(low, high)
    mirrored = mirror_qpos(qpos)
    assert ((mirrored[7:] >= low - 1e-12) & (mirrored[7:] <= high + 1e-12)).all()
    knee, other = HINGE_NAMES.index("L_Knee_y"), HINGE_NAMES.index("R_Knee_y")
    assert mirrored[7 + other] == qpos[7 + knee]
    assert mirrored[7 + HINGE_NAMES.index("Head_z")] == -qpos[7 + HINGE_NAMES.index("Head_z")]


def test_mirrored_velocities_are_velocities_of_the_mirrored() -> None:
    clip = smooth_clip()
    mirrored = clip_velocities(mirror_clip(clip).qpos, FPS)
    plain = clip_velocities(clip.qpos, FPS)
    np.testing.assert_allclose(mirrored[:, :3], plain[:, :3] * (1, -1, 1), atol=1e-9)
    # Angular velocity is an axial vector: it mirrors with the other signs.
    np.testing.assert_allclose(mirrored[:, 3:6], plain[:, 3:6] * (-1, 1, -1), atol=1e-9)


def test_file_round_trip(tmp_path: Path) -> None:
    clips = [smooth_clip(40, "a"), smooth_clip(25, "b")]
    save_clips(tmp_path / "deep" / "clips.npz", clips)
    for before, after in zip(clips, load_clips(tmp_path / "deep" / "clips.npz"), strict=True):
        assert (before.name, before.fps, before.source) == (after.name, after.fps, after.source)
        np.testing.assert_allclose(after.qpos, before.qpos, atol=1e-6)
        np.testing.assert_allclose(np.linalg.norm(after.qpos[:, 3:7], axis=1), 1.0, atol=1e-12)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["clips.npz"]


def test_labels_travel_with_the_clips(tmp_path: Path) -> None:
    save_clips(tmp_path / "c.npz", [smooth_clip(), smooth_clip()], {"splits": ["train", "validation"]})
    clips, (splits,) = load_labelled_clips(tmp_path / "c.npz", ("splits",))
    assert len(clips) == 2 and splits == ["train", "validation"]
    with pytest.raises(MotionFileError):
        load_labelled_clips(tmp_path / "c.npz", ("colours",))


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "evil.npz"
    np.savez(path, names=np.array([{"a": 1}], dtype=object), sources=1, fps=1, lengths=1, qpos=np.zeros((2, 76)))
    with pytest.raises(MotionFileError, match="not a clip file"):
        load_clips(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"\x93NUMPY"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.npz"
    path.write_bytes(content)
    with pytest.raises(MotionFileError, match=r"other\.npz"):
        load_clips(path)


def test_a_missing_file_and_an_empty_list_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MotionFileError, match=r"absent\.npz"):
        load_clips(tmp_path / "absent.npz")
    with pytest.raises(MotionFileError, match="no clips"):
        save_clips(tmp_path / "none.npz", [])


def test_clips_are_validated() -> None:
    with pytest.raises(ShapeError):
        MotionClip("one", FPS, np.zeros((1, 76)), "")
    with pytest.raises(NonFiniteError):
        MotionClip("nan", FPS, np.full((3, 76), np.nan), "")
    assert smooth_clip(61).duration == pytest.approx(2.0)
