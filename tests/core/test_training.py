"""Training: it resumes, keeps few checkpoints and the best one, tells its progress, and dumps explosions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("rsl_rl")
pytest.importorskip("tensorboard")

from physhmr.body.humanoid_mjcf import standing_qpos  # noqa: E402
from physhmr.body.skeleton import Skeleton  # noqa: E402
from physhmr.cli.data import main as data_command  # noqa: E402
from physhmr.cli.train import main as train_command  # noqa: E402
from physhmr.errors import ConfigError, ModelFileError, MotionFileError  # noqa: E402
from physhmr.motion.library import LibraryClip, save_library  # noqa: E402
from physhmr.policy.action import NUM_ACTIONS  # noqa: E402
from physhmr.policy.kinematics import Kinematics  # noqa: E402
from physhmr.rl.env import TrackingEnv, TrackingEnvCfg  # noqa: E402
from physhmr.rl.reference_bank import ReferenceBank  # noqa: E402
from physhmr.rl.runner import load_actor, ppo_config  # noqa: E402
from physhmr.rl.training import BEST, KEPT, Progress, ResumableRunner  # noqa: E402
from physhmr.sim.nan_guard import NanGuard  # noqa: E402
from physhmr.types import MotionClip  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small only lose by more threads, and much so beside other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Frozen:
    """No physics at all."""

    def step(self, qpos: np.ndarray, qvel: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return qpos.copy(), 0.0 * qvel


def standing_clip(frames: int = 200) -> MotionClip:
    return MotionClip("stand", 30.0, np.tile(standing_qpos(Skeleton()), (frames, 1)), "test")


def runner(folder: Path, told: list[Progress] | None = None, frames: int = 200, num_envs: int = 16) -> ResumableRunner:
    with torch.no_grad():
        bank = ReferenceBank.from_clips([standing_clip(frames)], Kinematics(Skeleton()))
    env = TrackingEnv(TrackingEnvCfg(num_envs=num_envs, episode_steps=3), bank, Frozen(), Skeleton())
    return ResumableRunner(env, ppo_config(save_interval=1), folder, (told if told is not None else []).append)


def test_progress_is_told_once_an_iteration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told: list[Progress] = []
    runner(tmp_path, told).learn(3)
    assert [progress.iteration for progress in told] == [0, 1, 2]
    assert told[-1].remaining_s == 0.0 < told[0].remaining_s
    assert told[0].steps_per_second > 0 and told[0].episode_steps == pytest.approx(3.0, abs=1.0)
    assert set(told[0].log) == {"/distance_mm", "/failures_per_1000", "/hard_failures_per_1000"}
    assert "Learning iteration" not in capsys.readouterr().out


def test_only_the_newest_and_the_best_checkpoints_stay(tmp_path: Path) -> None:
    runner(tmp_path).learn(5)
    assert sorted(path.name for path in tmp_path.glob("*.pt*")) == [BEST, "model_3.pt", "model_4.pt"]
    assert KEPT == 2


def test_resumed_training_goes_on_where_it_stopped(tmp_path: Path) -> None:
    first = runner(tmp_path)
    first.env.bank.failure[:] = torch.linspace(0, 1, len(first.env.bank.failure))
    first.learn(2)
    second = runner(tmp_path)
    assert second.resume() == 2 and not second.begun_afresh
    for before, after in zip(
        first.alg.save()["actor_state_dict"].values(), second.alg.save()["actor_state_dict"].values()
    ):
        torch.testing.assert_close(after, before)
    torch.testing.assert_close(second.env.bank.failure, first.env.bank.failure)
    assert second._best == first._best > float("-inf")
    told: list[Progress] = []
    third = runner(tmp_path, told)
    third.resume()
    third.learn(2)
    assert [progress.iteration for progress in told] == [2, 3]


def test_a_training_learns_at_the_rate_asked_for_and_goes_on_at_it(tmp_path: Path) -> None:
    runner(tmp_path).learn(1)
    slow = runner(tmp_path)
    slow.resume()
    slow.learn_at(1e-9)
    before = [weight.detach().clone() for weight in slow.alg.actor.mlp.parameters()]
    slow.learn(1)
    resumed = runner(tmp_path)
    resumed.resume()
    resumed.learn(1)
    # Adam moves a weight by about the rate in a step, of which an iteration has 24.
    moved = [(after - weight).abs().max() for after, weight in zip(resumed.alg.actor.mlp.parameters(), before)]
    assert 0.0 < max(moved) < 1e-6


def test_failures_of_another_library_are_forgotten(tmp_path: Path) -> None:
    runner(tmp_path).learn(1)
    other = runner(tmp_path, frames=400)
    assert other.resume() == 1 and "another library" in other.begun_afresh
    assert (other.env.bank.failure == 0.5).all()
    other.learn(1)


def test_another_number_of_environments_begins_afresh(tmp_path: Path) -> None:
    first = runner(tmp_path)
    first.learn(1)
    other = runner(tmp_path, num_envs=8)
    assert other.resume() == 1 and "num_envs" in other.begun_afresh
    assert torch.equal(other.env.bank.steps, first.env.bank.steps)
    other.learn(1)


def test_older_checkpoints_resume_without_the_environments(tmp_path: Path) -> None:
    runner(tmp_path).learn(1)
    saved = torch.load(tmp_path / "model_0.pt", weights_only=True)
    for name in ("environments", "random", "episodes"):
        del saved["infos"][name]
    torch.save(saved, tmp_path / "model_0.pt")
    other = runner(tmp_path)
    assert other.resume() == 1 and "older" in other.begun_afresh
    other.learn(1)


def test_an_empty_folder_starts_from_scratch(tmp_path: Path) -> None:
    assert runner(tmp_path).resume() == 0


def test_checkpoints_are_those_that_export_reads(tmp_path: Path) -> None:
    runner(tmp_path).learn(1)
    network, iteration = load_actor(tmp_path / "model_0.pt")
    assert iteration == 0 and network(torch.zeros(1, 580)).shape == (1, NUM_ACTIONS)


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('a checkpoint ran code')",))


def test_checkpoints_that_would_run_code_are_refused(tmp_path: Path) -> None:
    torch.save({"actor_state_dict": Bomb(), "iter": 3, "infos": None}, tmp_path / "model_3.pt")
    with pytest.raises(ModelFileError, match=r"model_3\.pt is not a readable checkpoint"):
        runner(tmp_path).resume()


@pytest.mark.parametrize("content", [b"", b"nonsense"])
def test_damaged_checkpoints_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model_3.pt").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"model_3\.pt"):
        runner(tmp_path).resume()


class Exploding(Frozen):
    """Environment 2 explodes in every third step."""

    steps = 0

    def step(self, qpos: np.ndarray, qvel: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.steps += 1
        after = qpos.copy()
        if self.steps % 3 == 0:
            after[2] = np.nan
        return after, qvel


def test_explosions_are_dumped_with_their_past_and_passed_on(tmp_path: Path) -> None:
    guard = NanGuard(Exploding(), tmp_path / "dumps", max_dumps=2)
    for step in range(12):
        qpos = np.full((4, 76), float(step))
        after, _ = guard.step(qpos, np.zeros((4, 75)), np.zeros((4, 69)))
        assert np.isnan(after[2]).all() == ((step + 1) % 3 == 0) and np.isfinite(after[:2]).all()
    assert guard.explosions == 4
    assert sorted(path.name for path in (tmp_path / "dumps").iterdir()) == ["exploded_0.npz", "exploded_1.npz"]
    with np.load(tmp_path / "dumps" / "exploded_1.npz") as dump:
        assert dump["environments"].tolist() == [2]
        np.testing.assert_array_equal(dump["qpos"][:, 0, 0], np.arange(6))


def test_the_command_trains_on_the_training_split_and_resumes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library, folder = tmp_path / "library.npz", tmp_path / "run"
    save_library(library, [LibraryClip(standing_clip(90), "core", split) for split in ("train", "validation")])
    with pytest.raises(ConfigError, match="physhmr data lift"):
        train_command("expert", library, folder, num_envs=8)
    data_command("lift", library, views=1)
    train_command("expert", library, folder, num_envs=8, iterations=2, threads=1)
    first = capsys.readouterr().out
    assert "1 clips, 0.0 min" in first and "expert: begins" in first and "left" in first
    train_command("expert", library, folder, num_envs=8, iterations=1, threads=1)
    assert "resumed after 2 iterations" in capsys.readouterr().out
    train_command("expert", library, folder, num_envs=4, iterations=1, threads=1)
    assert "environments begin afresh: parameter 'num_envs'" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="fresh"):
        train_command("expert", library, folder, fresh=True)
    with pytest.raises(MotionFileError, match="no wide train clips"):
        train_command("expert", library, tmp_path / "other", category="wide", num_envs=8)
    with pytest.raises(ConfigError, match="num_envs"):
        train_command("expert", library, folder, num_envs=0)
    with pytest.raises(ConfigError, match="learning_rate"):
        train_command("expert", library, folder, learning_rate=0.0)
    with pytest.raises(ConfigError, match="student"):
        train_command("distill", library, folder, student=tmp_path / "vision.onnx")
    with pytest.raises(ConfigError, match="friction_spread"):
        train_command("expert", library, tmp_path / "other", num_envs=8, friction_spread=1.0)
