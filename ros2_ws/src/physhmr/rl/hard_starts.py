"""States from before failures, to begin there again: what fails rarely would otherwise be learned from rarely.

A decent policy fails once in 2000 control steps, ten times in a batch. Episodes that begin where others were about to
fail, in states that the policy itself got into, show the same moment again and again.
"""

from __future__ import annotations

import torch
from torch import Tensor

from physhmr.types import NQ, NV

EVERY = 20
"""Control steps from one state that is kept in mind to the next; the one used is two to three of them back."""
_SLOTS = 3


class HardStarts:
    """Keeps the last states of N running episodes in mind, and a pool of those that led to a failure."""

    def __init__(self, num_envs: int, generator: torch.Generator, capacity: int = 1024) -> None:
        """`capacity` states are kept; the oldest of them go, for the policy has learned since."""
        self._random = generator
        self.again = torch.zeros(num_envs, dtype=torch.bool)
        """Whose episode began with a state of the pool; such an episode does not fill it."""
        self._recent = torch.zeros(num_envs, _SLOTS, 2 + NQ + NV)
        self._pool = torch.zeros(capacity, 2 + NQ + NV)
        self._put = torch.zeros((), dtype=torch.long)
        """How many states were put into the pool, ever."""

    def state(self) -> dict[str, Tensor]:
        """What the coming starts depend on."""
        kept = {"again": self.again, "recent": self._recent, "pool": self._pool, "put": self._put}
        return {name: value.clone() for name, value in kept.items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """As `state` told."""
        self.again, self._recent = state["again"].clone(), state["recent"].clone()
        self._pool, self._put = state["pool"].clone(), state["put"].clone()

    def __len__(self) -> int:
        return min(int(self._put), len(self._pool))

    def watch(self, steps: Tensor, frame: Tensor, view: Tensor, qpos: Tensor, qvel: Tensor) -> None:
        """Keep in mind where N episodes stand after `steps` (N,): frame and view (N,), (N, 76), (N, 75)."""
        due = torch.nonzero(steps % EVERY == 0).flatten()
        # Indices up to 2^24 are exact in float32; libraries have a hundredth of that.
        row = torch.cat([frame[due, None], view[due, None], qpos[due], qvel[due]], -1)
        self._recent[due, steps[due] // EVERY % _SLOTS] = row

    def failed(self, which: Tensor, steps: Tensor) -> None:
        """Put into the pool where `which` (M,) stood before they failed after `steps` (M,)."""
        kept = steps // EVERY
        first = (kept >= 2) & ~self.again[which]
        which, kept = which[first], kept[first]
        rows = self._recent[which, (kept - (_SLOTS - 1)).clamp_min(1) % _SLOTS]
        self._pool[(int(self._put) + torch.arange(len(rows))) % len(self._pool)] = rows
        self._put += len(rows)

    def draw(self, which: Tensor, share: float) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Of `which` (M,) new episodes those that begin with a state of the pool, and these: frame, view, qpos, qvel.

        It is a `share` of them once a quarter of the pool is filled, less before.
        """
        share *= min(1.0, 4.0 * len(self) / len(self._pool))
        chosen = torch.rand(len(which), generator=self._random) < share
        self.again[which] = chosen
        which = which[chosen]
        rows = self._pool[torch.randint(max(len(self), 1), (len(which),), generator=self._random)]
        frame, view = rows[:, :2].long().unbind(-1)
        return which, (frame, view, rows[:, 2 : 2 + NQ], rows[:, 2 + NQ :])
