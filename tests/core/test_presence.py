"""Who is there is told by age alone, with reasons a person can read."""

from __future__ import annotations

from physhmr.presence import Presence
from physhmr.types import Status

SECOND = 1_000_000_000


def test_from_searching_through_stale_to_lost_and_back() -> None:
    presence = Presence(stale_after=0.2, lost_after=1.0)
    assert presence.update(5 * SECOND) is Status.SEARCHING
    presence.seen(5 * SECOND)
    assert presence.update(5 * SECOND + SECOND // 10) is Status.TRACKING
    assert presence.update(5 * SECOND + SECOND // 2) is Status.STALE
    assert "500 ms" in presence.reason
    assert presence.update(7 * SECOND) is Status.LOST
    presence.seen(8 * SECOND)
    assert presence.update(8 * SECOND) is Status.TRACKING
