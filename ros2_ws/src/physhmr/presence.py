"""Whether there is a person to follow, told by the age of what was last seen."""

from __future__ import annotations

from physhmr.types import Status


class Presence:
    """SEARCHING until the first rays, then TRACKING, STALE and LOST by their age."""

    def __init__(self, stale_after: float, lost_after: float) -> None:
        """Ages in seconds."""
        self._stale_ns, self._lost_ns = int(1e9 * stale_after), int(1e9 * lost_after)
        self._seen_ns: int | None = None
        self.status = Status.SEARCHING
        self.reason = "looking for somebody, and for the camera's pose"

    def seen(self, stamp_ns: int) -> None:
        """A person was seen in an image of `stamp_ns`."""
        self._seen_ns = stamp_ns
        self.status, self.reason = Status.TRACKING, "person in view"

    def update(self, now_ns: int) -> Status:
        """The status at `now_ns`, in the images' time base."""
        if self._seen_ns is None:
            return self.status
        age_ns = now_ns - self._seen_ns
        if age_ns > self._lost_ns:
            self.status, self.reason = Status.LOST, f"nobody seen for {1e-9 * age_ns:.1f} s; keeping balance"
        elif age_ns > self._stale_ns:
            self.status, self.reason = Status.STALE, f"newest rays are {1e-6 * age_ns:.0f} ms old; holding the pose"
        return self.status
