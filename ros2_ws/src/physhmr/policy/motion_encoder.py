"""The causal motion encoder: rays and landmarks, frame by frame, to a token and the pose that it stands for.

WHAM's recipe (Shin et al. 2024) without images: trained on synthetic views of motion clips. It sees one frame
after the other and speaks about the next control step. Everything is told in the view frame: z up, x from the
camera towards the person, so that it makes no difference where the camera stands or which way it looks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from physhmr.policy.kinematics import compose, rotate, yaw_matrix
from physhmr.types import NUM_HINGES, NUM_KEYPOINTS

TOKEN_SIZE = 384
FEATURES = NUM_KEYPOINTS * 7 + 1
_PARTS = {"rot": 6, "pos": 3, "linvel": 3, "angvel": 3, "hinges": NUM_HINGES, "rates": NUM_HINGES, "contact": 2}
UNSEEN_WEIGHT = 1e-3
RATE_SCALE = 5.0
"""Velocities leave the network in units of this many rad/s; they are that much larger than angles."""


@dataclass(frozen=True)
class Sight:
    """What a batch of frames shows; the fields of `types.RayBundle`.

    A control step without a new image has the last one's rays with scores of zero.
    """

    origin_w: Tensor
    """(..., 3) m, mean of the rays' origins."""
    dir_w: Tensor
    """(..., 21, 3)."""
    score: Tensor
    """(..., 21)."""
    landmarks_w: Tensor
    """(..., 21, 3) m."""


@dataclass(frozen=True)
class Motion:
    """Pose and velocity of the person at the next control step, in the frame that the names say."""

    rot: Tensor
    """(..., 3, 3) of the root."""
    pos: Tensor
    """(..., 3) m, of the root; in the view frame: from the camera, z from the floor."""
    linvel: Tensor
    """(..., 3) m/s."""
    angvel: Tensor
    """(..., 3) rad/s, in the root's own axes."""
    hinges: Tensor
    """(..., 69) rad."""
    rates: Tensor
    """(..., 69) rad/s."""
    contact: Tensor
    """(..., 2) logits: left and right foot stand."""


def view_rotation(sight: Sight) -> Tensor:
    """(..., 3, 3) R_wv: yaw of the mean direction to the person, also where no keypoint has any score."""
    return yaw_matrix((sight.dir_w[..., :2] * (sight.score[..., None] + UNSEEN_WEIGHT)).sum(-2))


def features(sight: Sight, R_wv: Tensor) -> Tensor:
    """(..., 148) directions and landmarks in the view frame, zero where nothing was seen; scores; camera height."""
    R_vw = R_wv.transpose(-1, -2)[..., None, :, :]
    seen = (sight.score > 0).to(sight.dir_w.dtype)[..., None]
    rows = [rotate(R_vw, sight.dir_w) * seen, rotate(R_vw, sight.landmarks_w) * seen]
    return torch.cat([*(row.flatten(-2) for row in rows), sight.score, sight.origin_w[..., 2:]], -1)


class MotionEncoder(nn.Module):
    """A gated recurrent unit; its state is the token."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, token_size: int = TOKEN_SIZE) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("deviation", torch.ones(FEATURES))
        self.embed = nn.Sequential(nn.Linear(FEATURES, token_size), nn.ELU())
        self.memory = nn.GRU(token_size, token_size)
        self.tell = nn.Sequential(
            nn.Linear(2 * token_size, token_size), nn.ELU(), nn.Linear(token_size, sum(_PARTS.values()))
        )

    def forward(self, rows: Tensor, token: Tensor) -> tuple[Tensor, Tensor]:
        """(T, N, 148) features and the (1, N, H) token before them to (T, N, 155) numbers and the token after."""
        embedded = self.embed((rows - self.mean) / self.deviation)
        tokens, last = self.memory(embedded, token)
        return self.tell(torch.cat([tokens, embedded], -1)), last

    def start(self, count: int) -> Tensor:
        """(1, N, H) the token before the first frame."""
        return torch.zeros(1, count, self.memory.hidden_size)

    @property
    def normalised(self) -> bool:
        """Whether it has taken mean and deviation of any features."""
        return bool((self.deviation != 1.0).any())

    def normalise_by(self, rows: Tensor) -> None:
        """Take mean and deviation of the features from (M, 148) examples."""
        self.mean.copy_(rows.mean(0))
        # Real confidences spread wider than any model of them: nothing may hang on a small change.
        floor = torch.full((FEATURES,), 0.05)
        floor[-NUM_KEYPOINTS - 1 : -1] = 0.3
        self.deviation.copy_(torch.maximum(rows.std(0), floor))


def widened_encoder(encoder: MotionEncoder, token_size: int = TOKEN_SIZE) -> MotionEncoder:
    """The function of `encoder` by a network with more units (Net2Net), or itself where it is as wide already.

    New units see at random and count for nothing yet: what they are worth is learned.
    """
    old, size = encoder.state_dict(), encoder.memory.hidden_size
    if size >= token_size:
        return encoder
    wider = MotionEncoder(token_size)
    state = {name: value.clone() for name, value in wider.state_dict().items()}
    for name, value in old.items():
        # The gates of the recurrent unit lie below each other; each of them grows.
        gates = 3 if name.startswith("memory.") else 1
        for new, kept in zip(state[name].chunk(gates), value.chunk(gates), strict=True):
            if value.ndim == 2 and name != "embed.0.weight":
                new[: len(kept)] = 0.0
            if name == "tell.0.weight":
                new[: len(kept), :size], new[: len(kept), token_size:][:, :size] = kept.chunk(2, 1)
            else:
                new[tuple(slice(length) for length in kept.shape)] = kept
    wider.load_state_dict(state)
    return wider


def motion_of(told: Tensor) -> Motion:
    """Name the parts of (..., 155) numbers; the rotation is made one (Zhou et al. 2019)."""
    parts = dict(zip(_PARTS, told.split(list(_PARTS.values()), -1), strict=True))
    x = nn.functional.normalize(parts["rot"][..., :3] + told.new_tensor([1.0, 0.0, 0.0]), dim=-1)
    y = parts["rot"][..., 3:] + told.new_tensor([0.0, 1.0, 0.0])
    y = nn.functional.normalize(y - (x * y).sum(-1, keepdim=True) * x, dim=-1)
    rot = torch.stack([x, y, torch.linalg.cross(x, y)], -1)
    scaled = {name: RATE_SCALE * parts[name] for name in ("angvel", "rates")}
    return Motion(**(parts | scaled | {"rot": rot}))


def to_world(motion: Motion, R_wv: Tensor, origin_w: Tensor) -> Motion:
    """The motion told in the view frame of `R_wv` (..., 3, 3), seen from `origin_w` (..., 3), in the world."""
    ground = origin_w * origin_w.new_tensor([1.0, 1.0, 0.0])
    return Motion(
        compose(R_wv, motion.rot), ground + rotate(R_wv, motion.pos), rotate(R_wv, motion.linvel),
        motion.angvel, motion.hinges, motion.rates, motion.contact,
    )  # fmt: skip
