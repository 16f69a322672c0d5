"""Several processes that train one network together, as `torchrun` starts them: each with environments of its own."""

from __future__ import annotations

import os


def rank() -> int:
    """Which of them this one is; 0 writes checkpoints and speaks, and is who is alone."""
    return int(os.getenv("RANK", "0"))


def local_rank() -> int:
    """Which of those on its machine."""
    return int(os.getenv("LOCAL_RANK", "0"))


def count() -> int:
    """How many they are."""
    return int(os.getenv("WORLD_SIZE", "1"))
