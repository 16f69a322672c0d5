"""Several cameras on one person: one of them leads, the others' rays go with its own.

The encoder and the policies know one camera. It is the one that sees best; its images make the control steps, and
each takes along what every other camera has seen since, at its own stamp: cameras need not be in step, nor equally
quick, but their stamps must be of one clock, and their poses in one world.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp

from physhmr.errors import UnknownNameError
from physhmr.geometry.facing import left_axis
from physhmr.geometry.rays import ray_gap
from physhmr.types import RayBundle


@dataclass(frozen=True)
class FusionCfg:
    """When rays go together, and who leads."""

    oldest: float = 0.2
    """s that rays may be older or newer than the leader's."""
    apart: float = 0.15
    """m of `ray_gap` up to which two cameras are taken to follow one person; BlazePose's errors make 0.08 of it."""
    facing: float = 0.3
    """Cosine between the left sides as two cameras see them, below which one has exchanged left and right."""
    memory: float = 0.5
    """s over which what a camera sees is counted: confidence of its keypoints, image by image."""
    better: float = 2.0
    """Times as much as the leader that another camera must see, to lead: with each change the person is met anew."""
    patience: float = 0.3
    """s from the first image on in which the camera that was named first leads in any case."""
    silent: float = 0.3
    """s without the person, after which a camera is called silent."""


@dataclass
class _Camera:
    rays: RayBundle | None = None
    """Not handed on yet."""
    seen_ns: int | None = None
    """Stamp of the newest image with the person in it."""
    sight: float = 0.0
    """What it saw up to then: confidence times images, fading."""
    finding: str = "silent"

    def sight_at(self, stamp_ns: int, memory: float) -> float:
        """What it has seen lately: more if it sees well, and often; less with each moment in which it sees nobody."""
        return 0.0 if self.seen_ns is None else self.sight * exp(-1e-9 * abs(stamp_ns - self.seen_ns) / memory)


class CameraFusion:
    """Takes the rays of all cameras as they come."""

    def __init__(self, cameras: Sequence[str], cfg: FusionCfg | None = None) -> None:
        """`cameras` are their names; the first one leads until another sees better."""
        self._cfg = cfg or FusionCfg()
        self._cameras = {name: _Camera() for name in cameras}
        self.leader = cameras[0]
        self._followed: tuple[str, int] | None = None
        """Whose rays the last view was: the leader, and its number of the person."""
        self._number = -1
        self._began_ns: int | None = None
        self.view: RayBundle | None = None
        """What the newest image of the leader showed, with the others' rays; None: nobody.

        Its `person` changes with the leader too: what the encoder remembers is what one camera has shown it.
        """

    @property
    def findings(self) -> dict[str, str]:
        """Camera -> `leads`, `joins`, `disagrees` (somebody else, or a wrong pose), `late` or `silent`."""
        return {name: "leads" if name == self.leader else camera.finding for name, camera in self._cameras.items()}

    def add(self, name: str, stamp_ns: int, rays: RayBundle | None) -> bool:
        """Take what camera `name` saw in its image of `stamp_ns`; return whether that makes a new `view`.

        Raises `UnknownNameError` for another camera.
        """
        if name not in self._cameras:
            raise UnknownNameError("camera", name, self._cameras)
        camera = self._cameras[name]
        self._began_ns = stamp_ns if self._began_ns is None else self._began_ns
        camera.rays = rays
        if rays is not None:
            camera.sight = camera.sight_at(stamp_ns, self._cfg.memory) + float(rays.score.mean())
            camera.seen_ns = stamp_ns
            if self._takes_over(camera, stamp_ns):
                self.leader = name
        if name != self.leader:
            return False
        self.view = None if rays is None else self._joined(rays)
        return True

    def _takes_over(self, camera: _Camera, stamp_ns: int) -> bool:
        if self._began_ns is not None and abs(stamp_ns - self._began_ns) <= 1e9 * self._cfg.patience:
            return False
        leading = self._cameras[self.leader].sight_at(stamp_ns, self._cfg.memory)
        return camera.sight > self._cfg.better * leading

    def _joined(self, rays: RayBundle) -> RayBundle:
        """The leader's rays with those of the others that fit, each of which is used once."""
        if self._followed != (self.leader, rays.person):
            self._followed, self._number = (self.leader, rays.person), self._number + 1
        joined = []
        for name, camera in self._cameras.items():
            other, camera.rays = camera.rays, None
            if name != self.leader:
                camera.finding = self._finding(camera, other, rays)
                if other is not None and camera.finding == "joins":
                    joined.append(other)
        return replace(rays, person=self._number, others=tuple(joined))

    def _finding(self, camera: _Camera, other: RayBundle | None, rays: RayBundle) -> str:
        """What there is to say of a camera when the leader's image comes; without anything new, what there was."""
        if other is None:
            silent = camera.seen_ns is None or rays.stamp_ns - camera.seen_ns > 1e9 * self._cfg.silent
            return "silent" if silent else camera.finding
        if abs(rays.stamp_ns - other.stamp_ns) > 1e9 * self._cfg.oldest:
            return "late"
        return "joins" if self._of_one(rays, other) else "disagrees"

    def _of_one(self, rays: RayBundle, other: RayBundle) -> bool:
        """Whether the rays meet, and both call the same side the left one: detectors take the back for the front."""
        facing = float(left_axis(rays.landmarks_w) @ left_axis(other.landmarks_w))
        return facing > self._cfg.facing and ray_gap(rays, other) <= self._cfg.apart
