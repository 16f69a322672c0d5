"""Loaders of captured motion: small files of known content, damaged ones, and the real ones where they are at hand."""

from __future__ import annotations

import io
import json
import pickle
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import BODY_INDEX, SMPL_TO_MUJOCO, Skeleton
from physhmr.errors import MotionFileError
from physhmr.motion import acclaim, asap, bvh, cmu_expmap, deepmimic
from physhmr.motion.cleanup import clean
from physhmr.motion.from_points import SMPL_FOOT_SLOPES
from physhmr.motion.ground import beyond_support, stand_on_floor
from physhmr.motion.library_report import unevenness
from physhmr.motion.onto_humanoid import onto_humanoid, transfer
from physhmr.motion.source import PoseStream, SourceMotion
from physhmr.types import Array

SKELETON = Skeleton()
CAPTURES = Path(__file__).resolve().parents[3] / "shared" / "data" / "mocap"

BVH = """HIERARCHY
ROOT hip
{{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
  JOINT arm
  {{
    OFFSET 10 20 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {{
      OFFSET 30 0 0
    }}
  }}
  JOINT leg
  {{
    OFFSET 0 -40 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {{
      OFFSET 0 -40 0
    }}
  }}
}}
MOTION
Frames: {frames}
Frame Time: 0.02
{rows}
"""


def bvh_bytes(*rows: str) -> bytes:
    return BVH.format(frames=len(rows), rows="\n".join(rows)).encode()


def as_cmu_means(content: bytes) -> SourceMotion:
    return bvh.cmu_motion("a", bvh.read_bvh("a", content))


def test_bvh_positions_axes_and_units() -> None:
    motion = as_cmu_means(bvh_bytes("100 90 0 " + "0 " * 9, "100 90 50 " + "0 " * 9))
    assert motion.joints == ("hip", "arm", "leg") and motion.fps == pytest.approx(50.0)
    # x left, y up, z forward in cm -> x forward, y left, z up in m.
    np.testing.assert_allclose(motion.pos_w[0], [[0, 1, 0.9], [0, 1.1, 1.1], [0, 1, 0.5]], atol=1e-12)
    np.testing.assert_allclose(motion.pos_w[1, 0], [0.5, 1, 0.9], atol=1e-12)
    np.testing.assert_allclose(motion.rest_w[2], [0, 0, -0.4], atol=1e-12)


def test_a_bvh_s_rate_may_be_told_otherwise() -> None:
    # 26 frames at the 25 Hz that the file tells are a second, ours at 30 Hz.
    frames = [len(bvh.load_bvh("a", daz_bvh(26), SKELETON, fps=fps).root_w) for fps in (None, 50.0)]
    assert frames == [31, 16]
    with pytest.raises(MotionFileError, match="fps must be positive, got -1"):
        bvh.load_bvh("a", daz_bvh(26), SKELETON, fps=-1.0)


def test_bvh_channels_multiply_in_their_order() -> None:
    zero = "0 " * 12
    turned = "0 0 0 90 0 0 " + "0 " * 6
    both = "0 0 0 90 0 90 " + "0 " * 6
    rot = as_cmu_means(bvh_bytes(zero, turned, both)).rot_w[:, 0]
    np.testing.assert_allclose(rot[0], np.eye(3), atol=1e-12)
    # A quarter about z (forward, ours x) takes left (ours y) up (ours z).
    np.testing.assert_allclose(rot[1] @ [0, 1, 0], [0, 0, 1], atol=1e-12)
    # Then about the turned x, which points up now: forward goes where left was.
    np.testing.assert_allclose(rot[2] @ [1, 0, 0], rot[1] @ [0, 0, -1], atol=1e-12)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"HIERARCHY ROOT",
        bvh_bytes("1 2 3"),
        bvh_bytes("0 " * 12, "0 " * 11 + "nan"),
        bvh_bytes("0 " * 12, "0 " * 12).replace(b"CHANNELS 3", b"CHANNELS three"),
        bvh_bytes("0 " * 12),
    ],
)
def test_damaged_bvh_is_refused(content: bytes) -> None:
    with pytest.raises(MotionFileError, match="walk"):
        bvh.read_bvh("walk", content)


DAZ_FIGURE = {
    "hip": ("", "0 0 0"), "abdomen": ("hip", "0 2 0"), "chest": ("abdomen", "0 12 -1"), "neck": ("chest", "0 22 -2"),
    "head": ("neck", "0 9 1"),
    "lThigh": ("hip", "8 -6 0"), "lShin": ("lThigh", "0 -36.8199 0.73152"),
    "lFoot": ("lShin", "-0.73152 -45.1104 -5.12064"),
    "rThigh": ("hip", "-8 -6 0"), "rShin": ("rThigh", "0 -40 1"), "rFoot": ("rShin", "1 -41 -5"),
    "lCollar": ("chest", "3 18 -1"), "lShldr": ("lCollar", "12 0 0"), "lForeArm": ("lShldr", "24 -1 0"),
    "lHand": ("lForeArm", "22 1 7"),
    "rCollar": ("chest", "-3 18 -1"), "rShldr": ("rCollar", "-12 0 0"), "rForeArm": ("rShldr", "-24 -1 0"),
    "rHand": ("rForeArm", "-22 1 7"),
}  # fmt: skip
"""Joint -> its parent and offset in cm, y up, z forward: bent at knees and elbows, as in the files."""


def daz_bvh(frames: int) -> bytes:
    """The figure at rest, standing still."""

    def block(name: str) -> str:
        channels = "CHANNELS 3 Zrotation Xrotation Yrotation"
        if name == "hip":
            channels = "CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation"
        below = "".join(block(child) for child, (parent, _) in DAZ_FIGURE.items() if parent == name)
        end = below or "End Site { OFFSET 0 -5 0 } "
        return f"{'JOINT' if name != 'hip' else 'ROOT'} {name} {{ OFFSET {DAZ_FIGURE[name][1]} {channels} {end}}} "

    row = "0 90 0 " + "0 " * (3 * len(DAZ_FIGURE))
    return f"HIERARCHY {block('hip')}MOTION\nFrames: {frames}\nFrame Time: 0.04\n{frames * (row + chr(10))}".encode()


def test_cmu_s_performers_have_straight_limbs_in_a_bent_figure() -> None:
    """All joints at rest: knees and elbows are straight, legs lean back, arms hang a little, the head nods."""
    rot = bvh.load_bvh("still", daz_bvh(3), SKELETON).rot_w[0]
    for side, outward in (("L", 1.0), ("R", -1.0)):
        for upper, lower, direction in (
            ("Hip", "Knee", (-0.1, 0.0, -0.995)), ("Shoulder", "Elbow", (0.0, 0.99 * outward, -0.143)),
        ):  # fmt: skip
            for body, child in ((upper, lower), (lower, {"Knee": "Ankle", "Elbow": "Wrist"}[lower])):
                offset = SKELETON.offsets[BODY_INDEX[f"{side}_{child}"]]
                bone = rot[BODY_INDEX[f"{side}_{body}"]] @ (offset / np.linalg.norm(offset))
                np.testing.assert_allclose(bone, direction, atol=2e-3)
    # Where the figure looks ahead, they look down.
    np.testing.assert_allclose(rot[BODY_INDEX["Head"]] @ [1.0, 0.0, 0.0], [np.cos(0.28), 0, -np.sin(0.28)], atol=1e-6)


def test_cmu_s_figure_is_known_among_others_of_the_same_names() -> None:
    known, other = daz_bvh(3), daz_bvh(3).replace(b"-36.8199", b"-36.9")
    # By its places a bent elbow is bent.
    rot = [bvh.load_bvh("still", content, SKELETON).rot_w[0] for content in (known, other)]
    forearm = [pose[BODY_INDEX["L_Elbow"]] @ [0.0, 1.0, 0.0] for pose in rot]
    assert np.degrees(np.arccos(forearm[0] @ forearm[1])) > 10


def deepmimic_row(**joints: Array | float) -> list[float]:
    """Standing at rest but for the given joints."""
    order = ["chest", "neck", "right_hip", "right_knee", "right_ankle", "right_shoulder", "right_elbow"]
    order += ["left_hip", "left_knee", "left_ankle"]
    row = [1 / 30, 0.0, 0.9, 0.0, 1.0, 0.0, 0.0, 0.0]
    for joint in [*order, "left_shoulder", "left_elbow"]:
        rest: Array | float = 0.0 if joint.endswith(("knee", "elbow")) else np.array([1.0, 0, 0, 0])
        row += np.atleast_1d(joints.get(joint, rest)).tolist()
    return row


def deepmimic_qpos(**joints: Array | float) -> Array:
    content = json.dumps({"Loop": "wrap", "Frames": [deepmimic_row(**joints)] * 20}).encode()
    stream = transfer(deepmimic.load_deepmimic("pose", content), deepmimic.JOINT_OF, SKELETON)
    return onto_humanoid([stream], SKELETON)[0].qpos[5]


def test_deepmimic_stands_with_hanging_arms() -> None:
    pos, _ = forward_kinematics(deepmimic_qpos(), SKELETON)
    for side in ("L", "R"):
        arm = pos[BODY_INDEX[f"{side}_Wrist"]] - pos[BODY_INDEX[f"{side}_Shoulder"]]
        assert arm[2] < -0.99 * np.linalg.norm(arm)
    assert pos[BODY_INDEX["L_Shoulder"], 1] > pos[BODY_INDEX["R_Shoulder"], 1]
    assert pos[BODY_INDEX["L_Toe"], 0] > pos[BODY_INDEX["L_Ankle"], 0]


def test_deepmimic_knees_bend_back_and_elbows_forward() -> None:
    pos, _ = forward_kinematics(deepmimic_qpos(left_knee=-1.0, right_elbow=1.0), SKELETON)
    assert pos[BODY_INDEX["L_Ankle"], 0] < pos[BODY_INDEX["R_Ankle"], 0] - 0.2
    assert pos[BODY_INDEX["R_Wrist"], 0] > pos[BODY_INDEX["L_Wrist"], 0] + 0.1


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"Frames": [[1, 2]]}', b'{"Frames": "none"}'])
def test_damaged_deepmimic_is_refused(content: bytes) -> None:
    with pytest.raises(MotionFileError, match="kick"):
        deepmimic.load_deepmimic("kick", content)


def test_expmap_at_rest_is_the_asf_skeleton_standing_up() -> None:
    rows = np.zeros((4, 117))
    rows[:, 1] = 17.0
    content = "\n".join(",".join(f"{v:g}" for v in row) for row in rows).encode()
    motion = cmu_expmap.load_cmu_expmap("rest", content)
    assert len(motion.pos_w) == 3 and motion.fps == 120.0
    assert motion.pos_w[0, 0, 2] == pytest.approx(17 * 0.0254 / 0.45)
    assert motion.pos_w[0, motion.joint("lfemur"), 1] > 0 > motion.pos_w[0, motion.joint("rfemur"), 1]
    assert motion.pos_w[0, motion.joint("head"), 2] > motion.pos_w[0, motion.joint("ltoes"), 2] + 1.0
    with pytest.raises(MotionFileError, match="no joint 'tail'"):
        motion.joint("tail")


@pytest.mark.parametrize("content", [b"a,b", b"1,2,3", b",".join([b"nan"] * 117)])
def test_damaged_expmap_is_refused(content: bytes) -> None:
    with pytest.raises(MotionFileError, match="walk"):
        cmu_expmap.load_cmu_expmap("walk", content)


class NumpyArrayWrapper:
    """joblib's header in front of an array's bytes."""


class JoblibPickler(pickle._Pickler):  # type: ignore[name-defined, misc]
    """Writes arrays as joblib does: a pickled header, padding, then raw bytes inside the stream."""

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if not isinstance(obj, np.ndarray):
            super().save(obj, save_persistent_id)
            return
        header = NumpyArrayWrapper()
        header.__dict__ |= {
            "subclass": np.ndarray, "shape": obj.shape, "order": "C", "dtype": obj.dtype, "allow_mmap": True,
            "numpy_array_alignment_bytes": 16,
        }  # fmt: skip
        super().save(header)
        self.write(bytes([3]) + b"\xff" * 3 + obj.tobytes())


def asap_bytes(monkeypatch: pytest.MonkeyPatch, clip: object) -> bytes:
    for name in ("joblib", "joblib.numpy_pickle"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["joblib.numpy_pickle"].NumpyArrayWrapper = NumpyArrayWrapper  # type: ignore[attr-defined]
    monkeypatch.setattr(NumpyArrayWrapper, "__module__", "joblib.numpy_pickle")
    stream = io.BytesIO()
    JoblibPickler(stream, protocol=2).dump({"clip": clip})
    return stream.getvalue()


def test_asap_points_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    points = SKELETON.rest_points[list(SMPL_TO_MUJOCO)]
    joints = np.tile(points, (10, 1, 1)).astype(np.float32)
    content = asap_bytes(monkeypatch, {"smpl_joints": joints, "fps": 30, "dof": np.zeros((10, 23))})
    stream = asap.load_asap("squat", content, SKELETON)
    assert isinstance(stream, PoseStream) and len(stream.root_w) == 10
    np.testing.assert_allclose(stream.root_w[0], SKELETON.rest_points[0], atol=0.02)


def test_smpl_s_people_stand_on_flat_feet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their toes lie lower below the ankles than ours do."""
    points = SKELETON.rest_points.copy()
    for side, slope in zip("LR", SMPL_FOOT_SLOPES, strict=True):
        ankle, toe = (BODY_INDEX[f"{side}_{part}"] for part in ("Ankle", "Toe"))
        points[toe, 2] = points[ankle, 2] - np.tan(slope) * np.linalg.norm((points[toe] - points[ankle])[:2])
    joints = np.tile(points[list(SMPL_TO_MUJOCO)], (10, 1, 1))
    stream = asap.load_asap("stands", asap_bytes(monkeypatch, {"smpl_joints": joints, "fps": 30}), SKELETON)
    for side in "LR":
        np.testing.assert_allclose(stream.rot_w[:, BODY_INDEX[f"{side}_Ankle"], 2, 2], 1.0, atol=1e-3)


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('a pickle ran code')",))


@pytest.mark.parametrize("clip", [Bomb(), {"smpl_joints": Bomb(), "fps": 30}])
def test_a_pickle_that_would_run_code_is_refused(monkeypatch: pytest.MonkeyPatch, clip: object) -> None:
    with pytest.raises(MotionFileError, match="which plain arrays do not need"):
        asap.load_asap("bomb", asap_bytes(monkeypatch, clip), SKELETON)


@pytest.mark.parametrize("clip", [{}, {"fps": 30}, {"smpl_joints": np.zeros((5, 24, 3)), "fps": 60}])
def test_other_pickles_are_refused(monkeypatch: pytest.MonkeyPatch, clip: object) -> None:
    with pytest.raises(MotionFileError):
        asap.load_asap("other", asap_bytes(monkeypatch, clip), SKELETON)


@pytest.mark.parametrize("content", [b"", b"no pickle", b"\x80\x04"])
def test_damaged_pickles_are_refused(content: bytes) -> None:
    with pytest.raises(MotionFileError, match="broken"):
        asap.load_asap("broken", content, SKELETON)


def member(archive: str, name: str) -> bytes:
    path = CAPTURES / archive
    if not path.is_file():
        pytest.skip(f"{path} is not at hand")
    with zipfile.ZipFile(path) as opened:
        return opened.read(name)


def test_a_real_walk_faces_where_it_goes() -> None:
    content = member("cmu_actions_expmap.zip", "train/walking/walking_1.txt")
    stream = transfer(cmu_expmap.load_cmu_expmap("walk", content), acclaim.JOINT_OF, SKELETON)
    (clip,), report = clean(onto_humanoid([stream], SKELETON)[0], SKELETON)
    path = clip.qpos[-1, :2] - clip.qpos[0, :2]
    facing = forward_kinematics(clip.qpos, SKELETON)[1][:, 0, :2, 0].mean(0)
    assert report.kept == report.frames and np.linalg.norm(path) / clip.duration > 0.8
    assert path @ facing > 0.95 * np.linalg.norm(path) * np.linalg.norm(facing)


@pytest.mark.parametrize(
    "name", ["train/walking/walking_1", "train/walking_extra/walking_20", "test/walking_extra/walking_12"]
)
def test_real_walkers_stand_on_flat_feet(name: str) -> None:
    content = member("cmu_actions_expmap.zip", f"{name}.txt")
    stream = transfer(cmu_expmap.load_cmu_expmap(name, content), acclaim.JOINT_OF, SKELETON)
    assert unevenness(onto_humanoid([stream], SKELETON)[0], SKELETON) < 0.04


@pytest.mark.parametrize("name", ["step_forward_forward_level1_filter", "walk_level1_filter", "squat_level1_filter"])
def test_people_estimated_from_video_stand_on_flat_feet(name: str) -> None:
    content = member("asap_g1_smpl_joints.zip", f"0-motions_raw_tairantestbed_smpl_video_{name}_amass.pkl")
    stream = asap.load_asap(name, content, SKELETON)
    assert unevenness(onto_humanoid([stream], SKELETON)[0], SKELETON) < 0.03


def test_a_real_dance_fits_our_hinges() -> None:
    content = member("cmu_dance_martial_bvh.zip", "salsa/10.bvh")
    stream = bvh.load_bvh("salsa", content, SKELETON)
    (clip,) = onto_humanoid([stream], SKELETON)
    reached = forward_kinematics(clip.qpos, SKELETON)[1]
    cosine = (np.trace(np.swapaxes(reached, -1, -2) @ stream.rot_w, axis1=-2, axis2=-1) - 1) / 2
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    assert np.percentile(angle, 99) < 6


def test_real_martial_artists_are_over_their_feet() -> None:
    """With the legs of DAZ's figure the floor would have to push 0.4 m beside the feet."""
    content = member("cmu_dance_martial_bvh.zip", "martial/03.bvh")
    stream = bvh.load_bvh("martial", content, SKELETON)
    (clip,) = onto_humanoid([stream], SKELETON)
    assert beyond_support(stand_on_floor(clip.qpos, SKELETON), SKELETON).mean() < 0.06


def test_real_salsa_was_taken_at_60_hz() -> None:
    """At the 120 Hz that the files tell, the floor would have to push far beside the feet."""
    content = member("cmu_dance_martial_bvh.zip", "salsa/04.bvh")
    beside = []
    for fps in (60.0, None):
        stream = bvh.load_bvh("salsa", content, SKELETON, fps=fps)
        (clip,) = onto_humanoid([stream], SKELETON)
        beside.append(beyond_support(stand_on_floor(clip.qpos, SKELETON), SKELETON).mean())
    assert beside[0] < 0.04 and beside[1] > 0.12
