"""A training that can be stopped and resumed: one line an iteration, the newest and the best checkpoint kept.

Resumed, it goes on bit for bit as if it had never stopped.
"""

from __future__ import annotations

import contextlib
import io
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rsl_rl.runners import OnPolicyRunner
from rsl_rl.utils.logger import Logger

from physhmr.errors import ConfigError, ModelFileError
from physhmr.rl import processes
from physhmr.rl.checkpoint import read_checkpoint
from physhmr.rl.env import TrackingEnv
from physhmr.rl.runner import latest_checkpoint

BEST = "best.pt"
KEPT = 2
"""Newest checkpoints that stay: the last one may be half written when the machine stops."""


@dataclass(frozen=True)
class Progress:
    """Where a training stands after an iteration."""

    iteration: int
    last_iteration: int
    steps_per_second: float
    remaining_s: float
    mean_return: float
    """Of the last hundred episodes; NaN before the first has ended."""
    episode_steps: float
    log: Mapping[str, float]
    """What the environment logged, averaged over the iteration."""


class ResumableRunner(OnPolicyRunner):
    """rsl-rl's runner that tells its progress, keeps few checkpoints, and resumes as if it had never stopped."""

    begun_afresh = ""
    """Why, after `resume`, environments begin afresh and only the networks go on; empty: all of them go on."""

    def __init__(
        self, env: TrackingEnv, config: dict[str, Any], log_dir: Path, report: Callable[[Progress], None]
    ) -> None:
        # Processes that train together explore differently; they begin with the first one's networks.
        torch.manual_seed(config["seed"] + processes.rank())
        with contextlib.redirect_stdout(io.StringIO()):
            super().__init__(env, config, str(log_dir), device="cpu")
        self._log_dir, self._bank, self._best = log_dir, env.bank, float("-inf")
        self._random: torch.Tensor | None = None
        self.logger = _ReportingLogger(
            report, str(log_dir), self.cfg, env.cfg, env.num_envs,
            self.is_distributed, self.gpu_world_size, self.gpu_global_rank, self.device,
        )  # fmt: skip

    def _configure_multi_gpu(self) -> None:
        """Join the other processes, if any. rsl-rl would insist on GPUs and nccl; our networks are on the CPU."""
        self.gpu_world_size, self.gpu_global_rank = processes.count(), processes.rank()
        self.is_distributed, self.gpu_local_rank = self.gpu_world_size > 1, processes.local_rank()
        self.cfg["multi_gpu"] = None
        if self.is_distributed:
            torch.distributed.init_process_group("gloo")
            self.cfg["multi_gpu"] = {
                "global_rank": self.gpu_global_rank,
                "local_rank": self.gpu_local_rank,
                "world_size": self.gpu_world_size,
            }

    def resume(self) -> int:
        """Go on from the newest checkpoint in the folder; return how many iterations are done."""
        checkpoint = latest_checkpoint(self._log_dir)
        if checkpoint is None:
            return 0
        self.load(str(checkpoint))
        best = self._log_dir / BEST
        if best.is_file():
            self._best = float(read_checkpoint(best)["infos"]["mean_return"])
        return self.current_learning_iteration

    def load(
        self, path: str, load_cfg: dict | None = None, strict: bool = True, map_location: str | None = None
    ) -> dict:
        """Read a checkpoint without unpickling code; raises `ModelFileError` when it is damaged or another one."""
        saved = read_checkpoint(Path(path))
        try:
            self.alg.load(saved, load_cfg, strict)
            # What was saved after an iteration goes on with the next one.
            self.current_learning_iteration, infos = int(saved["iter"]) + 1, dict(saved["infos"] or {})
        except (KeyError, RuntimeError, TypeError) as error:
            raise ModelFileError(f"{path} is not a checkpoint of this network: {error}") from error
        self.begun_afresh = self._go_on(infos)
        return infos

    def learn_at(self, rate: float) -> None:
        """Set the learning rate, which a checkpoint's optimizer has brought otherwise."""
        self.alg.learning_rate = rate
        for group in self.alg.optimizer.param_groups:
            group["lr"] = rate

    def learn(self, num_learning_iterations: int, init_at_random_ep_len: bool = False) -> None:
        """Run so many iterations."""
        # Only now: who prepares a resumed training, such as its teacher's network, draws random numbers.
        if self._random is not None:
            torch.set_rng_state(self._random)
            self._random = None
        super().learn(num_learning_iterations, init_at_random_ep_len)

    def _go_on(self, infos: dict[str, Any]) -> str:
        """Let environments, statistics and random numbers go on from a checkpoint; return why not, if not."""
        # What failed in another library says nothing about this one.
        same_library = "steps" in infos and torch.equal(infos["clip_frames"], self._bank.length)
        if same_library:
            self._bank.failure.copy_(infos["failure"])
            self._bank.steps.copy_(infos["steps"])
        if "environments" not in infos:
            return "the checkpoint is an older one, without them"
        if not same_library:
            return "the checkpoint's are in another library"
        if self.gpu_global_rank:
            return "the checkpoint's are those of the first process"
        try:
            self.env.restore(infos["environments"])
        except ConfigError as error:
            return str(error)
        self._random = infos["random"]
        self.logger.restore(infos["episodes"])
        return "those of the other processes, of which a checkpoint knows nothing" if self.is_distributed else ""

    def save(self, path: str, infos: dict | None = None) -> None:
        """Write a checkpoint, copy it if it is the best so far, and remove older ones."""
        mean_return = _mean(self.logger.rewbuffer)
        bank = self._bank
        notes = {"mean_return": mean_return, "clip_frames": bank.length}
        notes |= {"failure": bank.failure.clone(), "steps": bank.steps.clone()}
        notes |= {"environments": self.env.state(), "random": torch.get_rng_state()}
        notes |= {"episodes": self.logger.state()}
        unfinished = Path(path + ".unfinished")
        super().save(str(unfinished), notes | (infos or {}))
        unfinished.replace(path)
        if mean_return > self._best and len(self.logger.rewbuffer) == self.logger.rewbuffer.maxlen:
            self._best = mean_return
            unfinished.write_bytes(Path(path).read_bytes())
            unfinished.replace(self._log_dir / BEST)
        for old in sorted(self._log_dir.glob("model_*.pt"), key=_iteration)[:-KEPT]:
            old.unlink()


class _ReportingLogger(Logger):
    """Writes to TensorBoard as ever, but tells a function instead of printing a page."""

    def __init__(self, report: Callable[[Progress], None], *arguments: Any) -> None:
        super().__init__(*arguments)
        self._report = report

    def state(self) -> dict[str, Any]:
        """Returns and lengths of the last episodes, and of those that still run."""
        running = {"returns_so_far": self.cur_reward_sum.clone(), "steps_so_far": self.cur_episode_length.clone()}
        return {"returns": list(self.rewbuffer), "steps": list(self.lenbuffer)} | running

    def restore(self, state: Mapping[str, Any]) -> None:
        """As `state` told."""
        self.rewbuffer.extend(state["returns"])
        self.lenbuffer.extend(state["steps"])
        self.cur_reward_sum, self.cur_episode_length = state["returns_so_far"], state["steps_so_far"]

    def log(self, it: int, start_it: int, total_it: int, collect_time: float, learn_time: float, **rest: Any) -> None:
        """Log one iteration."""
        if self.disable_logs:
            return
        logged = _averages(self.ep_extras)
        with contextlib.redirect_stdout(io.StringIO()):
            super().log(it, start_it, total_it, collect_time, learn_time, **rest)
        steps = self.cfg["num_steps_per_env"] * self.num_envs * self.gpu_world_size
        per_iteration = self.tot_time / (it + 1 - start_it)
        self._report(
            Progress(
                iteration=it,
                last_iteration=total_it - 1,
                steps_per_second=steps / (collect_time + learn_time),
                remaining_s=per_iteration * (total_it - 1 - it),
                mean_return=_mean(self.rewbuffer),
                episode_steps=_mean(self.lenbuffer),
                log=logged,
            )
        )


def _averages(entries: list[dict[str, Any]]) -> dict[str, float]:
    names = {name for entry in entries for name in entry}
    return {name: statistics.mean(float(entry[name]) for entry in entries if name in entry) for name in sorted(names)}


def _mean(values: Any) -> float:
    return statistics.mean(values) if values else float("nan")


def _iteration(path: Path) -> int:
    return int(path.stem.split("_")[1])
