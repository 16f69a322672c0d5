"""The live chain's states: which follows which, for how long, why, and how it is counted."""

from __future__ import annotations

import numpy as np

from physhmr.state_machine import FOLLOWED_BY, RECOVERY_S, StateMachine
from physhmr.types import Status, Transition

TICK_NS = 33_333_333
SECOND = 1_000_000_000
RECOVERY_STEPS = int(np.ceil(SECOND * RECOVERY_S / TICK_NS))


class Steps:
    """Control steps of a machine, each with what happens in it."""

    def __init__(self) -> None:
        self.machine = StateMachine(stale_after=0.2, lost_after=1.0)
        self.now = 0

    def step(self, *events: str, seen: bool = True, age: int = 0, passed: int = TICK_NS) -> Status:
        self.now += passed
        if seen:
            self.machine.seen(self.now - age)
        self.machine.look(self.now)
        for event in events:
            getattr(self.machine, event)(*["as the test wants"] * (event == "diverged"))
        return self.machine.settle(self.now)

    def steps(self, count: int, seen: bool = True) -> list[Status]:
        return [self.step(seen=seen) for _ in range(count)]


def test_the_table_holds_every_transition_that_happens_and_no_other() -> None:
    rng, happened = np.random.default_rng(0), set()
    for _ in range(60):
        steps = Steps()
        for _ in range(400):
            before, first = steps.machine.status, steps.machine.presence is Status.SEARCHING
            events = [name for name in ("set_up", "fell", "diverged") if rng.random() < 0.08]
            seen = bool(rng.random() < 0.3)
            if first and seen:
                events = [name for name in events if name != "set_up"]
            age, passed = int(rng.choice([0, SECOND // 2, 2 * SECOND])), int(rng.integers(1, SECOND))
            steps.step(*events, seen=seen, age=age, passed=passed)
            if before is not steps.machine.status:
                happened.add((before, steps.machine.status))
    assert happened == {(before, after) for before, following in FOLLOWED_BY.items() for after in following}


def test_a_fall_is_told_once_and_recovered_from_by_tracking_for_a_while() -> None:
    steps = Steps()
    assert steps.steps(3)[-1] is Status.TRACKING
    steps.machine.fell()
    assert steps.step("set_up") is Status.FALLEN
    assert steps.machine.transition == Transition(
        steps.now, Status.TRACKING, Status.FALLEN, "fell; put back on the reference"
    )
    assert steps.steps(RECOVERY_STEPS) == [Status.RECOVERING] * RECOVERY_STEPS
    assert steps.machine.reason == "set up again beside the person"
    assert steps.step() is Status.TRACKING
    counters = steps.machine.counters
    assert (counters["falls"], counters["reinitialisations"], counters["recoveries"]) == (1, 1, 1)
    assert counters["transitions"] == 4  # searching, tracking, fallen, recovering, tracking


def test_divergence_is_recovered_from_without_a_new_start() -> None:
    steps = Steps()
    steps.step()
    assert steps.step("diverged") is Status.DIVERGED
    assert steps.machine.reason == "as the test wants"
    assert steps.step() is Status.RECOVERING and "last good state" in steps.machine.reason
    assert steps.machine.counters["reinitialisations"] == 0


def test_another_fall_or_stale_rays_begin_the_recovery_again() -> None:
    for interruption in ("fell", "stale"):
        steps = Steps()
        steps.step("fell", "set_up")
        steps.steps(RECOVERY_STEPS - 8)
        if interruption == "fell":
            steps.step("fell", "set_up")
        else:
            assert steps.steps(8, seen=False)[-1] is Status.STALE
        assert steps.steps(RECOVERY_STEPS) == [Status.RECOVERING] * RECOVERY_STEPS
        assert steps.step() is Status.TRACKING
        assert steps.machine.counters["recoveries"] == 1


def test_with_nobody_there_is_nothing_to_recover() -> None:
    steps = Steps()
    steps.step("fell", "set_up")
    assert steps.steps(40, seen=False)[-1] is Status.LOST
    assert steps.step() is Status.TRACKING
    assert (steps.machine.counters["losses"], steps.machine.counters["recoveries"]) == (1, 0)


def test_who_is_seen_for_the_first_time_is_tracked_and_who_is_elsewhere_is_recovered_to() -> None:
    steps = Steps()
    assert steps.step(seen=False) is Status.SEARCHING
    steps.machine.set_up(first=True)
    assert steps.step() is Status.TRACKING
    assert steps.step("set_up") is Status.RECOVERING
    assert steps.machine.counters["reinitialisations"] == 2


def test_a_clock_that_jumps_back_does_not_keep_it_recovering() -> None:
    steps = Steps()
    steps.now = 100 * SECOND
    steps.step("diverged")
    steps.step()
    steps.now = 0
    assert steps.steps(RECOVERY_STEPS + 1)[-1] is Status.TRACKING


def test_the_transition_stays_while_the_status_does() -> None:
    steps = Steps()
    steps.steps(5)
    transition = steps.machine.transition
    assert transition is not None and transition.stamp_ns == TICK_NS and transition.after is Status.TRACKING
    assert steps.machine.counters["transitions"] == 1
