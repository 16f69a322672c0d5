"""Several cameras on one person: one of them leads, the others' rays go with its own.

The encoder and the policies know one camera. It is the one that sees best; its images make the control steps, and
each takes along what every other camera has seen since, at its own stamp: cameras need not be in step, nor equally
quick, but their stamps must be of one clock, and their poses in one world.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from physhmr.errors import UnknownNameError
from physhmr.geometry.rays import ray_gap
from physhmr.types import RayBundle


@dataclass(frozen=True)
class FusionCfg:
    """When rays go together, and who leads."""

    oldest: float = 0.2
    """s that rays may be older or newer than the leader's."""
    apart: float = 0.15
    """m of `ray_gap` up to which two cameras are taken to follow one person; BlazePose's errors make 0.08 of it."""
    blind: float = 0.3
    """s without the person, after which another camera leads."""
    better: float = 0.15
    """Mean confidence by which another camera must see better, to lead: each change costs the encoder some frames."""
    memory: float = 0.05
    """Share of the newest image in that mean."""


@dataclass
class _Camera:
    rays: RayBundle | None = None
    """Not handed on yet."""
    seen_ns: int | None = None
    """Stamp of the newest image with the person in it."""
    confidence: float = 0.0
    person: int | None = None
    """The camera's own number of whom it follows."""
    number: int = 0
    """Ours of the same one."""
    finding: str = "silent"


class CameraFusion:
    """Takes the rays of all cameras as they come."""

    def __init__(self, cameras: Sequence[str], cfg: FusionCfg | None = None) -> None:
        """`cameras` are their names; the first one leads until another sees better."""
        self._cfg = cfg or FusionCfg()
        self._cameras = {name: _Camera() for name in cameras}
        self.leader = cameras[0]
        self._persons = 0
        self._began_ns: int | None = None
        self.view: RayBundle | None = None
        """What the newest image of the leader showed, with the others' rays; None: nobody."""

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
            camera.seen_ns = stamp_ns
            camera.confidence += self._cfg.memory * (float(rays.score.mean()) - camera.confidence)
            if self._takes_over(camera, stamp_ns):
                self.leader = name
        if name != self.leader:
            return False
        self.view = None if rays is None else self._joined(camera, rays)
        camera.rays = None
        return True

    def _takes_over(self, camera: _Camera, stamp_ns: int) -> bool:
        leader = self._cameras[self.leader]
        saw_ns = self._began_ns if leader.seen_ns is None else leader.seen_ns
        blind = saw_ns is not None and abs(stamp_ns - saw_ns) > 1e9 * self._cfg.blind
        return blind or camera.confidence > leader.confidence + self._cfg.better

    def _joined(self, leader: _Camera, rays: RayBundle) -> RayBundle:
        """The leader's rays with those of the others that fit, each of which is used once."""
        if leader.person != rays.person:
            self._persons += 1
            leader.person, leader.number = rays.person, self._persons
        others = [other for other in self._cameras.values() if other is not leader and self._fits(other, rays)]
        for other in others:
            other.person, other.number = other.rays.person, leader.number  # type: ignore[union-attr]
        joined = tuple(other.rays for other in others if other.rays is not None)
        for other in self._cameras.values():
            other.rays = None
        return replace(rays, person=leader.number, others=joined)

    def _fits(self, camera: _Camera, rays: RayBundle) -> bool:
        """Whether a camera has something to add to `rays`; notes what was found."""
        if camera.rays is None:
            silent = camera.seen_ns is None or rays.stamp_ns - camera.seen_ns > 1e9 * self._cfg.blind
            camera.finding = "silent" if silent else camera.finding
            return False
        if abs(rays.stamp_ns - camera.rays.stamp_ns) > 1e9 * self._cfg.oldest:
            camera.finding = "late"
        else:
            camera.finding = "joins" if ray_gap(rays, camera.rays) <= self._cfg.apart else "disagrees"
        return camera.finding == "joins"
