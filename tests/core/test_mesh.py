"""A body model's skin: the SMPL paper's equations, our bodies' places, and refusals of what is no body model.

The models are made here. Where smplx is not installed, a stand-in for its one function takes its place.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import SMPL_TO_MUJOCO, Skeleton
from physhmr.body.smpl_parameters import SmplParameters, smpl_parameters
from physhmr.errors import EngineError, ModelFileError
from physhmr.geometry.rotation import Y_UP_TO_Z_UP, quat_to_matrix, rotvec_to_quat
from physhmr.mesh.body_model import load_body_model
from physhmr.mesh.skin import Skin, load_skin
from physhmr.motion.smpl import JOINT_PARENTS, JOINTS
from physhmr.types import NQ, Array

SKELETON = Skeleton()
AROUND = 0.05 * np.array([[2.0, -1.0, 0.0], [-1.0, 2.0, -1.0], [-1.0, -1.0, 1.0]])
"""m, three vertices about each joint, which is their mean."""
EXTRA = {24: (20, 21), 52: (20,) * 15 + (21,) * 15, 55: (15,) * 3 + (20,) * 15 + (21,) * 15}
"""Joints of a model -> parents of those after the first 22: hands, fingers, or face and fingers."""


def model(joints: int, size: float = 1.0, soft: bool = True) -> dict[str, Any]:
    """Arrays of a body with our bones, `size` times as long, that stands somewhere; soft: vertices follow several."""
    rng = np.random.default_rng(joints)
    rest = np.zeros((joints, 3))
    rest[:22] = size * SKELETON.rest_points[list(SMPL_TO_MUJOCO[:22])] @ Y_UP_TO_Z_UP
    parents = np.array([*JOINT_PARENTS, *EXTRA[joints]])
    rest[22:] = rest[parents[22:]] + rng.normal(size=(joints - 22, 3)) * 0.05
    if joints == 24:
        rest[22:] = size * SKELETON.rest_points[list(SMPL_TO_MUJOCO[22:])] @ Y_UP_TO_Z_UP
    rest += [0.1, -0.2, 0.03]
    owner = np.arange(joints).repeat(3)
    weights = np.eye(joints)[owner]
    if soft:
        weights = 0.7 * weights + 0.3 * np.eye(joints)[np.maximum(parents[owner], 0)]
    table = np.stack([parents, np.arange(joints)]).astype(np.uint32)  # the root's parent: 2^32 - 1
    return {
        "v_template": (rest[:, None] + AROUND).reshape(-1, 3),
        "posedirs": soft * 0.01 * rng.normal(size=(3 * joints, 3, 9 * (joints - 1))),
        "J_regressor": np.eye(joints).repeat(3, 1) / 3,
        "kintree_table": table,
        "weights": weights,
        "f": np.arange(3 * joints, dtype=np.uint32).reshape(-1, 3),
        "hands_meanl": np.array([None], object),  # what is not needed may be anything, and stays unread
    }


def skinned(arrays: dict[str, Any], pose: Array) -> tuple[Array, Array]:
    """Equations 2, 3 and 5-9 of the SMPL paper: vertices and joints for rotation vectors (J, 3), root at its rest."""
    rest = arrays["J_regressor"] @ arrays["v_template"]
    parents = [-1, *map(int, arrays["kintree_table"][0, 1:])]
    R = quat_to_matrix(rotvec_to_quat(pose))
    world = np.tile(np.eye(4), (len(rest), 1, 1))
    for joint, parent in enumerate(parents):
        local = np.eye(4)
        local[:3, :3], local[:3, 3] = R[joint], rest[joint] - (rest[parent] if joint else 0)
        world[joint] = world[parent] @ local if joint else local
    joints = world[:, :3, 3].copy()
    world[:, :3, 3] -= (world[:, :3, :3] @ rest[..., None])[..., 0]
    shaped = arrays["v_template"] + arrays["posedirs"] @ (R[1:] - np.eye(3)).ravel()
    blended = np.einsum("vj,jab->vab", arrays["weights"], world)
    return (blended[:, :3, :3] @ shaped[..., None])[..., 0] + blended[:, :3, 3], joints


def stand_in() -> ModuleType:
    """A package with smplx.lbs.lbs after the paper; not for speed."""
    import torch

    def lbs(betas: Any, pose: Any, v_template: Any, shapedirs: Any, posedirs: Any, J_regressor: Any, parents: Any,
            lbs_weights: Any) -> tuple[Any, Any]:  # fmt: skip
        assert betas.shape[-1] == shapedirs.shape[-1] and pose.shape == (1, 3 * len(parents))
        arrays = {
            "v_template": v_template.numpy(), "J_regressor": J_regressor.numpy(), "weights": lbs_weights.numpy(),
            "kintree_table": parents.numpy()[None], "posedirs": posedirs.numpy().T.reshape(len(v_template), 3, -1),
        }  # fmt: skip
        return tuple(torch.from_numpy(one)[None] for one in skinned(arrays, pose.numpy().reshape(-1, 3)))

    module = ModuleType("smplx.lbs")
    module.lbs = lbs  # type: ignore[attr-defined]
    return module


@pytest.fixture(params=["stand-in", "smplx"])
def skinning(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "stand-in":
        monkeypatch.setitem(sys.modules, "smplx", ModuleType("smplx"))
        monkeypatch.setitem(sys.modules, "smplx.lbs", stand_in())
    elif importlib.util.find_spec("smplx") is None:
        pytest.skip("smplx is not here (its licence is between its authors and its users)")
    return str(request.param)


def saved(arrays: dict[str, Any], folder: Path) -> Path:
    path = folder / "model.npz"
    np.savez(path, **arrays)
    return path


def anyhow(seed: int) -> Array:
    qpos = np.random.default_rng(seed).uniform(-1.0, 1.0, NQ)
    qpos[3:7] /= np.linalg.norm(qpos[3:7])
    return qpos


@pytest.mark.parametrize("joints", EXTRA)
def test_the_skin_is_that_of_the_paper(joints: int, skinning: str, tmp_path: Path) -> None:
    arrays = model(joints)
    told = smpl_parameters(anyhow(joints))
    pose = np.zeros((joints, 3))
    used = 24 if joints == 24 else 22
    pose[:used] = np.concatenate([told.global_orient, told.body_pose]).reshape(-1, 3)[:used]
    vertices, centres = skinned(arrays, pose)
    skin = load_skin(saved(arrays, tmp_path))
    np.testing.assert_allclose(skin.vertices(told), vertices - centres[0] + told.transl, atol=1e-5)
    assert np.array_equal(skin.faces, arrays["f"])


def test_with_our_bones_the_skin_is_where_our_bodies_are(skinning: str, tmp_path: Path) -> None:
    qpos = anyhow(3)
    skin = load_skin(saved(model(24, soft=False), tmp_path))
    centres = skin.vertices(smpl_parameters(qpos)).reshape(24, 3, 3).mean(1)
    np.testing.assert_allclose(centres, forward_kinematics(qpos, SKELETON)[0][list(SMPL_TO_MUJOCO)], atol=1e-5)


@pytest.mark.parametrize("size", [0.5, 1.3])
def test_a_model_of_another_size_stands_on_the_same_floor(size: float, skinning: str, tmp_path: Path) -> None:
    qpos = np.zeros(NQ)
    qpos[2:4] = SKELETON.standing_root_height, 1.0
    skin = load_skin(saved(model(24, size, soft=False), tmp_path))
    centres = skin.vertices(smpl_parameters(qpos)).reshape(24, 3, 3).mean(1)
    # It has our bones, longer or shorter; made as large as ours, it is the same body.
    np.testing.assert_allclose(centres, SKELETON.rest_points[list(SMPL_TO_MUJOCO)], atol=1e-5)


def test_smpls_hands_turn_no_fingers(skinning: str, tmp_path: Path) -> None:
    skin = load_skin(saved(model(55), tmp_path))
    told = smpl_parameters(anyhow(5))
    other = told.body_pose.copy()
    other[-6:] = 0.0
    same = skin.vertices(SmplParameters(told.global_orient, other, told.transl))
    np.testing.assert_array_equal(skin.vertices(told), same)
    other[3 * JOINTS.index("L_Wrist") - 3] += 0.5
    assert np.abs(skin.vertices(SmplParameters(told.global_orient, other, told.transl)) - same).max() > 0.01


def test_without_smplx_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "smplx", None)
    monkeypatch.setitem(sys.modules, "smplx.lbs", None)
    with pytest.raises(EngineError, match=r"pip install 'physhmr\[smplx\]'"):
        Skin(load_body_model(saved(model(24), tmp_path)), SKELETON)


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('a pickle ran code')",))


GOOD = model(24)


@pytest.mark.parametrize("key", ["v_template", "posedirs", "J_regressor", "kintree_table", "weights", "f"])
def test_what_a_model_lacks_or_has_askew_is_named_and_nothing_is_unpickled(key: str, tmp_path: Path) -> None:
    for changed, message in (
        ({name: value for name, value in GOOD.items() if name != key}, f"lacks {key}; docs/mesh.md"),
        (GOOD | {key: np.zeros(7)}, f"'{key}' must hold numbers of shape"),
        (GOOD | {key: np.array([Bomb()])}, "not a file of plain arrays"),
        (GOOD | {key: np.full(GOOD[key].shape, np.nan)}, f"'{key}' holds numbers that are not finite"),
    ):
        with pytest.raises(ModelFileError, match=message):
            load_body_model(saved(changed, tmp_path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": 2 * GOOD["weights"]}, "sum to 1"),
        ({"f": np.array([[0, 1, 72]])}, "from 0 to 71"),
        ({"f": np.zeros((0, 3))}, "from 0 to 71"),
        ({"kintree_table": GOOD["kintree_table"][:, ::-1]}, "22 joints of SMPL's body"),
        ({"kintree_table": np.zeros((2, 24))}, "22 joints of SMPL's body"),
        ({"v_template": 1000 * GOOD["v_template"]}, "in metres"),
        ({"v_template": GOOD["v_template"][:, [0, 2, 1]]}, "y up"),
    ],
)
def test_a_model_that_is_no_body_is_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=message):
        load_body_model(saved(GOOD | changes, tmp_path))


def test_a_file_that_is_not_there_or_no_npz_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no body model at"):
        load_body_model(tmp_path / "gone.npz")
    (tmp_path / "SMPL_NEUTRAL.pkl").write_bytes(b"\x80\x04N.")
    with pytest.raises(ModelFileError, match=r"not a file of plain arrays.*docs/mesh\.md"):
        load_body_model(tmp_path / "SMPL_NEUTRAL.pkl")
