"""One of several processes of `physhmr train expert`: tells what its first gradients and its last weights were."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from rsl_rl.algorithms import PPO

from physhmr.cli.train import main
from physhmr.rl.processes import rank
from physhmr.rl.training import ResumableRunner

told: dict[str, Any] = {}
reduce, learn = PPO.reduce_parameters, ResumableRunner.learn


def gradients(algorithm: PPO) -> torch.Tensor:
    return torch.cat([value.grad.flatten() for value in algorithm.actor.parameters()])


def watched_reduce(algorithm: PPO) -> None:
    own = gradients(algorithm)
    reduce(algorithm)
    told.setdefault("own", own)
    told.setdefault("used", gradients(algorithm).clone())


def watched_learn(runner: ResumableRunner, iterations: int) -> None:
    told["start"] = runner.env.state()["qpos"]
    learn(runner, iterations)
    told["weights"] = {name: value.clone() for name, value in runner.alg.save()["actor_state_dict"].items()}
    told["critic"] = {name: value.clone() for name, value in runner.alg.save()["critic_state_dict"].items()}


PPO.reduce_parameters, ResumableRunner.learn = watched_reduce, watched_learn  # type: ignore[method-assign,assignment]
library, folder = map(Path, sys.argv[1:3])
main("expert", library, folder / "run", num_envs=8, iterations=int(sys.argv[3]), threads=1)
torch.save(told, folder / f"told_{rank()}.pt")
