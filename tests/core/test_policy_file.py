"""The exported policy equals the torch one, says what it is for, and is refused where it does not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.skeleton import Shape, Skeleton
from physhmr.errors import ModelFileError
from physhmr.geometry.rotation import quat_multiply, yaw_quat
from physhmr.policy.action import NUM_ACTIONS
from physhmr.policy.runtime import TrackingPolicy
from physhmr.types import Array, HumanoidState, Reference

torch = pytest.importorskip("torch", reason="exporting policies needs the training extra")

SKELETON = Skeleton()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, torch.nn.Module]:
    from physhmr.policy.export import ExpertModule, export_expert

    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(580, 32), torch.nn.ELU(), torch.nn.Linear(32, NUM_ACTIONS))
    path = tmp_path_factory.mktemp("policy") / "expert.onnx"
    export_expert(network, SKELETON, path, {"source": "test"})
    return path, ExpertModule(SKELETON, network)


def example(seed: int, turn: float = 0.0, shift: float = 0.0) -> tuple[HumanoidState, Reference]:
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(2):
        qpos = standing_qpos(SKELETON)
        qpos[:3] += 0.05 * rng.normal(size=3)
        qpos[7:] += 0.1 * rng.normal(size=69)
        rows.append((_moved(qpos, turn, shift), _turned(0.3 * rng.normal(size=75), turn)))
    (qpos, qvel), (qpos_ref, qvel_ref) = rows
    bodies = np.zeros((24, 3)), np.tile([1.0, 0, 0, 0], (24, 1))
    return HumanoidState(0, qpos, qvel, *bodies, np.zeros(69)), Reference(0, qpos_ref, qvel_ref)


def test_onnx_equals_torch(exported: tuple[Path, torch.nn.Module]) -> None:
    path, module = exported
    policy = TrackingPolicy(path, SKELETON)
    for seed in range(5):
        state, reference = example(seed)
        rows = (state.qpos, state.qvel, reference.qpos, reference.qvel)
        with torch.no_grad():
            expected = module(*(torch.tensor(row[None], dtype=torch.float32) for row in rows))[0].numpy()
        clipped = np.clip(expected, SKELETON.ranges[:, 0], SKELETON.ranges[:, 1])
        assert np.allclose(policy.target(state, reference), clipped, atol=2e-4)


def test_where_in_the_world_it_happens_does_not_matter(exported: tuple[Path, torch.nn.Module]) -> None:
    policy = TrackingPolicy(exported[0], SKELETON)
    here, there = policy.target(*example(3)), policy.target(*example(3, turn=2.0, shift=500.0))
    assert np.allclose(here, there, atol=1e-3)


def test_targets_stay_inside_the_hinge_ranges(exported: tuple[Path, torch.nn.Module]) -> None:
    state, reference = example(0)
    wild = Reference(0, reference.qpos, 100.0 * reference.qvel)
    target = TrackingPolicy(exported[0], SKELETON).target(state, wild)
    assert (target >= SKELETON.ranges[:, 0]).all() and (target <= SKELETON.ranges[:, 1]).all()


def test_a_policy_for_another_body_is_refused(exported: tuple[Path, torch.nn.Module]) -> None:
    with pytest.raises(ModelFileError, match="skeleton_hash"):
        TrackingPolicy(exported[0], Skeleton(Shape(height=1.8)))


def test_a_file_without_our_metadata_is_refused(exported: tuple[Path, torch.nn.Module], tmp_path: Path) -> None:
    model = onnx.load(str(exported[0]))
    del model.metadata_props[:]
    path = tmp_path / "foreign.onnx"
    onnx.save(model, str(path))
    with pytest.raises(ModelFileError, match="physhmr_contract"):
        TrackingPolicy(path, SKELETON)


def _moved(qpos: Array, turn: float, shift: float) -> Array:
    out = qpos.copy()
    cosine, sine = np.cos(turn), np.sin(turn)
    out[:2] = [cosine * qpos[0] - sine * qpos[1] + shift, sine * qpos[0] + cosine * qpos[1] - shift]
    out[3:7] = quat_multiply(yaw_quat(np.array(turn)), qpos[3:7])
    return out


def _turned(qvel: Array, turn: float) -> Array:
    out = qvel.copy()
    cosine, sine = np.cos(turn), np.sin(turn)
    out[:2] = [cosine * qvel[0] - sine * qvel[1], sine * qvel[0] + cosine * qvel[1]]
    return out
