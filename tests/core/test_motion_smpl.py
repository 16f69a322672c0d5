"""AMASS and SMPL joint files written here: known motion of our own body must come back; hostile files are refused."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import BODY_INDEX, PARENTS, SMPL_TO_MUJOCO, Skeleton
from physhmr.errors import MotionFileError, ShapeError, UnknownNameError
from physhmr.geometry.rotation import Y_UP_TO_Z_UP, matrix_to_quat, quat_to_rotvec
from physhmr.motion import amass, smpl_joints
from physhmr.motion.library import ClipGroup, build_group
from physhmr.motion.onto_humanoid import onto_humanoid, resampled
from physhmr.motion.procedural import generate
from physhmr.motion.smpl import JOINT_PARENTS, JOINTS, NUM_JOINTS, SmplBody, load_smpl_body, own_body, smpl_motion
from physhmr.types import Array, MotionClip

SKELETON = Skeleton()
SMPL = list(SMPL_TO_MUJOCO)
ROTATIONS_ALONE = 0.001
"""m, mean joint error of a clip that comes back from its axis angles (float32, hinge fit)."""
POINTS_ALONE = 0.01
"""m, mean joint error of a clip that comes back from its joints: twists are guessed."""


@pytest.fixture(scope="module", params=["walk_003", "gesture_002"])
def clip(request: pytest.FixtureRequest) -> MotionClip:
    """Motion that our body can do, at 30 Hz."""
    recipe, seed = request.param.rsplit("_", 1)
    return onto_humanoid([generate(recipe, int(seed), SKELETON)], SKELETON)[0]


def joints_of(clip: MotionClip) -> Array:
    return forward_kinematics(clip.qpos, SKELETON)[0]


def axis_angles(clip: MotionClip) -> Array:
    """(T, 22, 3) as AMASS would store the clip: local rotations in SMPL's axes, the root's into a z-up world."""
    rot = forward_kinematics(clip.qpos, SKELETON)[1]
    local = np.swapaxes(rot[:, list(PARENTS)], -1, -2) @ rot
    local[:, 0] = rot[:, 0]
    to_smpl = Y_UP_TO_Z_UP.T @ local @ Y_UP_TO_Z_UP
    to_smpl[:, 0] = local[:, 0] @ Y_UP_TO_Z_UP
    return quat_to_rotvec(matrix_to_quat(to_smpl))[:, SMPL[:NUM_JOINTS]]


def npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def amass_arrays(clip: MotionClip, width: int = 156, rate: str = "mocap_framerate") -> dict[str, Any]:
    poses = np.zeros((len(clip.qpos), width))
    poses[:, : 3 * NUM_JOINTS] = axis_angles(clip).reshape(len(poses), -1)
    gender = np.array("neutral")
    return {"poses": poses, "trans": clip.qpos[:, :3], "betas": np.ones(16), rate: np.array(30.0), "gender": gender}


def error_after_fit(clip: MotionClip, load: Any) -> float:
    """m, mean joint distance of what came back, both clips moved to the mean of their roots."""
    (back,) = onto_humanoid([load], SKELETON)
    assert len(back.qpos) == len(clip.qpos)
    found, wanted = joints_of(back), joints_of(clip)
    shift = (found[:, 0] - wanted[:, 0]).mean(0)
    return float(np.linalg.norm(found - shift - wanted, axis=-1).mean())


@pytest.mark.parametrize(
    ("width", "rate"), [(66, "mocap_framerate"), (156, "mocap_framerate"), (165, "mocap_frame_rate")]
)
def test_our_own_motion_comes_back_from_amass(clip: MotionClip, width: int, rate: str) -> None:
    stream = amass.load_amass("own", npz(**amass_arrays(clip, width, rate)), SKELETON)
    assert error_after_fit(clip, stream) < ROTATIONS_ALONE
    np.testing.assert_allclose(stream.root_w, clip.qpos[:, :3], atol=1e-6)


def test_a_faster_capture_is_resampled(clip: MotionClip) -> None:
    arrays = amass_arrays(clip)
    fast = {key: arrays[key].repeat(4, 0)[:-3] for key in ("poses", "trans")}
    stream = amass.load_amass("own", npz(**(arrays | fast | {"mocap_framerate": 120.0})), SKELETON)
    np.testing.assert_allclose(stream.root_w, clip.qpos[:, :3], atol=1e-6)


def model_of(body: SmplBody, path: Path) -> Path:
    """A body model of as many vertices as joints: each vertex is a joint."""
    count = body.directions.shape[2]
    vertices = np.concatenate([body.template, np.zeros((30, 3))])
    shapes = np.concatenate([body.directions, np.zeros((30, 3, count))])
    np.savez(path, v_template=vertices, shapedirs=shapes, J_regressor=np.eye(len(vertices)), f=np.array(["unused"]))
    return path


def test_a_body_model_gives_the_performers_bones(clip: MotionClip, tmp_path: Path) -> None:
    """A body twice as long in all directions moves like ours when its path is twice as long, too."""
    ours = own_body(SKELETON)
    growing = SmplBody(ours.template, np.stack([ours.template, 0 * ours.template], -1))
    body = load_smpl_body(model_of(growing, tmp_path / "model.npz"))
    np.testing.assert_allclose(body.rest_joints(np.array([1.0])), 2 * ours.template, atol=1e-12)
    arrays = amass_arrays(clip) | {"trans": 2 * clip.qpos[:, :3], "betas": np.array([1.0, 3.0])}
    stream = amass.load_amass("tall", npz(**arrays), SKELETON, body)
    np.testing.assert_allclose(stream.root_w, clip.qpos[:, :3], atol=1e-6)


def test_bones_that_rest_askew_point_where_the_performers_do() -> None:
    """SMPL's thighs rest splayed: legs that its angles make vertical must be vertical on our bones."""
    body, tilt = own_body(SKELETON), 0.1
    rest = body.template.copy()
    left = [JOINTS.index(name) for name in ("L_Knee", "L_Ankle", "L_Toe")]
    rest[left, 0] += tilt * np.linalg.norm(SKELETON.offsets[BODY_INDEX["L_Knee"]])
    poses = np.zeros((3, 22, 3))
    poses[:, 0] = quat_to_rotvec(matrix_to_quat(Y_UP_TO_Z_UP))
    # About SMPL's z, forward: from outward back to vertical.
    poses[:, JOINTS.index("L_Hip"), 2] = -np.arctan(tilt)
    poses[:, JOINTS.index("L_Knee"), 2] = np.arctan(tilt)
    arrays = {"poses": poses.reshape(3, -1), "trans": np.zeros((3, 3)), "betas": np.zeros(10), "mocap_framerate": 30.0}
    stream = amass.load_amass("splayed", npz(**arrays), SKELETON, SmplBody(rest, body.directions))
    (back,) = onto_humanoid([stream], SKELETON)
    pos = joints_of(back)[0]
    thigh = pos[BODY_INDEX["L_Knee"]] - pos[BODY_INDEX["L_Hip"]]
    np.testing.assert_allclose(thigh[:2] / thigh[2], 0.0, atol=2e-3)


def test_positions_do_not_depend_on_the_worlds_axis_names(clip: MotionClip) -> None:
    """The same motion told in a y-up world gives the same joints."""
    body, rotvecs = own_body(SKELETON), axis_angles(clip)
    z_up = smpl_motion("z", 30.0, body, rotvecs, np.zeros(0), clip.qpos[:, :3], "")
    turned = rotvecs.copy()
    root = forward_kinematics(clip.qpos, SKELETON)[1][:, 0]
    turned[:, 0] = quat_to_rotvec(matrix_to_quat(Y_UP_TO_Z_UP.T @ root @ Y_UP_TO_Z_UP))
    y_up = smpl_motion("y", 30.0, body, turned, np.zeros(0), clip.qpos[:, :3] @ Y_UP_TO_Z_UP, "", up="y")
    np.testing.assert_allclose(z_up.pos_w, y_up.pos_w, atol=1e-9)
    np.testing.assert_allclose(z_up.pos_w, joints_of(clip)[:, SMPL[:NUM_JOINTS]], atol=1e-9)


def test_the_tree_is_smpls() -> None:
    assert JOINT_PARENTS == (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)


@pytest.mark.parametrize("count", [22, 24])
def test_our_own_motion_comes_back_from_joints(clip: MotionClip, count: int) -> None:
    points = joints_of(clip)[:, SMPL[:count]]
    stream = smpl_joints.load_smpl_joints("own", npz(joints=points, fps=30), SKELETON)
    assert error_after_fit(clip, stream) < POINTS_ALONE
    y_up = npy((points @ Y_UP_TO_Z_UP).astype(np.float32))
    again = smpl_joints.load_smpl_joints("own", y_up, SKELETON, fps=30.0, up="y")
    np.testing.assert_allclose(again.root_w, stream.root_w, atol=1e-5)


def test_resampling_is_linear_and_keeps_the_ends() -> None:
    line = np.linspace(0.0, 1.0, 21)[:, None, None] * np.ones((1, 2, 3))
    np.testing.assert_allclose(resampled(line, 20.0), np.linspace(0.0, 1.0, 31)[:, None, None] * np.ones((1, 2, 3)))


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('a pickle ran code')",))


POSES = np.zeros((4, 156))
GOOD: dict[str, Any] = {"poses": POSES, "trans": POSES[:, :3], "betas": np.zeros(16), "mocap_framerate": 120.0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"poses": POSES[:, :60]}, "66 or more angles"),
        ({"poses": POSES[:, :67]}, "66 or more angles"),
        ({"poses": POSES[0]}, "'poses' must hold numbers of shape"),
        ({"trans": POSES[:3, :3]}, r"'trans' must hold numbers of shape \(4, 3\)"),
        ({"trans": np.full((4, 3), np.nan)}, "'trans' holds numbers that are not finite"),
        ({"poses": np.full((4, 156), np.inf)}, "'poses' holds numbers that are not finite"),
        ({"mocap_framerate": 0.0}, "must lie in"),
        ({"mocap_framerate": 1e-300}, "must lie in"),
        ({"mocap_framerate": np.array("fast")}, "mocap_framerate"),
        ({"poses": POSES[:1], "trans": POSES[:1, :3]}, "two frames"),
        ({"poses": np.array([Bomb()])}, "not a file of plain arrays"),
        ({"poses": np.array(["a"])}, "'poses' must hold numbers"),
    ],
)
def test_wrong_amass_files_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(MotionFileError, match=message):
        amass.load_amass("wrong", npz(**(GOOD | changes)), SKELETON)


@pytest.mark.parametrize("key", GOOD)
def test_missing_amass_keys_are_named(key: str) -> None:
    with pytest.raises(MotionFileError, match=key):
        amass.load_amass("wrong", npz(**{k: v for k, v in GOOD.items() if k != key}), SKELETON)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npz(joints=np.zeros((5, 23, 3)), fps=30), "22 or 24 joints"),
        (npz(joints=np.zeros((5, 24, 2)), fps=30), "'joints' must hold numbers"),
        (npz(joints=np.zeros((1, 24, 3)), fps=30), "two frames"),
        (npz(joints=np.zeros((5, 24, 3))), "does not say its rate"),
        (npz(joints=np.zeros((5, 24, 3)), fps=-1), "must lie in"),
        (npz(joints=np.full((5, 24, 3), np.nan), fps=30), "not finite"),
        (npz(joints=1000 * np.arange(360.0).reshape(5, 24, 3), fps=30), "are they in metres"),
        (npz(points=np.zeros((5, 24, 3)), fps=30), "lacks 'joints'"),
        (npy(np.zeros((5, 24, 3))), "does not say its rate"),
        (npy(np.array([Bomb()])), "not a file of plain arrays"),
        (b"", "not a file of plain arrays"),
        (b"\x80\x04", "not a file of plain arrays"),
    ],
)
def test_wrong_joint_files_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(MotionFileError, match=message):
        smpl_joints.load_smpl_joints("wrong", content, SKELETON)


def test_a_header_that_announces_too_much_is_refused() -> None:
    huge = npy(np.zeros((5, 24, 3))).replace(b"(5, 24, 3)", b"(5" + b"0" * 13 + b", 24, 3)")
    with pytest.raises(MotionFileError, match="not a file of plain arrays"):
        smpl_joints.load_smpl_joints("huge", huge, SKELETON)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 255), st.booleans())
def test_damage_anywhere_is_an_error_of_ours_or_harmless(place: int, value: int, cut: bool) -> None:
    content = bytearray(npz(**GOOD))
    place %= len(content)
    content[place] = value
    try:
        amass.load_amass("damaged", bytes(content[:place] if cut else content), SKELETON)
    except MotionFileError as error:
        assert "damaged" in str(error)


@pytest.mark.parametrize("key", ["v_template", "shapedirs", "J_regressor"])
def test_wrong_body_models_are_refused(tmp_path: Path, key: str) -> None:
    path = model_of(own_body(SKELETON), tmp_path / "model.npz")
    arrays = dict(np.load(path))
    np.savez(path, **{k: v for k, v in arrays.items() if k != key})
    with pytest.raises(MotionFileError, match=f"lacks {key}"):
        load_smpl_body(path)
    np.savez(path, **(arrays | {key: np.array([Bomb()])}))
    with pytest.raises(MotionFileError, match="not a file of plain arrays"):
        load_smpl_body(path)
    np.savez(path, **(arrays | {key: np.zeros(3)}))
    with pytest.raises(MotionFileError, match=key):
        load_smpl_body(path)
    with pytest.raises(MotionFileError, match="no body model"):
        load_smpl_body(tmp_path / "gone.npz")


def test_a_body_has_22_joints() -> None:
    with pytest.raises(ShapeError, match="template"):
        SmplBody(np.zeros((24, 3)), np.zeros((22, 3, 0)))
    with pytest.raises(ShapeError, match="rotvecs"):
        smpl_motion("x", 30.0, own_body(SKELETON), np.zeros((2, 21, 3)), np.zeros(0), np.zeros((2, 3)), "")


def group(**values: Any) -> ClipGroup:
    known = {"name": "mine", "category": "wide", "train": ("one",), "validation": (), "format": "amass"}
    return ClipGroup(**(known | {"archive": "AMASS/", "member": "{}.npz"} | values))


def test_the_library_reads_folders_and_zips_with_options(clip: MotionClip, tmp_path: Path) -> None:
    content = npz(**amass_arrays(clip))
    (tmp_path / "AMASS").mkdir()
    (tmp_path / "AMASS" / "one.npz").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "amass.zip", "w") as archive:
        archive.writestr("one.npz", content)
    model_of(own_body(SKELETON), tmp_path / "neutral.npz")
    wholes = [
        build_group(group(**options), tmp_path, SKELETON, lambda done, total: None)[0]
        for options in ({}, {"archive": "amass.zip"}, {"options": {"body": "neutral.npz"}})
    ]
    assert all(wholes) and wholes[0][0].split == "train"
    for other in wholes[1:]:
        np.testing.assert_allclose(other[0].clip.qpos, wholes[0][0].clip.qpos, atol=1e-6)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    for values, message in (
        ({}, r"AMASS is missing"),
        ({"options": {"body": "gone.npz"}}, r"no body model at .*gone\.npz"),
    ):
        with pytest.raises(MotionFileError, match=message):
            build_group(group(**values), tmp_path, SKELETON, lambda done, total: None)
    (tmp_path / "AMASS").mkdir()
    (tmp_path / "AMASS.zip").write_bytes(b"no zip")
    with pytest.raises(MotionFileError, match=r"cannot read one\.npz"):
        build_group(group(), tmp_path, SKELETON, lambda done, total: None)
    with pytest.raises(MotionFileError, match=r"is no zip file"):
        build_group(group(archive="AMASS.zip"), tmp_path, SKELETON, lambda done, total: None)
    with pytest.raises(UnknownNameError, match="option of amass 'fsp'"):
        group(options={"fsp": 30})
