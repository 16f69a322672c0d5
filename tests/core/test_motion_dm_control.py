"""dm_control's clips, in its files and in envpool-assets', written here: known motion of our own body must come back;
other files are refused. Real ones, where they are at hand, agree with what CMU's text says of the same recordings."""

from __future__ import annotations

import importlib.util
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import BODY_INDEX, Skeleton
from physhmr.errors import MotionFileError
from physhmr.geometry.rotation import Y_UP_TO_Z_UP, matrix_to_quat
from physhmr.motion.acclaim import JOINT_OF
from physhmr.motion.cmu_expmap import load_cmu_expmap
from physhmr.motion.dm_control import BODIES, load_dm_control, open_trajectories, parent_of, rest_rotation
from physhmr.motion.envpool import SIGNATURE, load_envpool
from physhmr.motion.library import ClipGroup, build_group
from physhmr.motion.onto_humanoid import onto_humanoid, transfer
from physhmr.motion.procedural import generate
from physhmr.types import MotionClip

SKELETON = Skeleton()
CAPTURES = Path(__file__).parents[3] / "shared/data/mocap"
TOLERANCE = 0.001
"""m, mean joint error of a clip that comes back."""


def walking() -> MotionClip:
    return onto_humanoid([generate("walk", 3, SKELETON)], SKELETON)[0]


CLIP = walking()


def fields(clip: MotionClip) -> dict[str, np.ndarray]:
    """The clip as dm_control would store it; bodies that we lack move with their parents."""
    pos, rot = forward_kinematics(clip.qpos, SKELETON)
    ours = {joint: BODY_INDEX[body] for body, joint in JOINT_OF.items()}
    of: dict[str, int] = {}
    for body in BODIES:
        of[body] = ours[body] if body in ours else of[parent_of(body)]
    places = np.stack([pos[:, of[body]] for body in BODIES], 1)
    turns = np.stack([matrix_to_quat(rot[:, of[body]] @ Y_UP_TO_Z_UP @ rest_rotation(body)) for body in BODIES], 1)
    count, head = len(pos), BODIES.index("head")
    stored = [*range(1, head + 1), head, *range(head + 1, len(BODIES))]
    return {
        "position": places[:, 0].T,
        "quaternion": turns[:, 0].T,
        "body_positions": places[:, stored].reshape(count, -1).T,
        "body_quaternions": turns[:, stored].reshape(count, -1).T,
    }


def write(path: Path, dt: Any = 1 / 30, **changes: Any) -> Path:
    h5py = pytest.importorskip("h5py", reason="dm_control's files need the captures extra")
    with h5py.File(path, "w") as file:
        group = file.create_group("CMU_001_01")
        if dt is not None:
            group.attrs["dt"] = dt
        for key, value in (fields(CLIP) | changes).items():
            if value is not None:
                group[f"walkers/walker_0/{key}"] = value
    return path


def packed(dt: float = 1 / 30, name: str = "CMU_001_01", frames: int = len(CLIP.qpos), **changes: Any) -> bytes:
    """Two clips as envpool-assets packs them, the second called `name`; None leaves a feature out."""

    def text(value: str) -> bytes:
        return struct.pack(f"<I{len(value)}s", len(value), value.encode())

    def clip(called: str, count: int, features: dict[str, np.ndarray]) -> bytes:
        head = text(called) + struct.pack("<IdI", count, dt, len(features))
        for key, value in features.items():
            head += text(key) + struct.pack("<I", len(value)) + value.T.astype("<f4").tobytes()
        return head

    known = {key: value for key, value in (fields(CLIP) | changes).items() if value is not None}
    other = clip("other", 3, {"joints": np.zeros((56, 3))})
    return SIGNATURE + struct.pack("<I", 2) + other + clip(name, frames, known)


def test_our_own_motion_comes_back_packed() -> None:
    (back,) = onto_humanoid([load_envpool("CMU_001_01", packed(), SKELETON)], SKELETON)
    found, wanted = forward_kinematics(back.qpos, SKELETON)[0], forward_kinematics(CLIP.qpos, SKELETON)[0]
    assert np.linalg.norm(found - wanted, axis=-1).mean() < TOLERANCE


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "does not begin with EPMOCAP1"),
        (packed(name="CMU_009_99"), "there is no clip CMU_001_01; there are other, CMU_009_99"),
        (packed(frames=2**32 - 1), "is damaged"),
        (packed(name="\0"), "there is no clip"),
        (packed(dt=0.0), "must lie in"),
        (packed(body_positions=None), "CMU_001_01 lacks body_positions"),
        (packed(position=np.full((3, len(CLIP.qpos)), np.nan)), "not finite"),
        (packed(body_quaternions=np.zeros((124, len(CLIP.qpos)))), "must have length 1"),
        (packed(position=np.zeros((4, len(CLIP.qpos)))), "'position' must hold numbers of shape"),
        *((packed()[:size], "is damaged") for size in (8, 10, 14, 60, 760, 5000)),
    ],
)
def test_other_packs_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(MotionFileError, match=message):
        load_envpool("CMU_001_01", content, SKELETON)


@pytest.mark.parametrize(
    ("clip", "text"),
    [("CMU_016_31", 31), ("CMU_016_32", 32), ("CMU_016_47", 33), ("CMU_016_58", 34), ("CMU_047_01", 50)],
)
def test_real_clips_are_what_cmus_text_says(clip: str, text: int) -> None:
    """Within the frame of the pelvis the fit leaves two centimetres; it begins 0.06 s later."""
    archive = CAPTURES / "cmu_actions_expmap.zip"
    package = importlib.util.find_spec("envpool_assets")
    if not archive.is_file() or package is None or package.origin is None:
        pytest.skip(f"{archive} and the package envpool-assets are not both there")
    content = Path(package.origin).with_name("mujoco") / "locomotion/assets_dm_control/mocap_2020.bin"
    with zipfile.ZipFile(archive) as file:
        motion = load_cmu_expmap("text", file.read(f"train/walking_extra/walking_{text}.txt"))
    streams = [load_envpool(clip, content.read_bytes(), SKELETON), transfer(motion, JOINT_OF, SKELETON)]
    poses = [found.qpos for found in onto_humanoid(streams, SKELETON)]
    for qpos in poses:
        qpos[:, :7] = [0, 0, 0, 1, 0, 0, 0]
    fitted, original = (forward_kinematics(qpos, SKELETON)[0] for qpos in poses)
    count = min(len(fitted), len(original)) - 8
    off = [np.linalg.norm(fitted[:count] - original[lag : lag + count], axis=-1).mean() for lag in range(8)]
    assert off[2] == min(off) < 0.025


def test_our_own_motion_comes_back(tmp_path: Path) -> None:
    content = open_trajectories(write(tmp_path / "cmu.h5"))("CMU_001_01")
    (back,) = onto_humanoid([load_dm_control("walk", content, SKELETON)], SKELETON)
    found, wanted = forward_kinematics(back.qpos, SKELETON)[0], forward_kinematics(CLIP.qpos, SKELETON)[0]
    assert np.linalg.norm(found - wanted, axis=-1).mean() < TOLERANCE


def test_the_bodies_are_the_models() -> None:
    """30 bodies and the root, depth first: nobody comes before what it hangs on."""
    assert len(BODIES) == 31 and len(set(BODIES)) == 31
    parents = {body: parent_of(body) for body in BODIES[1:]}
    assert all(BODIES.index(parent) < BODIES.index(body) for body, parent in parents.items())
    assert parents["rthumb"] == "rhand" and parents["rclavicle"] == "thorax" and parents["lhipjoint"] == "root"
    assert parents["lowerback"] == "root" and parents["head"] == "upperneck" and parents["rtoes"] == "rfoot"


def test_bones_at_rest_point_along_minus_y_of_their_frames() -> None:
    """As in CMU's ASF files: legs splayed by 20 degrees, arms straight out, toes ahead."""
    down = np.array([0.0, -1.0, 0.0])
    tilt = np.radians(20)
    np.testing.assert_allclose(rest_rotation("lfemur") @ down, [np.sin(tilt), -np.cos(tilt), 0.0], atol=1e-6)
    np.testing.assert_allclose(rest_rotation("rfemur") @ down, [-np.sin(tilt), -np.cos(tilt), 0.0], atol=1e-6)
    np.testing.assert_allclose(rest_rotation("lhumerus") @ down, [1.0, 0.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(rest_rotation("rwrist") @ down, [-1.0, 0.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(rest_rotation("rfoot") @ down, [0.0, 0.0, 1.0], atol=1e-6)
    np.testing.assert_allclose(rest_rotation("thorax"), np.eye(3))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"body_positions": None}, "is no clip of dm_control"),
        ({"dt": None}, "is no clip of dm_control"),
        ({"dt": 0.0}, "'1 / dt' must lie in"),
        ({"dt": np.nan}, "'dt' holds numbers that are not finite"),
        ({"position": np.zeros((3, 5))}, "must have as many frames"),
        ({"position": np.zeros((4, 5))}, "'position' must hold numbers of shape"),
        ({"body_quaternions": np.zeros((124, len(CLIP.qpos)))}, "must have length 1"),
        ({"body_positions": np.full((93, len(CLIP.qpos)), np.nan)}, "not finite"),
        ({key: value[:, :0] for key, value in fields(CLIP).items()}, "two at least"),
    ],
)
def test_wrong_clips_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "cmu.h5", **changes)
    with pytest.raises(MotionFileError, match=message):
        load_dm_control("walk", open_trajectories(path)("CMU_001_01"), SKELETON)


def test_the_library_reads_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "cmu.h5")
    group = ClipGroup("cmu", "core", ("CMU_001_01",), (), "dm_control", archive="cmu.h5")
    clips, _ = build_group(group, tmp_path, SKELETON, lambda done, total: None)
    assert clips and clips[0].clip.name.startswith("CMU_001_01")
    other = ClipGroup("cmu", "core", ("CMU_009_99",), (), "dm_control", archive="cmu.h5")
    with pytest.raises(MotionFileError, match="CMU_009_99 is no clip"):
        build_group(other, tmp_path, SKELETON, lambda done, total: None)
    (tmp_path / "cmu.h5").write_bytes(b"no h5")
    with pytest.raises(MotionFileError, match="is no HDF5 file"):
        build_group(group, tmp_path, SKELETON, lambda done, total: None)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MotionFileError, match=r"needs h5py: pip install 'physhmr\[captures\]'"):
        build_group(group, tmp_path, SKELETON, lambda done, total: None)
