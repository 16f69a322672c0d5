"""A training that was stopped goes on bit for bit as if it never had been: same checkpoints, of every stage."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("rsl_rl")
pytest.importorskip("tensorboard")

from physhmr.body.humanoid_mjcf import standing_qpos  # noqa: E402
from physhmr.body.skeleton import Skeleton  # noqa: E402
from physhmr.cli.data import main as data_command  # noqa: E402
from physhmr.cli.train import main as train_command  # noqa: E402
from physhmr.motion.library import LibraryClip, save_library  # noqa: E402
from physhmr.rl.runner import refinement_config  # noqa: E402
from physhmr.types import MotionClip  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small only lose by more threads, and much so beside other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two short clips of swaying arms and legs, seen by two cameras each."""
    path, clips = tmp_path_factory.mktemp("motion") / "library.npz", []
    for index, frames in enumerate((100, 120)):
        qpos = np.tile(standing_qpos(Skeleton()), (frames, 1))
        qpos[:, 7:] += 0.1 * np.sin((2.0 + index) * np.arange(frames) / 30.0)[:, None]
        clips.append(LibraryClip(MotionClip(f"sway_{index}", 30.0, qpos, "test"), "core", "train"))
    save_library(path, clips)
    data_command("lift", library=path, views=2)
    return path


def same(first: Any, second: Any) -> bool:
    """Whether both hold the same to the bit, NaN included."""
    if isinstance(first, torch.Tensor):
        return first.dtype == second.dtype and torch.equal(first.nan_to_num(), second.nan_to_num())
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second or (first != first and second != second)


def trained(stage: str, library: Path, folder: Path, *runs: int, **options: Any) -> dict[str, Any]:
    """The last checkpoint of runs of so many iterations, one after the other in the same folder."""
    for iterations in runs:
        train_command(stage, library, folder, num_envs=32, iterations=iterations, threads=2, **options)  # type: ignore[arg-type]
    return torch.load(folder / f"model_{sum(runs) - 1}.pt", weights_only=True)


def test_the_expert_resumes_to_the_bit(library: Path, tmp_path: Path) -> None:
    options = {"push_speed": 1.0, "reference_noise": 1.0}
    straight = trained("expert", library, tmp_path / "straight", 4, **options)
    stopped = trained("expert", library, tmp_path / "stopped", 2, 2, **options)
    # Episodes have ended, and others were on their way when the checkpoint was written.
    assert straight["infos"]["episodes"]["returns"] and straight["infos"]["environments"]["episode_length_buf"].any()
    assert same(straight, stopped)
    assert not same(straight, torch.load(tmp_path / "straight" / "model_0.pt", weights_only=True))


@pytest.mark.parametrize("stage", ["distill", "refine"])
def test_the_vision_policy_resumes_to_the_bit(
    library: Path, tmp_path: Path, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = refinement_config()
    # The actor moves before the training is stopped.
    config["algorithm"] |= {"critic_warm_up": 1}
    monkeypatch.setattr("physhmr.rl.runner.refinement_config", lambda: deepcopy(config))
    trained("expert", library, tmp_path / "expert", 1)
    teacher = {"teacher": tmp_path / "expert" / "model_0.pt"}
    straight = trained(stage, library, tmp_path / "straight", 4, **teacher)
    assert same(straight, trained(stage, library, tmp_path / "stopped", 2, 2, **teacher))
