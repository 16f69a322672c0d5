"""Episodes that begin where others were about to fail: which states are kept, how often they are used."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("rsl_rl")

from physhmr.rl.hard_starts import EVERY, HardStarts  # noqa: E402
from physhmr.types import NQ, NV  # noqa: E402


def starts(envs: int = 3, capacity: int = 8) -> HardStarts:
    return HardStarts(envs, torch.Generator().manual_seed(0), capacity)


def run(hard: HardStarts, steps: int, which: int = 0) -> None:
    """Episodes of `steps` control steps, at the k-th of which everything of environment i is k + 1000 i."""
    envs = len(hard.again)
    for step in range(1, steps + 1):
        mark = step + 1000 * torch.arange(envs)
        rows = mark[:, None].float()
        hard.watch(torch.full((envs,), step), mark, mark % 7, rows.expand(-1, NQ), rows.expand(-1, NV))
    hard.failed(torch.tensor([which]), torch.tensor([steps]))


@pytest.mark.parametrize("steps", [2 * EVERY, 3 * EVERY, 4 * EVERY - 1, 7 * EVERY + 5])
def test_the_state_is_one_to_three_intervals_before_the_failure(steps: int) -> None:
    hard = starts()
    run(hard, steps, which=1)
    which, (frame, view, qpos, qvel) = hard.draw(torch.arange(3), share=100.0)
    assert which.tolist() == [0, 1, 2] and len(hard) == 1
    back = steps - (int(frame[0]) - 1000)
    assert EVERY <= back < 3 * EVERY and (back >= 2 * EVERY or steps < 3 * EVERY)
    assert (view == frame % 7).all()
    assert (qpos == frame[:, None]).all() and (qvel == frame[:, None]).all()


def test_who_fails_at_once_or_once_more_leaves_nothing() -> None:
    hard = starts()
    run(hard, 2 * EVERY - 1)
    assert len(hard) == 0
    run(hard, 5 * EVERY)
    hard.draw(torch.tensor([0]), share=100.0)
    assert hard.again.tolist() == [True, False, False]
    run(hard, 5 * EVERY)
    assert len(hard) == 1
    run(hard, 5 * EVERY, which=1)
    assert len(hard) == 2


def test_the_oldest_go_and_a_pool_that_fills_is_used_little() -> None:
    hard = starts(envs=2000)
    everybody = torch.arange(2000)
    assert not len(hard.draw(everybody, share=0.5)[0])
    run(hard, 5 * EVERY, which=0)
    few = len(hard.draw(everybody, share=0.5)[0])
    assert 400 < few < 600  # one of eight: half of the share
    hard.again[:] = False
    for which in range(1, 12):
        run(hard, 5 * EVERY, which)
    which, (frame, *_) = hard.draw(everybody, share=0.5)
    assert 900 < len(which) < 1100
    assert sorted(set((frame // 1000).tolist())) == list(range(4, 12))


def test_a_restored_pool_draws_the_same() -> None:
    first, second = starts(), starts()
    run(first, 5 * EVERY)
    second.restore(first.state())
    torch.testing.assert_close(first.draw(torch.arange(3), 1.0), second.draw(torch.arange(3), 1.0))
    run(first, 5 * EVERY, which=1)
    assert len(first) == 2 and len(second) == 1
