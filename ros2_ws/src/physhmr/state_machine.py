"""What the live chain is doing: one state a control step, made of the person's presence and the humanoid's mishaps."""

from __future__ import annotations

from physhmr.presence import Presence
from physhmr.types import Status, Transition

RECOVERY_S = 0.5
"""So long the humanoid must have tracked again, without a mishap, before it is trusted."""

_ALWAYS = frozenset({Status.FALLEN, Status.DIVERGED})
FOLLOWED_BY: dict[Status, frozenset[Status]] = {
    Status.SEARCHING: _ALWAYS | {Status.TRACKING, Status.STALE, Status.LOST},
    Status.TRACKING: _ALWAYS | {Status.STALE, Status.LOST, Status.RECOVERING},
    Status.STALE: _ALWAYS | {Status.TRACKING, Status.LOST, Status.RECOVERING},
    Status.LOST: _ALWAYS | {Status.TRACKING, Status.STALE, Status.RECOVERING},
    Status.FALLEN: frozenset(Status) - {Status.FALLEN, Status.TRACKING},
    Status.DIVERGED: frozenset(Status) - {Status.DIVERGED, Status.TRACKING},
    Status.RECOVERING: _ALWAYS | {Status.TRACKING, Status.STALE, Status.LOST},
}
"""Every transition there is. Nobody seen for long ends in LOST, which ends a recovery; a mishap lasts one step."""


class StateMachine:
    """Is told what happens during a control step, and settles in one state at its end."""

    def __init__(self, stale_after: float, lost_after: float) -> None:
        """Start in SEARCHING; ages of the newest rays in s."""
        self._presence = Presence(stale_after, lost_after)
        self._mishap: tuple[Status, str] | None = None
        self._recovering = ""
        """What there is to recover from; empty: nothing."""
        self._unliftable = ""
        """Why nothing could be made of the newest rays; empty: something could."""
        self._tracked_ns: int | None = None
        """When the present stretch of tracking while recovering began."""
        self.status, self.reason = self._presence.status, self._presence.reason
        self.transition: Transition | None = None
        """The one that led to `status`; None before the first step."""
        self._counters = dict.fromkeys(
            ("falls", "divergences", "reinitialisations", "losses", "recoveries", "transitions", "unliftable"), 0
        )

    @property
    def counters(self) -> dict[str, int]:
        """How often what happened since the start."""
        return dict(self._counters)

    @property
    def presence(self) -> Status:
        """SEARCHING, TRACKING, STALE or LOST: the person alone, whatever happens to the humanoid."""
        return self._presence.status

    def seen(self, stamp_ns: int) -> None:
        """The person was seen in an image of `stamp_ns`."""
        self._unliftable = ""
        self._presence.seen(stamp_ns)

    def look(self, now_ns: int) -> Status:
        """Return the presence at `now_ns`, in the images' time base."""
        before, now = self.presence, self._presence.update(now_ns)
        self._counters["losses"] += now is Status.LOST and before is not Status.LOST
        return now

    def set_up(self, first: bool = False) -> None:
        """The humanoid was put beside the person; it has to prove itself, unless it is for the `first` time."""
        self._counters["reinitialisations"] += 1
        if not first:
            self._recover_from("set up again beside the person")

    def unliftable(self, why: str) -> None:
        """Rays came of which lifting could make nothing; `why` is told until somebody is seen."""
        self._counters["unliftable"] += 1
        self._unliftable = why

    def fell(self) -> None:
        """The humanoid fell in this step, and is set up again."""
        self._counters["falls"] += 1
        self._mishap = Status.FALLEN, "fell; put back on the reference"
        self._recover_from("set up again beside the person")

    def diverged(self, reason: str) -> None:
        """The physics exploded in this step, and was restored."""
        self._counters["divergences"] += 1
        self._mishap = Status.DIVERGED, reason
        self._recover_from("restored the last good state")

    def settle(self, now_ns: int) -> Status:
        """Return the state in which the control step of `now_ns` ends; a mishap is forgotten after it."""
        before = self.status
        self.status, self.reason = self._mishap or self._without_mishap(now_ns)
        self._mishap = None
        self._counters["transitions"] += self.status is not before
        if self.transition is None or self.status is not before:
            self.transition = Transition(now_ns, before, self.status, self.reason)
        return self.status

    def _recover_from(self, what: str) -> None:
        self._recovering, self._tracked_ns = what, None

    def _without_mishap(self, now_ns: int) -> tuple[Status, str]:
        presence, reason = self._presence.status, self._unliftable or self._presence.reason
        if presence is not Status.TRACKING:
            self._tracked_ns = None
            # A balanced stance is what there is to recover to when nobody is there.
            self._recovering = self._recovering if presence is Status.STALE else ""
        elif self._recovering:
            return self._recovery(now_ns)
        return presence, reason

    def _recovery(self, now_ns: int) -> tuple[Status, str]:
        if self._tracked_ns is None or now_ns < self._tracked_ns:
            self._tracked_ns = now_ns
        if now_ns - self._tracked_ns < 1e9 * RECOVERY_S:
            return Status.RECOVERING, self._recovering
        self._recovering, self._tracked_ns = "", None
        self._counters["recoveries"] += 1
        return Status.TRACKING, f"tracked again for {RECOVERY_S:g} s"
