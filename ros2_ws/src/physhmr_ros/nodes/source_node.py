"""A video file, a webcam or a bag as a ROS camera: `image_raw`, `camera_info`, and TF if it says where it stands."""

from __future__ import annotations

import time

from physhmr.config import NODES, SourceConfig
from physhmr.errors import VideoError
from physhmr_ros.diagnostics import Level, Report
from physhmr_ros.lockstep import Lockstep
from physhmr_ros.nodes.chain_node import ChainNode
from physhmr_ros.players import Player, make_player
from physhmr_ros.timebase import NANOSECONDS, TimeBase

PATIENCE = 3.0
"""s without a listener before the node says so."""
SETTLE = 0.5
"""s between the first sight of a listener and the first image of a file."""
LONGEST_WAIT = 20.0
"""s after which a file begins for those listeners that are there."""
AGAIN_AFTER = 2.0
"""s in lockstep after which an image that nobody looked at is shown again; perception refuses what it has seen."""
TRIES = 3
"""Times that an image is shown in lockstep before it is given up."""


class SourceNode(ChainNode):
    """Plays a file at its own rate or in lockstep with the chain, or hands on what a webcam sees."""

    def __init__(self) -> None:
        super().__init__("source", NODES["source"])
        self._config = self.settings.get(SourceConfig)
        self._player: Player | None = None
        self._lockstep: Lockstep | None = None
        self._gone = False
        """The webcam was unplugged."""
        self._sent = self._sent_before = self._unanswered = 0

    def open(self) -> None:
        """Open the file or webcam and advertise the topics."""
        config = self._config
        if not config.uri:
            raise VideoError("no video: set the parameter uri to a file or bag, or to a webcam's number such as 0")
        self._player = make_player(self, config)
        self._tell_of_damage(self._player)
        if config.lockstep and not self._player.live:
            self._lockstep = Lockstep(self)

    def close(self) -> None:
        """Release the file or webcam and the topics."""
        if self._player is not None:
            self._player.close()
            self._player = None
        if self._lockstep is not None:
            self._lockstep.close()
            self._lockstep = None

    def start(self) -> None:
        """Let the file's time begin with the next image."""
        self._times = TimeBase()
        self._started = time.monotonic()
        self._begin: tuple[float, int, int] | None = None
        self._shown: tuple[int, float, int] | None = None

    def work(self) -> None:
        """Publish the next image at its time."""
        player = self._player
        if player is None:
            self.stopping.wait(0.2)
        elif self._gone:
            self._reconnect(player)
        elif not self._nobody_listens(player) and self._is_done(player):
            found_ns = player.next()
            if found_ns is None:
                self._ended(player)
            else:
                self._publish(player, found_ns)

    def reports(self) -> list[Report]:
        """Return how many images went out since the last report."""
        recent, self._sent_before = self._sent - self._sent_before, self._sent
        level = Level.OK if (recent or self.finished) and not self._unanswered else Level.WARN
        message = "playing" if recent else "finished" if self.finished else "no images"
        return [
            Report(
                "source: images", level, message, {"images": recent, "sent": self._sent, "unanswered": self._unanswered}
            )
        ]

    def _nobody_listens(self, player: Player) -> bool:
        """Wait a moment for a listener, if the file has not begun and one is missing."""
        if self._sent or player.live or not self._config.listeners:
            return False
        waited, listeners = time.monotonic() - self._started, player.listeners()
        if listeners >= self._config.listeners or (listeners and waited > LONGEST_WAIT):
            # We know the listeners; they need a moment longer to know us.
            self.stopping.wait(SETTLE)
            return False
        if waited > PATIENCE:
            self.complain("waiting for listeners on image_raw")
        self.stopping.wait(0.02)
        return True

    def _is_done(self, player: Player) -> bool:
        """Return whether the next image may follow; in lockstep, wait a moment for the chain and insist."""
        if self._lockstep is None or self._shown is None or self._lockstep.done(0.2):
            return True
        stamp_ns, at, tries = self._shown
        if time.monotonic() - at < AGAIN_AFTER:
            return False
        if tries >= TRIES:
            self._unanswered += 1
            what = "moved to" if self._lockstep.seen() else "looked at"
            self.complain(f"the image at {stamp_ns / NANOSECONDS:.3f} s was not {what}: going on without it")
            return True
        if not self._lockstep.seen():
            player.show(stamp_ns)
        self._shown = stamp_ns, time.monotonic(), tries + 1
        return False

    def _publish(self, player: Player, found_ns: int) -> None:
        stamp_ns = found_ns
        if not player.live:
            played_ns = self._times.accept(found_ns)
            if played_ns is None:
                return
            stamp_ns = self._paced(player, found_ns, played_ns)
        if self._lockstep is not None:
            self._lockstep.begin()
            self._shown = stamp_ns, time.monotonic(), 1
        player.show(stamp_ns)
        self._sent += 1

    def _paced(self, player: Player, found_ns: int, played_ns: int) -> int:
        """Return the stamp of a file's image, having waited for its time unless the chain sets the pace."""
        if self._begin is None:
            # In lockstep no clock plays a part, so that each run is like the other; 0 would mean: no stamp.
            self._begin = time.monotonic(), NANOSECONDS if self._lockstep else self.now_ns(), played_ns
        rate = 0.0 if self._lockstep else self._config.rate
        since_ns = played_ns - self._begin[2]
        if rate:
            since_ns = round(since_ns / rate)
            self.stopping.wait(max(0.0, self._begin[0] + since_ns / NANOSECONDS - time.monotonic()))
        return found_ns if player.own_stamps else self._begin[1] + since_ns

    def _ended(self, player: Player) -> None:
        self._tell_of_damage(player)
        uri = self._config.uri
        if player.live:
            self._gone = True
            self.complain(f"webcam {uri} is gone; trying again", Level.ERROR)
        elif self._config.loop:
            player.rewind()
        else:
            self.get_logger().info(f"end of {uri} after {self._sent} images")
            self.finished = True
            self.stopping.set()

    def _tell_of_damage(self, player: Player) -> None:
        if complaint := player.complaint():
            self.complain(complaint)

    def _reconnect(self, player: Player) -> None:
        self.stopping.wait(self._config.reconnect_after)
        player.rewind()
        self._gone = False
        self.get_logger().info(f"webcam {self._config.uri} is back")


def nodes() -> list[ChainNode]:
    """Return the node of this executable."""
    return [SourceNode()]
