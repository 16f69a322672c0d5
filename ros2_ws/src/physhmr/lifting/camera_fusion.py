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
    """s of its own images before a camera may take the lead from the one that was named first."""
    silent: int = 10
    """Images of another camera without any news, after which a camera is called silent, and leads no longer."""


@dataclass
class _Camera:
    rays: RayBundle | None = None
    """Not handed on yet."""
    first_ns: int | None = None
    newest_ns: int = 0
    """Stamps of its images. They say nothing of another camera, whose clock may be wrong."""
    sight: float = 0.0
    """What it has seen lately: more if it sees well, and often; less with each moment in which it sees nobody."""
    unheard: int = 0
    """Images of the leader since its newest rays; of the leader: another's images since its own."""
    finding: str = "silent"

    def look(self, stamp_ns: int, rays: RayBundle | None, memory: float) -> None:
        """Take what was in the image of `stamp_ns`."""
        self.first_ns = stamp_ns if self.first_ns is None else self.first_ns
        fading = exp(-1e-9 * abs(stamp_ns - self.newest_ns) / memory)
        self.sight = fading * self.sight + (0.0 if rays is None else float(rays.score.mean()))
        self.rays, self.newest_ns = rays, stamp_ns
        self.unheard = 0 if rays is not None else self.unheard


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
        camera.look(stamp_ns, rays, self._cfg.memory)
        if name != self.leader:
            leader = self._cameras[self.leader]
            leader.unheard += 1
            if rays is None or not self._takes_over(camera, leader):
                return False
            self.leader = name
        camera.unheard = 0
        self.view = None if rays is None else self._joined(rays)
        return True

    def _takes_over(self, camera: _Camera, leader: _Camera) -> bool:
        if camera.first_ns is None or camera.newest_ns - camera.first_ns < 1e9 * self._cfg.patience:
            return False
        return leader.unheard > self._cfg.silent or camera.sight > self._cfg.better * leader.sight

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
            camera.unheard += 1
            return "silent" if camera.unheard > self._cfg.silent else camera.finding
        if abs(rays.stamp_ns - other.stamp_ns) > 1e9 * self._cfg.oldest:
            return "late"
        return "joins" if self._of_one(rays, other) else "disagrees"

    def _of_one(self, rays: RayBundle, other: RayBundle) -> bool:
        """Whether the rays meet, and both call the same side the left one: detectors take the back for the front."""
        facing = float(left_axis(rays.landmarks_w) @ left_axis(other.landmarks_w))
        return facing > self._cfg.facing and ray_gap(rays, other) <= self._cfg.apart
