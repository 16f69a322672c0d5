"""`physhmr train`: learn the tracking expert or the motion encoder; stop it any time, it goes on from there."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from physhmr.errors import ConfigError

if TYPE_CHECKING:
    from physhmr.rl.env import TrackingEnv, TrackingEnvCfg
    from physhmr.rl.training import Progress
    from physhmr.sim.batch_sim import BatchSim


def main(
    what: Annotated[Literal["expert", "encoder"], tyro.conf.Positional],
    library: Path = Path("out/motion/library.npz"),
    log_dir: Path | None = None,
    category: Literal["core", "wide", "all"] = "core",
    num_envs: int = 1024,
    iterations: int = 10_000,
    threads: int = 2,
    push_speed: float = 0.15,
    reference_noise: float = 0.4,
    lifted_share: float = 0.5,
    fresh: bool = False,
) -> None:
    """Train the expert with PPO, or the encoder on synthetic views.

    Checkpoints model_<iteration>.pt (newest) and best.pt, and TensorBoard's files, go to log_dir.

    Args:
        what: expert: follow a reference stream with physics only. encoder: from rays to a motion token.
        library: What `physhmr data build` wrote; its validation clips are left alone.
        log_dir: Where the training lives; default: out/train/<what>. When it holds a checkpoint, it goes on from it.
        category: Which clips to train on.
        num_envs: Humanoids simulated side by side. These and the following options are the expert's.
        iterations: Iterations of this run.
        threads: Simulation threads.
        push_speed: Standard deviation of the random kicks, m/s.
        reference_noise: 0: perfect references; 1: as bad as the worst lifting.
        lifted_share: Of the episodes: those that follow what `physhmr data lift` made of the clips.
        fresh: Start anew; refused when log_dir holds checkpoints.
    """
    # Only this command needs torch's training side.
    import torch

    # Products in bfloat16 where the processor has them: learning takes half the time.
    torch.set_float32_matmul_precision("medium")
    _check_counts(num_envs=num_envs, iterations=iterations, threads=threads)
    log_dir = log_dir or Path("out", "train", what)
    if what == "encoder":
        return _train_encoder(library, category, log_dir, iterations)

    from physhmr.body.humanoid_mjcf import build_model
    from physhmr.rl.env import TrackingEnvCfg
    from physhmr.rl.reference_noise import ReferenceNoiseCfg
    from physhmr.rl.runner import latest_checkpoint
    from physhmr.rl.training import ExpertRunner
    from physhmr.sim.batch_sim import ThreadedSim
    from physhmr.sim.nan_guard import NanGuard

    if fresh and latest_checkpoint(log_dir) is not None:
        raise ConfigError("fresh", "needs a log_dir without checkpoints", str(log_dir))
    sim = ThreadedSim(build_model(), threads)
    try:
        cfg = TrackingEnvCfg(
            num_envs=num_envs,
            push_speed=push_speed,
            lifted_share=lifted_share,
            noise=ReferenceNoiseCfg(strength=reference_noise),
        )
        env = _environment(library, category, cfg, NanGuard(sim, log_dir / "dumps"))
        runner = ExpertRunner(env, log_dir, _print)
        started = runner.resume()
        print(f"{what}: {'resumed at iteration ' + str(started) if started else 'from scratch'}, {log_dir}")
        runner.learn(iterations)
    finally:
        sim.close()


def _train_encoder(library: Path, category: str, log_dir: Path, iterations: int) -> None:
    from physhmr.motion.library import load_library
    from physhmr.rl.encoder_training import EncoderTraining, EncoderTrainingCfg

    clips = load_library(library, "train", None if category == "all" else category)  # type: ignore[arg-type]
    training = EncoderTraining(clips, EncoderTrainingCfg(), log_dir)
    print(f"{len(clips)} clips; encoder: at iteration {training.iteration}, {log_dir}")
    training.run(iterations, lambda line: print(line, flush=True))


def _environment(library: Path, category: str, cfg: TrackingEnvCfg, sim: BatchSim) -> TrackingEnv:
    """The clips, and what cameras made of them, as one environment."""
    import torch

    from physhmr.body.skeleton import Skeleton
    from physhmr.motion.library import load_library
    from physhmr.motion.lifted import load_views, views_path
    from physhmr.policy.kinematics import Kinematics
    from physhmr.rl.env import TrackingEnv
    from physhmr.rl.reference_bank import ReferenceBank

    clips = load_library(library, "train", None if category == "all" else category)  # type: ignore[arg-type]
    views = []
    if cfg.lifted_share > 0.0:
        if not views_path(library).is_file():
            raise ConfigError("lifted_share", "above 0 needs `physhmr data lift` first", cfg.lifted_share)
        views = load_views(views_path(library), clips)
    print(f"{len(clips)} clips, {sum(clip.duration for clip in clips) / 60:.1f} min")
    with torch.no_grad():
        bank = ReferenceBank.from_clips(clips, Kinematics(Skeleton()), views)
    return TrackingEnv(cfg, bank, sim, Skeleton())


def _check_counts(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise ConfigError(name, "must be at least 1", count)


def _print(progress: Progress) -> None:
    """One line an iteration."""
    logged = ", ".join(f"{name.strip('/')} {value:.1f}" for name, value in progress.log.items())
    remaining = datetime.timedelta(seconds=round(progress.remaining_s))
    print(
        f"{progress.iteration}/{progress.last_iteration}  return {progress.mean_return:6.1f}  "
        f"steps {progress.episode_steps:5.1f}  {logged}  {progress.steps_per_second:.0f}/s  {remaining} left",
        flush=True,
    )
