"""The tracking environment: starts on the reference, follows it, ends for the right reasons, survives bad physics."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("rsl_rl")

from physhmr.body.humanoid_mjcf import build_model, standing_qpos  # noqa: E402
from physhmr.body.skeleton import Skeleton  # noqa: E402
from physhmr.errors import ConfigError  # noqa: E402
from physhmr.motion.lifted import LiftedView  # noqa: E402
from physhmr.policy.action import NUM_ACTIONS  # noqa: E402
from physhmr.policy.kinematics import Kinematics  # noqa: E402
from physhmr.rl.env import TrackingEnv, TrackingEnvCfg  # noqa: E402
from physhmr.rl.hard_starts import EVERY  # noqa: E402
from physhmr.rl.reference_bank import ReferenceBank  # noqa: E402
from physhmr.rl.reference_noise import ReferenceNoise, ReferenceNoiseCfg  # noqa: E402
from physhmr.sim.batch_sim import BatchSim, ThreadedSim  # noqa: E402
from physhmr.types import MotionClip  # noqa: E402

Step = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
CALM = {"push_probability": 0.0, "start_noise": 0.0}


class FakeSim:
    """Physics by the test's own rule."""

    def __init__(self, rule: Step) -> None:
        self.step = rule


def clip(frames: int, name: str = "stand", lift: float = 0.0) -> MotionClip:
    """Standing; with `lift` m a reference that jumps up by so much after its first second."""
    qpos = np.tile(standing_qpos(Skeleton()), (frames, 1))
    qpos[30:, 2] += lift
    return MotionClip(name, 30.0, qpos, "test")


def bank(*clips: MotionClip) -> ReferenceBank:
    with torch.no_grad():
        return ReferenceBank.from_clips(list(clips), Kinematics(Skeleton()))


def env(sim: BatchSim, *clips: MotionClip, **cfg: object) -> TrackingEnv:
    return TrackingEnv(TrackingEnvCfg(num_envs=4, **(CALM | cfg)), bank(*clips), sim, Skeleton())  # type: ignore[arg-type]


def frozen(qpos: np.ndarray, qvel: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return qpos.copy(), 0.0 * qvel


def test_starts_on_the_reference() -> None:
    standing = env(FakeSim(frozen), clip(120))
    observation = standing.get_observations()["policy"]
    assert observation.shape == (4, 580)
    # 358: offsets to the reference, 10 mm up so that feet never start inside the floor; 442: hinge errors.
    offset = observation[:, 358:430].reshape(4, 24, 3)
    assert (offset - torch.tensor([0.0, 0.0, -0.01])).abs().max() < 1e-5
    assert observation[:, 442:511].abs().max() < 1e-6


def test_zero_action_keeps_standing() -> None:
    threaded = ThreadedSim(build_model(), 1)
    standing = env(threaded, clip(150), episode_steps=60)
    rewards, failures = [], 0
    for _ in range(59):
        _, reward, done, extras = standing.step(torch.zeros(4, NUM_ACTIONS))
        rewards.append(float(reward.mean()))
        failures += int((done.bool() & ~extras["time_outs"].bool()).sum())
    threaded.close()
    assert failures == 0 and min(rewards[10:]) > 0.8


def test_following_exactly_earns_the_whole_reward() -> None:
    standing = env(FakeSim(frozen), clip(120))
    standing._qpos[:, 2] -= 0.01
    _, reward, _, extras = standing.step(torch.zeros(4, NUM_ACTIONS))
    torch.testing.assert_close(reward, torch.ones(4), atol=1e-5, rtol=0)
    assert float(extras["log"]["/distance_mm"]) < 0.01


def test_losing_the_reference_ends_the_episode_as_a_failure() -> None:
    def fall(qpos: np.ndarray, qvel: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        qpos = qpos.copy()
        qpos[1, 2] -= 0.5
        return qpos, 0.0 * qvel

    _, _, done, extras = env(FakeSim(fall), clip(120)).step(torch.zeros(4, NUM_ACTIONS))
    assert (done & ~extras["time_outs"]).tolist() == [False, True, False, False]


def test_end_of_clip_and_of_episode_are_time_outs() -> None:
    standing = env(FakeSim(frozen), clip(40), episode_steps=5)
    seen = set()
    for step in range(1, 12):
        before = standing.episode_length_buf.clone()
        _, _, done, extras = standing.step(torch.zeros(4, NUM_ACTIONS))
        assert torch.equal(done, extras["time_outs"])
        assert (standing.episode_length_buf[done] == 0).all()
        seen |= {(step, int(length) + 1) for length in before[done]}
    assert seen and max(length for _, length in seen) == 5


def test_failure_in_the_last_step_is_no_time_out() -> None:
    def fall(qpos: np.ndarray, qvel: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return qpos - np.eye(76)[2], 0.0 * qvel

    _, _, done, extras = env(FakeSim(fall), clip(120), episode_steps=1).step(torch.zeros(4, NUM_ACTIONS))
    assert done.all() and not extras["time_outs"].any()


def rise(qpos: np.ndarray, qvel: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Everybody loses a still reference after 68 control steps."""
    return qpos + 0.005 * np.eye(76)[2], 0.0 * qvel


def test_new_episodes_begin_where_others_were_about_to_fail() -> None:
    rising = env(FakeSim(rise), clip(400), hard_share=1000.0)
    rising._frame[:] = torch.tensor([0, 50, 100, 150])
    for _ in range(80):
        _, _, done, _ = rising.step(torch.zeros(4, NUM_ACTIONS))
        if done.any():
            break
    assert done.all() and rising._hard_starts.again.all()
    lift = 200 * (rising._qpos[:, 2] - standing_qpos(Skeleton())[2])
    steps = lift.round().long() - 2  # Everybody began 10 mm up.
    assert ((steps > 68 - 3 * EVERY) & (steps <= 68 - 2 * EVERY)).all()
    # Each at that episode's frame of then, and asked for the next one.
    assert set((rising._frame - steps).tolist()) <= {0, 50, 100, 150}
    torch.testing.assert_close(rising._asked.pos, rising.bank.body[rising._frame + 1].pos)
    torch.testing.assert_close(rising._body.pos[:, 0], rising._qpos[:, :3])


def test_hard_starts_end_soon_and_say_nothing_about_clips() -> None:
    standing = env(FakeSim(frozen), clip(400), hard_steps=3)
    standing._frame[:] = 0
    standing._hard_starts.again[:2] = True
    before = standing.bank.failure.clone()
    for step in range(3):
        _, _, done, extras = standing.step(torch.zeros(4, NUM_ACTIONS))
        assert done.tolist() == [step == 2, step == 2, False, False]
    assert torch.equal(done, extras["time_outs"])
    assert torch.equal(standing.bank.failure, before)


@pytest.mark.parametrize("poison", [np.nan, np.inf, 1e6])
def test_exploding_physics_is_caught(poison: float) -> None:
    def explode(qpos: np.ndarray, qvel: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        qvel = 0.0 * qvel
        qvel[2, 10] = poison
        return qpos.copy(), qvel

    observation, reward, done, extras = env(FakeSim(explode), clip(120)).step(torch.zeros(4, NUM_ACTIONS))
    assert (done & ~extras["time_outs"]).tolist() == [False, False, True, False]
    assert torch.isfinite(observation["policy"]).all() and torch.isfinite(reward).all()


def test_pushes_change_the_velocity_only() -> None:
    seen: list[tuple[np.ndarray, np.ndarray]] = []

    def watch(qpos: np.ndarray, qvel: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen.append((qpos.copy(), qvel.copy()))
        return qpos.copy(), 0.0 * qvel

    standing = env(FakeSim(watch), clip(120), push_probability=1.0, push_speed=0.4)
    start = standing._qpos.numpy().copy()
    standing.step(torch.zeros(4, NUM_ACTIONS))
    np.testing.assert_array_equal(seen[0][0], start)
    assert (np.linalg.norm(seen[0][1][:, :3], axis=1) > 0).all() and np.abs(seen[0][1][:, 3:]).max() == 0


def test_a_restored_state_goes_on_to_the_bit() -> None:
    threaded = ThreadedSim(build_model(), 2)
    shown = LiftedView(clip(120).qpos + 0.02, *(np.zeros((120, *shape)) for shape in ((75,), (3,), (21, 3), (21,))))
    with torch.no_grad():
        seen = ReferenceBank.from_clips([clip(120)], Kinematics(Skeleton()), [[shown]])
    cfg = TrackingEnvCfg(num_envs=6, push_probability=0.3, episode_steps=7, noise=ReferenceNoiseCfg(strength=1.0))
    first, second = (
        TrackingEnv(cfg, seen, threaded, Skeleton()),
        TrackingEnv(cfg, bank(clip(120)), threaded, Skeleton()),
    )
    actions = torch.randn(16, 6, NUM_ACTIONS, generator=torch.Generator().manual_seed(1))
    for action in actions[:5]:
        first.step(action)
    state, statistics = first.state(), (seen.failure.clone(), seen.steps.clone())
    expected = [first.step(action) for action in actions[5:]]
    with pytest.raises(ConfigError, match="fewer views"):
        second.restore(state)
    second.bank, (seen.failure, seen.steps) = seen, statistics
    second.restore(state)
    # Looking does not change anything.
    assert torch.equal(second.get_observations()["policy"], second.get_observations()["policy"])
    for action, (observed, reward, done, _) in zip(actions[5:], expected, strict=True):
        again = second.step(action)
        assert torch.equal(again[0]["policy"], observed["policy"]) and torch.equal(again[1], reward)
        assert torch.equal(again[2], done)
    threaded.close()
    with pytest.raises(ConfigError, match="num_envs"):
        env(FakeSim(frozen), clip(120)).restore(state)


def test_same_seed_same_training() -> None:
    runs = []
    for _ in range(2):
        threaded = ThreadedSim(build_model(), 2)
        noisy = env(threaded, clip(120), push_probability=0.3, start_noise=0.05, seed=7)
        actions = torch.randn(5, 4, NUM_ACTIONS, generator=torch.Generator().manual_seed(1))
        runs.append(torch.stack([noisy.step(action)[0]["policy"] for action in actions]))
        threaded.close()
    assert torch.equal(*runs)


def test_samples_never_reach_a_clips_last_two_frames() -> None:
    reference = bank(clip(40, "a"), clip(70, "b"), clip(33, "c"))
    frames = reference.sample(20_000, torch.Generator().manual_seed(0))
    assert int(frames.min()) >= 0 and (reference.last[frames] - frames >= 2).all()
    assert set(torch.unique(reference.last[frames]).tolist()) == {39, 109, 142}


def test_failing_clips_are_visited_more_often() -> None:
    reference, random = bank(*(clip(60, str(k)) for k in range(20))), torch.Generator().manual_seed(0)
    for _ in range(100):
        reference.record(reference.first, torch.arange(20) == 7, torch.full((20,), 30))
    share = (reference.clip[reference.sample(5000, random, most=inf)] == 7).float().mean()
    assert share > 0.5
    uniform = (reference.clip[reference.sample(5000, random, focus=0.0)] == 7).float().mean()
    assert abs(float(uniform) - 0.05) < 0.02


def test_short_episodes_begin_more_often() -> None:
    """Two clips that always fail, one ten times as soon: per second it must get ten times the steps."""
    reference, random = bank(clip(200, "late"), clip(200, "soon")), torch.Generator().manual_seed(0)
    for _ in range(200):
        reference.record(reference.first, torch.ones(2, dtype=torch.bool), torch.tensor([100, 10]))
    starts = torch.bincount(reference.clip[reference.sample(20_000, random, focus=1.0, most=inf)], minlength=2)
    assert float(starts[1] * 10 / (starts[0] * 100)) == pytest.approx(10.0, rel=0.2)


@pytest.mark.parametrize("most", [3.0, 10.0])
def test_what_nobody_can_learn_does_not_crowd_out_the_rest(most: float) -> None:
    reference, random = bank(*(clip(60, str(k)) for k in range(20))), torch.Generator().manual_seed(0)
    for _ in range(100):
        reference.record(reference.first, torch.arange(20) == 7, torch.where(torch.arange(20) == 7, 2, 60))
    starts = torch.bincount(reference.clip[reference.sample(20_000, random, focus=1.0, most=most)], minlength=20)
    assert float(starts[7] / starts.float().median()) == pytest.approx(most, rel=0.2)


def test_what_is_recorded_is_followed() -> None:
    reference = bank(clip(90, "a"), clip(90, "b"))
    for _ in range(100):
        reference.record(torch.tensor([125]), torch.tensor([True]), torch.tensor([40]))
    assert float(reference.failure[1]) == pytest.approx(1.0, abs=1e-3)
    assert float(reference.steps[1]) == pytest.approx(40.0, abs=0.1)
    assert float(reference.failure[0]) == 0.5


def test_bank_holds_each_clips_own_velocities() -> None:
    moving = clip(40)
    qpos = moving.qpos.copy()
    qpos[:, 0] = np.arange(40) / 30.0
    reference = bank(MotionClip("walk", 30.0, qpos, "test"), clip(40))
    torch.testing.assert_close(reference.qvel[:40, 0], torch.ones(40))
    assert reference.qvel[40:].abs().max() == 0, "a velocity leaked across the seam between two clips"
    assert reference.last[39] == 39 and reference.last[40] == 79


def test_reference_noise_is_off_by_default_and_stationary_when_on() -> None:
    random = torch.Generator().manual_seed(0)
    qpos = torch.tensor(standing_qpos(Skeleton())).float().expand(4000, 76)
    qvel = torch.zeros(4000, 75)
    off = ReferenceNoise(ReferenceNoiseCfg(), 4000, random)
    off.reset(torch.arange(4000))
    off.advance()
    torch.testing.assert_close(off.apply(qpos, qvel)[0], qpos)
    cfg = ReferenceNoiseCfg(strength=1.0)
    on = ReferenceNoise(cfg, 4000, random)
    on.reset(torch.arange(4000))
    spread = []
    for _ in range(30):
        on.advance()
        shown, rates = on.apply(qpos, qvel)
        spread.append(float(shown[:, 0].std()))
        torch.testing.assert_close(shown[:, 3:7].norm(dim=1), torch.ones(4000))
    # Strengths are uniform in 0..1, so the variance is a third of the full one.
    expected = cfg.root_xy / 3**0.5
    assert np.abs(np.array(spread) / expected - 1).max() < 0.1
    assert float(rates.std()) == pytest.approx(cfg.rate / 3**0.5, rel=0.1)


def test_lifted_references_are_shown_and_the_clip_is_rewarded() -> None:
    stand = clip(120)
    shown = stand.qpos.copy()
    shown[:, 7 + 40] = 0.5
    nothing = np.zeros((120, 21, 3))
    view = LiftedView(shown, np.zeros((120, 75)), nothing[:, 0], nothing, nothing[..., 0])
    with torch.no_grad():
        lifted = ReferenceBank.from_clips([stand], Kinematics(Skeleton()), [[view]])
    cfg = TrackingEnvCfg(num_envs=4, lifted_share=1.0, **CALM)  # type: ignore[arg-type]
    watched = TrackingEnv(cfg, lifted, FakeSim(frozen), Skeleton())
    # 442: hinge errors of the observation.
    assert watched.get_observations()["policy"][:, 442 + 40].sub(0.5).abs().max() < 1e-5
    _, reward, _, _ = watched.step(torch.zeros(4, NUM_ACTIONS))
    plain = env(FakeSim(frozen), clip(120))
    _, same, _, _ = plain.step(torch.zeros(4, NUM_ACTIONS))
    torch.testing.assert_close(reward, same, atol=1e-3, rtol=1e-3)
