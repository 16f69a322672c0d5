"""What every way of lifting promises, so that one can take another's place."""

from __future__ import annotations

from typing import Protocol

from physhmr.types import Array, RayBundle, Reference


class Lifter(Protocol):
    """Lifts one person, frame by frame, never looking ahead."""

    def step(self, rays: RayBundle) -> Reference | None:
        """The pose and velocity to take next; None for the first frames of a new person.

        `rays` are scaled by humanoid height / person height, so that the person fits our body.
        """

    def coast(self, stamp_ns: int) -> Reference | None:
        """The pose and velocity to take next when a control step brings no new rays; None as for `step`."""

    @property
    def points_w(self) -> Array:
        """(37, 3) m, keypoints and corners of both soles of the newest pose, before it was smoothed."""

    def moved(self, offset_w: Array) -> None:
        """The world was moved by (3,) m: what is remembered of it moves along."""

    def reset(self) -> None:
        """Forget the person."""
