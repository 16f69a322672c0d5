"""`physhmr train`: learn expert, encoder or vision policy; stop it any time, it goes on from there."""

from __future__ import annotations

import datetime
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from physhmr.errors import ConfigError
from physhmr.rl import processes

if TYPE_CHECKING:
    from physhmr.rl.env import TrackingEnv, TrackingEnvCfg
    from physhmr.rl.training import Progress
    from physhmr.sim.batch_sim import BatchSim, ThreadedSim
    from physhmr.sim.warp_sim import WarpSim


Stage = Literal["expert", "encoder", "distill", "refine"]


def main(
    stage: Annotated[Stage, tyro.conf.Positional],
    library: Path = Path("out/motion/library.npz"),
    log_dir: Path | None = None,
    category: Literal["core", "wide", "all"] = "core",
    iterations: int = 10_000,
    num_envs: int = 1024,
    learning_rate: float | None = None,
    threads: int = 2,
    back_end: Literal["threads", "warp"] = "threads",
    push_speed: float = 0.15,
    friction_spread: float = 0.3,
    reference_noise: float = 0.4,
    lifted_share: float = 0.5,
    teacher: Path = Path("out/train/expert/best.pt"),
    student: Path | None = None,
    seen: Literal["rays", "root"] = "rays",
    guided: bool = True,
    fresh: bool = False,
) -> None:
    """Train the expert with PPO, the encoder on synthetic views, or the vision policy: distill it, then refine it.

    Checkpoints model_<iteration>.pt (newest) and best.pt, and TensorBoard's files, go to log_dir. Several processes
    train expert or vision policy together: `torchrun --nproc-per-node 2 -m physhmr.cli train ...`.

    Args:
        stage: expert: follow a reference stream with physics only. encoder: from rays to a motion token.
            distill: the vision policy does as the expert says (DAgger). refine: the vision policy by PPO.
        library: What `physhmr data build` wrote; its validation clips are left alone.
        log_dir: Where the training lives; default: out/train/<stage>. When it holds a checkpoint, it goes on from it.
        category: Which clips to train on.
        iterations: Iterations of this run.
        num_envs: Humanoids simulated side by side by each process. This and the following are not the encoder's.
        learning_rate: From this run on; None: the checkpoint's, or the stage's own.
        threads: Simulation threads of each process.
        back_end: threads: MuJoCo on the CPU; warp: mujoco_warp on an NVIDIA GPU (`pip install 'physhmr[warp]'`).
        push_speed: Standard deviation of the random kicks, m/s.
        friction_spread: The floors' friction is from 1 - this to 1 + this times the live humanoid's.
        reference_noise: For the expert; 0: perfect references; 1: as bad as the worst lifting.
        lifted_share: Of the expert's episodes: those that follow what `physhmr data lift` made of the clips.
        teacher: The expert's checkpoint or exported file, for distill and refine.
        student: Checkpoint or exported file to begin with: models/vision/vision.onnx, models/expert/expert.onnx or
            models/encoder/encoder.onnx go on from what is shipped. None: refine begins with the expert's network,
            expert and encoder with random weights.
        seen: What the vision policy sees beside the encoder's pose: rays, or only the root that they place.
        guided: Off: refine has no teacher; without a student it begins with random weights, to see what the expert is
            worth.
        fresh: Start anew; refused when log_dir holds checkpoints.
    """
    # Only this command needs torch's training side.
    import torch

    # Networks in bfloat16 where the processor has it: learning takes a third of the time.
    torch.set_float32_matmul_precision("medium")
    _check_counts(num_envs=num_envs, iterations=iterations, threads=threads)
    if learning_rate is not None and learning_rate <= 0.0:
        raise ConfigError("learning_rate", "must be above 0", learning_rate)
    if student is not None and stage == "distill":
        raise ConfigError("student", "is for the other stages; a distillation begins as its teacher", str(student))
    log_dir = log_dir or Path("out", "train", stage)
    rank = processes.rank()
    if rank:
        # One voice is enough.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if stage == "encoder":
        if processes.count() > 1:
            raise ConfigError("stage", "must be expert, distill or refine where several processes train", stage)
        return _train_encoder(library, category, log_dir, iterations, student)

    from physhmr.rl import runner
    from physhmr.rl.distillation import prepare_distillation, prepare_refinement
    from physhmr.rl.env import TrackingEnvCfg
    from physhmr.rl.reference_noise import ReferenceNoiseCfg
    from physhmr.rl.training import ResumableRunner
    from physhmr.sim.nan_guard import NanGuard

    if fresh and runner.latest_checkpoint(log_dir) is not None:
        raise ConfigError("fresh", "needs a log_dir without checkpoints", str(log_dir))
    configs = {
        "expert": runner.ppo_config if student is None else runner.continued_config,
        "distill": runner.distillation_config,
        "refine": runner.refinement_config,
    }
    sim = _simulation(back_end, threads, num_envs, friction_spread)
    try:
        cfg = TrackingEnvCfg(
            num_envs=num_envs,
            # What one camera cannot know must not end an episode: depth is easily 0.3 m off.
            max_distance=0.35 if stage == "expert" else 0.5,
            push_speed=push_speed,
            lifted_share=lifted_share,
            noise=ReferenceNoiseCfg(strength=reference_noise if stage == "expert" else 0.0),
            seed=rank,
        )
        guard = NanGuard(sim, log_dir / (f"dumps_{rank}" if rank else "dumps"))
        env = _environment(library, category, cfg, guard, stage, seen)
        training = ResumableRunner(env, configs[stage](), log_dir, _print)
        started = training.resume()
        if learning_rate is not None:
            training.learn_at(learning_rate)
        if stage == "distill":
            prepare_distillation(training.alg, env.get_observations(), teacher, not started)
        elif stage == "refine" or student is not None:
            guide = teacher if guided and stage == "refine" else None
            prepare_refinement(training.alg, env.get_observations(), guide, student, not started)
        print(f"{stage}: {f'resumed after {started} iterations' if started else 'begins'}, {log_dir}")
        if training.begun_afresh:
            print(f"environments begin afresh: {training.begun_afresh}")
        training.learn(iterations)
    finally:
        sim.close()
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _simulation(back_end: str, threads: int, num_envs: int, friction_spread: float) -> ThreadedSim | WarpSim:
    """What moves the humanoids; of several processes each has a GPU of its own, where it is one."""
    from physhmr.body.humanoid_mjcf import build_model

    if back_end == "threads":
        from physhmr.sim.batch_sim import ThreadedSim

        return ThreadedSim(build_model(), threads, friction_spread)
    from physhmr.sim.warp_sim import WarpSim

    device = f"cuda:{processes.local_rank()}" if processes.count() > 1 else None
    return WarpSim(build_model(), num_envs, device, friction_spread)


def _train_encoder(library: Path, category: str, log_dir: Path, iterations: int, student: Path | None) -> None:
    from physhmr.motion.library import load_library
    from physhmr.policy.motion_encoder import widened_encoder
    from physhmr.rl.encoder_training import EncoderTraining, EncoderTrainingCfg, load_encoder

    clips = load_library(library, "train", None if category == "all" else category)  # type: ignore[arg-type]
    known, iteration = (None, 0) if student is None else load_encoder(student)
    encoder = None if known is None else widened_encoder(known)
    training = EncoderTraining(clips, EncoderTrainingCfg(), log_dir, encoder, ahead=True, iteration=iteration)
    print(f"{len(clips)} clips; encoder: at iteration {training.iteration}, {log_dir}")
    if training.begun_afresh:
        print(f"the views are others than without the interruption: {training.begun_afresh}")
    training.run(iterations, lambda line: print(line, flush=True))


def _environment(
    library: Path, category: str, cfg: TrackingEnvCfg, sim: BatchSim, stage: str, seen: Literal["rays", "root"]
) -> TrackingEnv:
    """The clips, and what cameras made of them, as one environment."""
    import torch

    from physhmr.body.skeleton import Skeleton
    from physhmr.motion.library import load_library
    from physhmr.motion.lifted import load_views, views_path
    from physhmr.policy.kinematics import Kinematics
    from physhmr.rl.env import TrackingEnv
    from physhmr.rl.reference_bank import ReferenceBank
    from physhmr.rl.vision_env import VisionEnv

    clips = load_library(library, "train", None if category == "all" else category)  # type: ignore[arg-type]
    views = []
    if stage != "expert" or cfg.lifted_share > 0.0:
        path = views_path(library)
        if not path.is_file():
            raise ConfigError("library", "needs views: run `physhmr data lift` first", str(path))
        views = load_views(path, clips)
    print(f"{len(clips)} clips, {sum(clip.duration for clip in clips) / 60:.1f} min")
    with torch.no_grad():
        bank = ReferenceBank.from_clips(clips, Kinematics(Skeleton()), views)
    return TrackingEnv(cfg, bank, sim, Skeleton()) if stage == "expert" else VisionEnv(cfg, bank, sim, Skeleton(), seen)


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
