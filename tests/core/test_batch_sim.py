"""Many humanoids on threads: the same numbers as one after the other, every time."""

from __future__ import annotations

from collections.abc import Iterator

import mujoco
import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import SUBSTEPS, build_model, standing_qpos
from physhmr.body.skeleton import Skeleton
from physhmr.body.soles import on_floor
from physhmr.errors import ConfigError, ShapeError
from physhmr.sim.batch_sim import FLOORS, ThreadedSim, floor_frictions


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    return build_model()


@pytest.fixture()
def sim(model: mujoco.MjModel) -> Iterator[ThreadedSim]:
    threaded = ThreadedSim(model, num_threads=2)
    yield threaded
    threaded.close()


def states(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bodies near standing, moving a little, and targets that differ from where they are."""
    rng = np.random.default_rng(0)
    qpos = np.tile(standing_qpos(Skeleton()), (count, 1))
    qpos[:, 7:] += rng.normal(0, 0.1, (count, 69))
    return qpos, rng.normal(0, 0.3, (count, 75)), qpos[:, 7:] + rng.normal(0, 0.2, (count, 69))


def test_equals_one_simulation_after_the_other(model: mujoco.MjModel, sim: ThreadedSim) -> None:
    qpos, qvel, target = states(5)
    next_qpos, next_qvel = sim.step(qpos, qvel, target)
    for row in range(len(qpos)):
        single = mujoco.MjData(model)
        single.qpos[:], single.qvel[:], single.ctrl[:] = qpos[row], qvel[row], target[row]
        mujoco.mj_step(model, single, SUBSTEPS)
        np.testing.assert_allclose(next_qpos[row], single.qpos, atol=1e-9)
        np.testing.assert_allclose(next_qvel[row], single.qvel, atol=1e-7)


def test_same_input_same_output_whatever_ran_before(model: mujoco.MjModel, sim: ThreadedSim) -> None:
    first = sim.step(*states(7))
    sim.step(*(2.0 * value for value in states(3)))
    again = sim.step(*states(7))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    single = ThreadedSim(model, num_threads=1)
    np.testing.assert_array_equal(single.step(*states(7))[0], first[0])
    single.close()


def test_does_not_touch_its_input(sim: ThreadedSim) -> None:
    given = states(2)
    copies = [value.copy() for value in given]
    sim.step(*given)
    for value, copy in zip(given, copies, strict=True):
        np.testing.assert_array_equal(value, copy)


def test_one_bad_environment_does_not_spoil_the_others(sim: ThreadedSim) -> None:
    qpos, qvel, target = states(4)
    alone = sim.step(qpos[[0]], qvel[[0]], target[[0]])[0]
    qvel[2] = np.nan
    mixed = sim.step(qpos, qvel, target)[0]
    np.testing.assert_array_equal(mixed[0], alone[0])


def test_targets_of_another_size_are_refused(sim: ThreadedSim) -> None:
    qpos, qvel, target = states(2)
    with pytest.raises(ShapeError, match="target"):
        sim.step(qpos, qvel, target[:, :-1])


def test_another_model_is_refused() -> None:
    other = mujoco.MjModel.from_xml_string("<mujoco><worldbody><geom size='1'/></worldbody></mujoco>")
    with pytest.raises(ShapeError, match="physics state"):
        ThreadedSim(other)


def slid(sim: ThreadedSim, count: int) -> np.ndarray:
    """(N,) m, how far standing people who are pushed sideways at 1.5 m/s come in three control steps."""
    qpos = np.tile(on_floor(standing_qpos(Skeleton()), Skeleton()), (count, 1))
    start, qvel, target = qpos[:, 1].copy(), np.zeros((count, 75)), qpos[:, 7:]
    qvel[:, 1] = 1.5
    for _ in range(3):
        qpos, qvel = sim.step(qpos, qvel, target)
    return np.asarray(qpos[:, 1] - start)


def test_on_rougher_floors_people_slide_less(model: mujoco.MjModel) -> None:
    various = ThreadedSim(model, num_threads=2, friction_spread=0.8)
    distance = slid(various, FLOORS + 1)
    various.close()
    assert (np.diff(distance[: FLOORS // 4]) < 0).all() and distance[0] > distance[FLOORS - 1] + 0.004
    assert distance[FLOORS] == distance[0]


def test_without_a_spread_the_floor_is_the_models(model: mujoco.MjModel, sim: ThreadedSim) -> None:
    np.testing.assert_array_equal(floor_frictions(model, 0.0), model.geom_friction[None])
    middle = floor_frictions(model, 0.5)
    np.testing.assert_allclose(middle.mean(0), model.geom_friction)
    np.testing.assert_array_equal(middle[..., 1:], floor_frictions(model, 0.2)[..., 1:])
    assert len(set(slid(sim, 3))) == 1
    for spread in (-0.1, 1.0, float("nan")):
        with pytest.raises(ConfigError, match="friction_spread"):
            floor_frictions(model, spread)


@pytest.mark.slow
@pytest.mark.timeout(900)  # its kernels are compiled first
def test_both_back_ends_agree() -> None:
    """To single precision; where hinges press against their limits both solvers stop before they have converged."""
    pytest.importorskip("mujoco_warp", reason="the warp extra is not installed")
    from physhmr.sim.warp_sim import WarpSim

    model, random = build_model(), np.random.default_rng(0)
    qpos = np.tile(on_floor(standing_qpos(Skeleton()), Skeleton()), (4, 1))
    qpos[:, 7:] += random.normal(0.0, 0.1, (4, 69))
    qpos[:, 2] += [0.02, 0.0, 0.3, -0.005]
    qvel, target = random.normal(0.0, 0.3, (4, 75)), qpos[:, 7:] + random.normal(0.0, 0.1, (4, 69))
    # A spread of friction, so that the order of the floors is compared, too.
    threaded, warped = ThreadedSim(model, 1, 0.4), WarpSim(model, 4, "cpu", 0.4)
    for _ in range(5):
        (qpos, qvel), (other, _) = threaded.step(qpos, qvel, target), warped.step(qpos, qvel, target)
        assert np.median(np.abs(other - qpos)) < 1e-6
        assert np.abs(other - qpos).max() < 0.03
    with pytest.raises(ShapeError, match="qpos"):
        warped.step(qpos[:2], qvel, target)
    threaded.close()
    warped.close()
