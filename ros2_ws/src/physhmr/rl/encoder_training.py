"""Trains the motion encoder on synthetic views of the library, made as they are needed."""

from __future__ import annotations

import datetime
import multiprocessing
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from physhmr.body.humanoid_mjcf import CONTROL_HZ
from physhmr.body.keypoints import keypoint_points
from physhmr.body.points import place_points
from physhmr.body.skeleton import Skeleton
from physhmr.body.soles import sole_corners
from physhmr.errors import ModelFileError
from physhmr.geometry.rays import world_rays
from physhmr.motion.clip import clip_velocities, mirror_qpos
from physhmr.motion.synthetic_camera import CameraRange, KeypointErrors, Views, look
from physhmr.policy.export import exported_encoder
from physhmr.policy.kinematics import Kinematics, compose, quat_to_matrix, rotate
from physhmr.policy.motion_encoder import Motion, MotionEncoder, Sight, features, motion_of, view_rotation
from physhmr.rl.checkpoint import read_checkpoint
from physhmr.rl.pose_variation import LEGS, PoseVariationCfg, varied
from physhmr.types import NQ, NV, Array, MotionClip
from physhmr.worker import end_with_parent

CHECKPOINT = "encoder.pt"
REPORT_EVERY = 50
"""Iterations."""
STANDING_HEIGHT, STANDING_SPEED = 0.03, 0.25
"""m and m/s: a foot whose lowest corner is below and slower than this stands."""
_HINGE_WEIGHT = np.where(LEGS, 3.0, 1.0)
"""Twists of the arms, which nobody can see, would otherwise be most of what is judged; the legs carry the humanoid."""


@dataclass(frozen=True)
class EncoderTrainingCfg:
    """Size of a batch, how views are made, and what counts."""

    sequences: int = 115
    frames: int = 75
    """Clips that are shorter are left out: captured walks often last three seconds."""
    warm_up: int = 5
    """First frames of a sequence that are not judged."""
    look_ahead_frames: int = 0
    """Later frames that it has seen when it speaks about a moment. Live there are none: it would lag by so many."""
    size_error: float = 0.04
    """Standard deviation of the person's height over the assumed one."""
    variation: PoseVariationCfg = field(default_factory=PoseVariationCfg)
    learning_rate: float = 1e-3
    memory: float = 0.998
    """Of the moving average of the weights, an iteration; the average is what is used: fresh batches are noisy."""
    views: Views = field(
        default_factory=lambda: Views(
            cameras=CameraRange(distance=(1.8, 13.0)), errors=KeypointErrors(tilt_deg=1.5, swap_view=0.05)
        )
    )
    """Who walks on a long way gets farther than cameras begin. Of the spells with sides exchanged live, `FacingGuard`
    turns most back before the encoder sees them."""
    seed: int = 0


@dataclass(frozen=True)
class ViewBatch:
    """Sequences of T frames from N cameras, and what happens one control step after each frame."""

    sight: Sight
    """(T, N, ...)."""
    qpos: Tensor
    """(T, N, 76)."""
    qvel: Tensor
    """(T, N, 75)."""
    contact: Tensor
    """(T, N, 2) 1 where the foot stands."""
    bodies: Tensor
    """(T, N, 24, 3) m, bodies in the root's frame."""

    def since(self, frame: int, look_ahead: int = 0) -> ViewBatch:
        """What is seen from `frame` + `look_ahead` on, with what happens `look_ahead` frames earlier."""
        seen, judged = slice(frame + look_ahead, None), slice(frame, len(self.qpos) - look_ahead)
        sight = Sight(*(getattr(self.sight, part.name)[seen] for part in fields(Sight)))
        return ViewBatch(sight, *(getattr(self, part.name)[judged] for part in fields(ViewBatch)[1:]))


def batch_of(rows: Sequence[Array]) -> ViewBatch:
    """The batch that `rows` of `ViewSampler.rows` are."""
    parts = [torch.tensor(row) for row in rows]
    return ViewBatch(Sight(*parts[:4]), *parts[4:])


class ViewSampler:
    """Draws stretches of clips and their mirror images, varied, each with a camera and errors of its own."""

    def __init__(self, clips: Sequence[MotionClip], skeleton: Skeleton, cfg: EncoderTrainingCfg) -> None:
        self._cfg, self._skeleton, self.random = cfg, skeleton, np.random.default_rng(cfg.seed)
        long_enough = [clip for clip in clips if len(clip.qpos) > cfg.frames + 1]
        self._clips = [qpos for clip in long_enough for qpos in (clip.qpos, mirror_qpos(clip.qpos))]

    def draw(self) -> ViewBatch:
        """A new batch."""
        return batch_of(self.rows())

    def rows(self) -> list[Array]:
        """What a new batch is made of: the fields of its sight, then its own."""
        count, size_error = self._cfg.sequences, self._cfg.size_error
        qpos, pos, rot = varied(self._stretches(), self._stretches(), self._skeleton, self.random, self._cfg.variation)
        points_w = place_points(keypoint_points(self._skeleton), pos, rot)
        bodies = ((pos - pos[..., :1, :])[..., None, :] @ rot[..., :1, :, :])[..., 0, :]
        sequences = []
        for index, size in enumerate(1.0 + size_error * self.random.normal(size=count)):
            sight = self._look(qpos[index, :-1], size * points_w[index, :-1])
            qvel = clip_velocities(qpos[index], float(CONTROL_HZ)) * np.r_[size, size, np.ones(NV - 2)]
            sized = qpos[index] * np.r_[size, size, np.ones(NQ - 2)]
            contact = standing_feet(pos[index], rot[index], self._skeleton)
            sequences.append((*sight, sized[1:], qvel[1:], contact[1:], bodies[index, 1:]))
        return [np.stack(column, 1).astype(np.float32) for column in zip(*sequences, strict=True)]

    def _stretches(self) -> Array:
        """(N, T + 1, 76) of random clips, each as likely as any other: generated ones are four times as long."""
        frames = self._cfg.frames + 1
        chosen = [self._clips[i] for i in self.random.integers(len(self._clips), size=self._cfg.sequences)]
        starts = [int(self.random.integers(len(qpos) - frames)) for qpos in chosen]
        return np.stack([qpos[start : start + frames] for qpos, start in zip(chosen, starts, strict=True)])

    def _look(self, qpos: Array, points_w: Array) -> tuple[Array, Array, Array, Array]:
        """Origins (T, 3), directions, scores and landmarks of one stretch, as they are live."""
        rows, believed, seen = look(qpos, points_w, self.random, self._cfg.views)
        origin_w, dir_w, score, landmarks_w = world_rays(*rows, believed)
        held = np.maximum.accumulate(np.where(seen, np.arange(len(qpos)), 0))
        return origin_w[:, 0], dir_w[held], score * seen[:, None], landmarks_w[held]


class ViewsAhead:
    """Draws what a sampler would have drawn, the next batch already while one is learned from, in a second process."""

    def __init__(self, sampler: ViewSampler) -> None:
        """`sampler` keeps the random state of the last batch that was asked for: from there a training resumes."""
        self._sampler = sampler
        self._pool: ProcessPoolExecutor | None = None

    def draw(self) -> ViewBatch:
        """As `ViewSampler.draw`."""
        if self._pool is None:
            # Spawned, not forked: torch's threads do not survive a fork.
            spawn = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, spawn, initializer=_adopt, initargs=(self._sampler,))
            self._next = self._pool.submit(_draw_rows)
        rows, state = self._next.result()
        self._next = self._pool.submit(_draw_rows)
        self._sampler.random.bit_generator.state = state
        return batch_of(rows)


_adopted: ViewSampler
"""Of a process that draws."""


def _adopt(sampler: ViewSampler) -> None:
    end_with_parent()
    # An interruption is the training's to tell of.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    global _adopted
    _adopted = sampler


def _draw_rows() -> tuple[list[Array], dict[str, Any]]:
    rows = _adopted.rows()
    return rows, dict(_adopted.random.bit_generator.state)


def standing_feet(pos: Array, rot: Array, skeleton: Skeleton) -> Array:
    """(T, 2) 1 where the left and the right foot stand, of body poses (T, 24, 3), (T, 24, 3, 3)."""
    corners = place_points(sole_corners(skeleton), pos, rot).reshape(len(pos), 2, -1, 3)
    speed = np.linalg.norm(np.gradient(corners[..., :2].mean(2), 1.0 / CONTROL_HZ, axis=0), axis=-1)
    return ((corners[..., 2].min(2) < STANDING_HEIGHT) & (speed < STANDING_SPEED)).astype(float)


def loss_terms(motion: Motion, batch: ViewBatch, R_wv: Tensor, kinematics: Kinematics) -> dict[str, Tensor]:
    """What is judged, each weighed; `motion` in the view frame, all (T, N, ...)."""
    R_vw = R_wv.transpose(-1, -2)
    rot_v = compose(R_vw, quat_to_matrix(batch.qpos[..., 3:7]))
    ground = batch.sight.origin_w * torch.tensor([1.0, 1.0, 0.0])
    pos_v = rotate(R_vw, batch.qpos[..., :3] - ground)
    smooth = nn.functional.smooth_l1_loss
    hinges = smooth(motion.hinges, batch.qpos[..., 7:], beta=0.2, reduction="none")
    return {
        "rot": 2.0 * (motion.rot - rot_v).square().sum((-1, -2)).mean(),
        "hinges": 2.0 * (hinges * hinges.new_tensor(_HINGE_WEIGHT)).mean(),
        "bodies": 20.0 * (bodies_of(motion.hinges, kinematics) - batch.bodies).square().mean(),
        "pos": smooth(motion.pos, pos_v, beta=0.1),
        "linvel": 0.6 * smooth(motion.linvel, rotate(R_vw, batch.qvel[..., :3]), beta=0.3),
        "angvel": 0.05 * smooth(motion.angvel, batch.qvel[..., 3:6], beta=0.5),
        "rates": 0.15 * smooth(motion.rates, batch.qvel[..., 6:], beta=0.5),
        "contact": 0.1 * nn.functional.binary_cross_entropy_with_logits(motion.contact, batch.contact),
    }  # fmt: skip


def bodies_of(hinges: Tensor, kinematics: Kinematics) -> Tensor:
    """(..., 24, 3) m, bodies in the root's frame for (..., 69) hinges."""
    rows = hinges.reshape(-1, hinges.shape[-1])
    root = rows.new_tensor([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]).expand(len(rows), 7)
    return kinematics(torch.cat([root, rows], 1), rows.new_zeros(len(rows), NV)).pos.reshape(*hinges.shape[:-1], -1, 3)


def answer(encoder: MotionEncoder, batch: ViewBatch, cfg: EncoderTrainingCfg) -> tuple[Motion, ViewBatch, Tensor]:
    """What the encoder says (in the view frame), what it is judged by, and the view frame's R_wv; no warm-up in it."""
    R_wv = view_rotation(batch.sight)
    told, _ = encoder(features(batch.sight, R_wv), encoder.start(batch.qpos.shape[1]))
    first = cfg.warm_up + cfg.look_ahead_frames
    return motion_of(told[first:]), batch.since(cfg.warm_up, cfg.look_ahead_frames), R_wv[first:]


class EncoderTraining:
    """Adam on fresh batches; its folder holds one checkpoint, from which it goes on as if it had never stopped."""

    def __init__(
        self,
        clips: Sequence[MotionClip],
        cfg: EncoderTrainingCfg,
        log_dir: Path,
        encoder: MotionEncoder | None = None,
        ahead: bool = False,
        iteration: int = 0,
    ) -> None:
        """Begin with `encoder` (default: a new one) that has learned for `iteration`, or go on where `log_dir` is.

        `ahead`: a second process makes the views meanwhile.
        Raises `ModelFileError` for a checkpoint of another size of encoder.
        """
        torch.manual_seed(cfg.seed)
        self.encoder, self._cfg, self._path = encoder or MotionEncoder(), cfg, log_dir / CHECKPOINT
        self.iteration = self._begun = iteration
        self._average = AveragedModel(self.encoder, multi_avg_fn=get_ema_multi_avg_fn(cfg.memory))
        self._optimizer = torch.optim.Adam(self.encoder.parameters(), lr=cfg.learning_rate)
        # Other views than it has learned from.
        self._sampler = ViewSampler(clips, Skeleton(), replace(cfg, seed=cfg.seed + iteration))
        self._kinematics = Kinematics(Skeleton())
        self.begun_afresh = self._resume()
        """Why other views come than without the interruption; empty: the same do."""
        self._views = ViewsAhead(self._sampler) if ahead else self._sampler
        if not self.encoder.normalised:
            first = self._sampler.draw().sight
            self.encoder.normalise_by(features(first, view_rotation(first)).flatten(0, 1))

    def run(self, iterations: int, report: Callable[[str], None]) -> None:
        """Train for so many iterations; tell and save every `REPORT_EVERY`, and at the end."""
        begin, last = time.monotonic(), self.iteration + iterations
        means: dict[str, float] = {}
        for done in range(1, iterations + 1):
            for name, value in self.step().items():
                means[name] = means.get(name, value) + 0.05 * (value - means.get(name, value))
            if done % REPORT_EVERY == 0 or done == iterations:
                self._save()
                left = datetime.timedelta(seconds=round((time.monotonic() - begin) / done * (iterations - done)))
                terms = ", ".join(f"{name} {value:.4f}" for name, value in means.items())
                report(f"{self.iteration}/{last}  {terms}  {left} left")

    def step(self) -> dict[str, float]:
        """One batch; returns the loss terms."""
        # Inverse square root decay: no end has to be known. What Adam averages is new where it begins.
        begin = (self.iteration - self._begun) / 100
        rate = self._cfg.learning_rate * min(1.0, begin, (1000 / max(self.iteration, 1)) ** 0.5)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        motion, batch, R_wv = answer(self.encoder, self._views.draw(), self._cfg)
        terms = loss_terms(motion, batch, R_wv, self._kinematics)
        self._optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        nn.utils.clip_grad_norm_(self.encoder.parameters(), 1.0)
        self._optimizer.step()
        self._average.update_parameters(self.encoder)
        self.iteration += 1
        return {name: float(value.detach()) for name, value in terms.items()}

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        parts = {"encoder": self.encoder, "average": self._average, "optimizer": self._optimizer}
        state = {name: part.state_dict() for name, part in parts.items()}
        unfinished = self._path.with_suffix(".unfinished")
        random = {"sampler": self._sampler.random.bit_generator.state, "random": torch.get_rng_state()}
        torch.save(state | random | {"iteration": self.iteration, "begun": self._begun}, unfinished)
        unfinished.replace(self._path)

    def _resume(self) -> str:
        if not self._path.is_file():
            return ""
        saved = _checkpoint(self._path)
        units, wanted = _units(saved), self.encoder.memory.hidden_size
        if units != wanted:
            raise ModelFileError(
                f"{self._path} holds an encoder of {units} units, to be trained are {wanted}: "
                f"go on from it with --student {self._path} and another --log-dir"
            )
        self.encoder.load_state_dict(saved["encoder"])
        self._average.load_state_dict(saved["average"])
        self._optimizer.load_state_dict(saved["optimizer"])
        self.iteration, self._begun = int(saved["iteration"]), int(saved.get("begun", 0))
        if "sampler" not in saved:
            # Another seed than the one before the interruption: the same views would come again.
            self._sampler.random = np.random.default_rng(self._cfg.seed + self.iteration)
            return "the checkpoint is an older one, without the random numbers"
        self._sampler.random.bit_generator.state = saved["sampler"]
        torch.set_rng_state(saved["random"])
        return ""


def load_encoder(checkpoint: Path) -> tuple[MotionEncoder, int]:
    """The averaged encoder of a checkpoint, or that of an exported file, and its iteration.

    Raises `ModelFileError` for a file that holds none.
    """
    if checkpoint.suffix == ".onnx":
        return exported_encoder(checkpoint)
    saved = _checkpoint(checkpoint)
    encoder = MotionEncoder(_units(saved))
    average = AveragedModel(encoder)
    average.load_state_dict(saved["average"])
    return average.module, int(saved["iteration"])


def _units(saved: dict[str, Any]) -> int:
    """Of the encoder in a checkpoint."""
    return int(saved["encoder"]["memory.weight_hh_l0"].shape[1])


def _checkpoint(path: Path) -> dict[str, Any]:
    """What `EncoderTraining` saved; raises `ModelFileError` for anything else."""
    saved = read_checkpoint(path)
    if not isinstance(saved, dict) or not {"encoder", "average", "optimizer", "iteration"} <= set(saved):
        raise ModelFileError(f"{path} is not a checkpoint of the motion encoder")
    return saved
