"""Somebody in view."""

from __future__ import annotations

from dataclasses import dataclass

from physhmr.types import PersonBox


@dataclass(frozen=True)
class Person:
    """Somebody who is known to be in view."""

    id: int
    """A number of their own, as long as they are known."""
    box: PersonBox
    """Where they are, or where their walk has led since they were last seen."""
    unseen_s: float = 0.0
    """s since they were last seen."""
    followed: bool = False
    """Whether they are whom the humanoid follows."""
