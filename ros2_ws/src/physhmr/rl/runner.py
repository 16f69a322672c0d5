"""Glue to rsl-rl: the PPO configuration, and a runner that can stop and go on."""

from __future__ import annotations

from pathlib import Path

import torch
from rsl_rl.env import VecEnv
from rsl_rl.runners import OnPolicyRunner


def ppo_config(save_interval: int = 25) -> dict[str, object]:
    """The configuration of rsl-rl's PPO for the tracking expert."""
    network = {"class_name": "MLPModel", "activation": "elu", "obs_normalization": True}
    return {
        "seed": 0,
        "num_steps_per_env": 16,
        "save_interval": save_interval,
        "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
        "check_for_nan": True,
        "actor": network
        | {
            "hidden_dims": [512, 256, 128],
            "distribution_cfg": {"class_name": "GaussianDistribution", "init_std": 0.25, "std_type": "log"},
        },
        "critic": network | {"hidden_dims": [512, 256, 128]},
        "algorithm": {
            "class_name": "PPO",
            "num_learning_epochs": 4,
            "num_mini_batches": 4,
            "clip_param": 0.2,
            "gamma": 0.97,
            "lam": 0.95,
            "value_loss_coef": 1.0,
            "entropy_coef": 0.0,
            "learning_rate": 5e-4,
            "schedule": "adaptive",
            "desired_kl": 0.02,
            "max_grad_norm": 1.0,
            "use_clipped_value_loss": True,
        },
    }


def latest_checkpoint(log_dir: Path) -> Path | None:
    """The checkpoint with the highest iteration in `log_dir`, or None."""
    found = sorted(log_dir.glob("model_*.pt"), key=lambda path: int(path.stem.split("_")[1]))
    return found[-1] if found else None


def make_runner(env: VecEnv, log_dir: Path, resume: bool = True) -> OnPolicyRunner:
    """A runner that writes to `log_dir` and, with `resume`, goes on from its latest checkpoint."""
    torch.manual_seed(0)
    runner = OnPolicyRunner(env, ppo_config(), str(log_dir), device="cpu")
    checkpoint = latest_checkpoint(log_dir) if resume else None
    if checkpoint is not None:
        runner.load(str(checkpoint))
    return runner
