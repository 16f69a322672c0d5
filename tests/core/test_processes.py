"""Two processes train one policy under torchrun, as they do on several GPUs: on the CPU, with gloo."""

from __future__ import annotations

import os
import subprocess
import sys
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
from physhmr.errors import ConfigError  # noqa: E402
from physhmr.motion.library import LibraryClip, save_library  # noqa: E402
from physhmr.types import MotionClip  # noqa: E402

HERE = Path(__file__).parent
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def together(library: Path, folder: Path, iterations: int) -> tuple[str, list[dict[str, Any]]]:
    """What two processes printed, and what each tells of itself."""
    command = [*TORCHRUN, str(HERE / "train_together.py"), str(library), str(folder), str(iterations)]
    sources = {"PYTHONPATH": str(HERE.parents[1] / "ros2_ws" / "src"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | sources)
    assert done.returncode == 0, done.stderr
    return done.stdout, [torch.load(folder / f"told_{rank}.pt", weights_only=True) for rank in range(2)]


def equal(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
@pytest.mark.timeout(900)  # each process imports torch, beside other work
def test_two_processes_train_one_policy(tmp_path: Path) -> None:
    library = tmp_path / "library.npz"
    qpos = np.tile(standing_qpos(Skeleton()), (90, 1))
    save_library(library, [LibraryClip(MotionClip("stand", 30.0, qpos, "test"), "core", "train")])
    data_command("lift", library, views=1)
    printed, (first, second) = together(library, tmp_path, 2)
    assert printed.count("expert: begins") == 1 and printed.count("0/1  return") == 1
    # Each has seen something else, and both have learned from both; what normalises observations counts, too.
    assert not torch.equal(first["start"], second["start"]) and not torch.equal(first["own"], second["own"])
    torch.testing.assert_close(first["used"], 0.5 * (first["own"] + second["own"]))
    assert torch.equal(first["used"], second["used"])
    assert equal(first["weights"], second["weights"]) and equal(first["critic"], second["critic"])
    saved = torch.load(tmp_path / "run" / "model_1.pt", weights_only=True)
    assert equal(saved["actor_state_dict"], first["weights"])
    assert len(list((tmp_path / "run").glob("events.*"))) == 1
    printed, (again, other) = together(library, tmp_path, 1)
    assert printed.count("expert: resumed after 2 iterations") == 1 and "those of the other processes" in printed
    # The first process's environments go on, the other's begin afresh.
    assert torch.equal(again["start"], saved["infos"]["environments"]["qpos"])
    assert not torch.equal(other["start"], again["start"])
    assert equal(again["weights"], other["weights"]) and not equal(again["weights"], first["weights"])


def test_the_encoder_is_trained_by_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="stage"):
        train_command("encoder", tmp_path / "library.npz", tmp_path)
