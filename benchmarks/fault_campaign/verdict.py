"""From what was heard to a verdict on each fault, and to the table of docs/reliability.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fault_campaign.heard import Heard, Told
from physhmr.types import Array

BACK_WITHIN = 2.0
"""s of good input after which the chain must track again."""
SAME_DIRECTION = 6.0
"""deg between the directions to the hips in the same picture, up to which it is the same person."""


@dataclass(frozen=True)
class Times:
    """When what happened, `time.monotonic` seconds."""

    fault: float
    good: float
    """Since when the input was good again."""
    end: float


@dataclass(frozen=True)
class Figures:
    """What one fault did."""

    name: str
    what: str
    back_after_s: float | None
    """From good input to the first state that is tracking and made of new rays; None: never."""
    tracked_percent: float
    """Of the states told during the fault."""
    timeline: tuple[tuple[float, str], ...]
    """Each change of state from the fault on: s from the good input, negative before it, and the state."""
    longest_silence_s: float
    """Between two states from the fault on."""
    falls: int
    """From the fault on, in nodes that were not killed."""
    messages: int
    non_finite: int
    stamps_back: int
    died: tuple[str, ...]
    """Processes that ended otherwise than well, without having been killed."""
    tracebacks: int
    same_person: bool | None
    """Whether in the end the person of the beginning was followed; None where there is only one."""

    @property
    def holds(self) -> bool:
        """Whether the chain came back in time, and nothing wrong was said."""
        sound = not (self.non_finite or self.stamps_back or self.died or self.tracebacks)
        in_time = self.back_after_s is not None and self.back_after_s <= BACK_WITHIN
        return sound and in_time and self.same_person is not False


def figures(
    name: str, what: str, heard: Heard, times: Times, said: str, died: Sequence[str], same_person: bool | None
) -> Figures:
    """Return the figures of a fault; `said` is the log of all processes."""
    after = [told for told in heard.states if told.at >= times.fault]
    during = [told for told in after if told.at < times.good]
    tracked = sum(told.state == "tracking" for told in during)
    return Figures(
        name, what,
        back_after_s=back_after(heard.states, times.good),
        tracked_percent=100.0 * tracked / max(len(during), 1),
        timeline=timeline(after, times.good),
        longest_silence_s=longest_silence([told.at for told in after], times),
        falls=sum(max(b.falls - a.falls, 0) for a, b in pairwise(after)),
        messages=sum(heard.messages.values()),
        non_finite=sum(heard.non_finite.values()),
        stamps_back=sum(heard.stamps_back.values()),
        died=tuple(died),
        tracebacks=said.count("Traceback"),
        same_person=same_person,
    )  # fmt: skip


def back_after(states: Sequence[Told], good: float) -> float | None:
    """Return the s from `good` to the first state that tracks a new image, None if there is none."""
    found = (told.at - good for told in states if told.at >= good and told.state == "tracking" and told.fresh)
    return next(found, None)


def timeline(states: Sequence[Told], good: float) -> tuple[tuple[float, str], ...]:
    """Return the first state and each that differs from the one before, with the s from `good`."""
    changes = [now for before, now in zip([None, *states], states) if before is None or now.state != before.state]
    return tuple((round(told.at - good, 2), told.state) for told in changes)


def longest_silence(arrivals: Sequence[float], times: Times) -> float:
    """Return the longest time, s, from the fault to the end in which nothing arrived."""
    return max(b - a for a, b in pairwise([times.fault, *arrivals, times.end]))


def off_course(hips_w: Mapping[int, Array], shown: Mapping[int, int], before_ns: int, since_ns: int) -> Array:
    """Return the angles (N,) deg between where the hips are in images from `since_ns` on and were in the same picture.

    `hips_w` is a direction (3,), `shown` the picture, each by the image's stamp in ns. Pictures that were not looked
    at before `before_ns` are left out.
    """
    before: dict[int, list[Array]] = {}
    for stamp, direction in hips_w.items():
        if stamp in shown and stamp < before_ns:
            before.setdefault(shown[stamp], []).append(direction)
    usual = {picture: np.mean(directions, axis=0) for picture, directions in before.items()}
    pairs = [
        (direction, usual[shown[stamp]])
        for stamp, direction in hips_w.items()
        if stamp >= since_ns and shown.get(stamp) in usual
    ]
    return np.array([_angle(a, b) for a, b in pairs])


def markdown(faults: Sequence[Sequence[Figures]]) -> str:
    """Return the table of docs/reliability.md: a row for each fault, over its rounds."""
    head = ("fault", "tracking again after", "tracked during it", "longest silence", "falls", "NaN", "stamps back", "")
    lines = [head, ("---",) * len(head), *(_cells(rounds) for rounds in faults)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _cells(rounds: Sequence[Figures]) -> tuple[str, ...]:
    held = sum(row.holds for row in rounds)
    return (
        rounds[0].what,
        _back(rounds),
        f"{np.mean([row.tracked_percent for row in rounds]):.0f} %",
        f"{max(row.longest_silence_s for row in rounds):.2f} s",
        *(str(sum(getattr(row, what) for row in rounds)) for what in ("falls", "non_finite", "stamps_back")),
        "holds" if held == len(rounds) else f"FAILS, {len(rounds) - held} of {len(rounds)}",
    )


def _back(rounds: Sequence[Figures]) -> str:
    back = sorted(row.back_after_s for row in rounds if row.back_after_s is not None)
    span = " - ".join(dict.fromkeys(f"{value:.2f}" for value in (*back[:1], *back[-1:])))
    never = f"never: {len(rounds) - len(back)}" if len(back) < len(rounds) else ""
    return ", ".join(filter(None, (span and f"{span} s", never)))


def _angle(a: Array, b: Array) -> float:
    cosine = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
