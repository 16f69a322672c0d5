"""BVH of any exporter: our own motion, written with foreign names, axes, units and rest poses, must come back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import BODY_INDEX, BODY_NAMES, PARENTS, Skeleton
from physhmr.cli.data import main as data_command
from physhmr.errors import MotionFileError
from physhmr.geometry.rotation import Y_UP_TO_Z_UP
from physhmr.motion import acclaim, cmu_expmap
from physhmr.motion.bvh import load_bvh
from physhmr.motion.joint_names import bodies_of
from physhmr.motion.level_feet import with_level_feet
from physhmr.motion.library import load_labelled
from physhmr.motion.onto_humanoid import onto_humanoid, transfer
from physhmr.motion.procedural import generate
from physhmr.motion.source import chain
from physhmr.types import MotionClip

SKELETON = Skeleton()
BY_PLACES_ALONE = 0.012
"""m, mean joint error of a clip that comes back: twists and the head are guessed."""

HUMAN_IK = {
    "Pelvis": "Hips", "Hip": "UpLeg", "Knee": "Leg", "Ankle": "Foot", "Toe": "ToeBase", "Torso": "Spine",
    "Spine": "Spine1", "Chest": "Spine2", "Thorax": "Shoulder", "Shoulder": "Arm", "Elbow": "ForeArm", "Wrist": "Hand",
}  # fmt: skip
CLASSIC = {"Pelvis": "Hips", "Torso": "Chest", "Spine": "Chest2", "Chest": "Chest3", "Thorax": "Collar"}
BIPED = {
    "Hip": "Thigh", "Knee": "Calf", "Ankle": "Foot", "Toe": "Toe0", "Torso": "Spine", "Spine": "Spine1",
    "Chest": "Spine2", "Thorax": "Clavicle", "Shoulder": "UpperArm", "Elbow": "Forearm", "Wrist": "Hand",
}  # fmt: skip
UNREAL = {
    "Pelvis": "pelvis", "Hip": "thigh", "Knee": "calf", "Ankle": "foot", "Toe": "ball", "Torso": "spine_01",
    "Spine": "spine_02", "Chest": "spine_03", "Neck": "neck_01", "Head": "head", "Thorax": "clavicle",
    "Shoulder": "upperarm", "Elbow": "lowerarm", "Wrist": "hand",
}  # fmt: skip
STYLES = {
    "humanik": (HUMAN_IK, "{side}{part}", ("Left", "Right")),
    "mixamo": (HUMAN_IK, "mixamorig:{side}{part}", ("Left", "Right")),
    "classic": (CLASSIC, "{side}{part}", ("Left", "Right")),
    "biped": (BIPED, "Bip01 {side}{part}", ("L ", "R ")),
    "unreal": (UNREAL, "{part}{side}", ("_l", "_r")),
    "smpl": ({"Toe": "Foot", "Thorax": "Collar"}, "{side}{part}", ("L_", "R_")),
    "character creator": (
        BIPED | {"Toe": "ToeBase", "Pelvis": "Hip", "Neck": "NeckTwist01"},
        "CC_Base_{side}{part}",
        ("L_", "R_"),
    ),
    "capitals": (CLASSIC, "{side}{part}", ("LEFT_", "RIGHT_")),
}


def names_of(style: str) -> list[str]:
    """Names of our bodies by an exporter; hands have none."""
    parts, pattern, sides = STYLES[style]
    names = []
    for body in BODY_NAMES:
        side, part = (sides["LR".index(body[0])], body[2:]) if body[1] == "_" else ("", body)
        name = pattern.format(side=side, part=parts.get(part, part))
        names.append(name.upper() if style == "capitals" else name)
    return names


def bvh_of(
    clip: MotionClip, names: list[str], unit: float = 0.01, up: str = "y", toes: bool = True, toes_lower: float = 0.0
) -> bytes:
    """The clip as some exporter would write it: every joint has its own frame, the rest pose may look like anything."""
    random = np.random.default_rng(0)
    own = Rotation.random(len(names), random).as_matrix()
    pos, rot = forward_kinematics(clip.qpos, SKELETON)
    turn = Y_UP_TO_Z_UP.T if up == "y" else np.eye(3)
    pos, rot = pos @ turn.T / unit, turn @ rot @ own
    offsets = SKELETON.offsets - toes_lower * np.array([[0, 0, body.endswith("Toe")] for body in BODY_NAMES])
    lines, numbers = ["HIERARCHY"], list[np.ndarray]()

    def joint(body: int) -> None:
        parent = PARENTS[body]
        root = parent < 0
        offset = np.zeros(3) if root else own[parent].T @ offsets[body] / unit
        lines.append(f"{'ROOT' if root else 'JOINT'} {names[body]}\n{{\nOFFSET {' '.join(map(str, offset))}")
        place = "6 Xposition Yposition Zposition" if root else "3"
        lines.append(f"CHANNELS {place} Zrotation Xrotation Yrotation")
        local = rot[:, body] if root else np.swapaxes(rot[:, parent], 1, 2) @ rot[:, body]
        angles = Rotation.from_matrix(local).as_euler("ZXY", degrees=True)
        numbers.append(np.concatenate([pos[:, body], angles], 1) if root else angles)
        for child in (c for c, p in enumerate(PARENTS) if p == body and not BODY_NAMES[c].endswith("Hand")):
            if toes or not BODY_NAMES[child].endswith("Toe"):
                joint(child)
            else:
                end = own[body].T @ offsets[child] / unit
                lines.append(f"End Site\n{{\nOFFSET {' '.join(map(str, end))}\n}}")
        lines.append("}")

    joint(0)
    rows = [" ".join(f"{value:.6f}" for value in row) for row in np.concatenate(numbers, 1)]
    return "\n".join([*lines, "MOTION", f"Frames: {len(rows)}", f"Frame Time: {1 / 30:.7f}", *rows]).encode()


@pytest.fixture(scope="module", params=["walk_003", "gesture_002"])
def clip(request: pytest.FixtureRequest) -> MotionClip:
    """Motion that our body can do, at 30 Hz."""
    recipe, seed = request.param.rsplit("_", 1)
    return onto_humanoid([generate(recipe, int(seed), SKELETON)], SKELETON)[0]


def came_back(clip: MotionClip, content: bytes, **options: str) -> float:
    """m, mean distance of the joints, root included; the last frame may be missing."""
    found = onto_humanoid([load_bvh("clip", content, SKELETON, **options)], SKELETON)[0]
    assert len(clip.qpos) - 1 <= len(found.qpos) <= len(clip.qpos)
    ours, theirs = (forward_kinematics(qpos[: len(found.qpos)], SKELETON)[0] for qpos in (clip.qpos, found.qpos))
    return float(np.linalg.norm(ours - theirs, axis=-1).mean())


@pytest.mark.parametrize("style", STYLES)
def test_every_exporter_names_the_same_bodies(style: str) -> None:
    names = names_of(style)
    kept = [name for name, body in zip(names, BODY_NAMES, strict=True) if not body.endswith("Hand")]
    found = bodies_of("clip", kept)
    for body, index in found.items():
        assert kept[index] == names[BODY_INDEX[body]], body
    assert len(found) == 18


@pytest.mark.parametrize("style", ["mixamo", "classic", "biped"])
def test_motion_comes_back_whatever_the_rest_pose(clip: MotionClip, style: str) -> None:
    assert came_back(clip, bvh_of(clip, names_of(style))) < BY_PLACES_ALONE


def test_neither_units_nor_the_vertical_have_to_be_told(clip: MotionClip) -> None:
    names = names_of("humanik")
    in_metres = came_back(clip, bvh_of(clip, names, unit=1.0, up="z"))
    assert in_metres == pytest.approx(came_back(clip, bvh_of(clip, names)), abs=1e-4)
    # Told the wrong axis everybody lies on the floor.
    assert came_back(clip, bvh_of(clip, names), up="z") > 0.5


def test_without_toes_the_foot_s_end_tells_where_it_points(clip: MotionClip) -> None:
    assert came_back(clip, bvh_of(clip, names_of("classic"), toes=False)) < BY_PLACES_ALONE


def test_a_hip_with_a_place_of_its_own_moves_below_a_root_that_stands_still(clip: MotionClip) -> None:
    content = bvh_of(clip, names_of("humanik")).decode()
    above = "ROOT Armature\n{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n"
    content = content.replace("ROOT Hips", above + "JOINT Hips").replace("MOTION", "}\nMOTION")
    header, rows = content.split("\n", 1)[0], content.split("Frame Time:")[1].split("\n")[1:]
    top = content.split("Frame Time:")[0] + "Frame Time: 0.0333333\n"
    assert header == "HIERARCHY"
    assert came_back(clip, (top + "\n".join(f"0 0 0 {row}" for row in rows)).encode()) < BY_PLACES_ALONE


def test_feet_stand_flat_whatever_their_shape(clip: MotionClip) -> None:
    """Toe joints 3 cm lower, as some exporters have them, are no feet on tiptoe."""
    feet = [BODY_INDEX["L_Ankle"], BODY_INDEX["R_Ankle"]]
    ours = forward_kinematics(clip.qpos, SKELETON)[1][:, feet]
    read = load_bvh("clip", bvh_of(clip, names_of("humanik"), toes_lower=0.03), SKELETON)
    found = with_level_feet(read, SKELETON).rot_w[:, feet]
    off = Rotation.from_matrix((np.swapaxes(ours[: len(found)], -1, -2) @ found).reshape(-1, 3, 3)).magnitude()
    assert np.median(off) < np.radians(3.0)


MOTIONBUILDER = {
    "root": "Hips", "lowerback": "LowerBack", "upperback": "Spine", "thorax": "Spine1", "lowerneck": "Neck",
    "upperneck": "Neck1", "head": "Head",
} | {
    letter + cmu: name.format(side=side, letter=letter.upper())
    for letter, side in (("l", "Left"), ("r", "Right"))
    for cmu, name in {
        "hipjoint": "{letter}HipJoint", "femur": "{side}UpLeg", "tibia": "{side}Leg", "foot": "{side}Foot",
        "toes": "{side}ToeBase", "clavicle": "{side}Shoulder", "humerus": "{side}Arm", "radius": "{side}ForeArm",
        "wrist": "{side}Hand", "hand": "{side}FingerBase", "fingers": "{side}HandIndex1", "thumb": "{letter}Thumb",
    }.items()
}  # fmt: skip
"""CMU's bones -> joints of their conversion for MotionBuilder."""


def test_cmu_s_conversion_for_motionbuilder_asks_what_its_own_files_ask() -> None:
    """Rotations are taken over: a turned head, a twisted arm and the pelvis' pitch, which places do not tell."""
    skeleton = [row for row in cmu_expmap.SKELETON if not row[0].endswith("_end")]
    kept = [cmu_expmap.SKELETON.index(row) for row in skeleton]
    names = [name for name, _, _ in skeleton]
    parents = [kept.index(parent) if parent >= 0 else -1 for _, parent, _ in skeleton]
    offsets = np.array([offset for _, _, offset in skeleton], float)
    swing = np.sin(np.linspace(0.0, 6.0, 40))[:, None, None]
    turns = Rotation.from_rotvec(
        (0.4 * np.random.default_rng(3).normal(size=(1, len(names), 3)) * swing).reshape(-1, 3)
    )
    local = turns.as_matrix().reshape(40, len(names), 3, 3)
    place = np.array([0.0, 17.0, 0.0]) + np.linspace(0, 3, 40)[:, None] * [0, 0, 1]
    told = chain("clip", 30.0, tuple(names), parents, offsets, place, local, "", feet_follow_shanks=True)

    angles = turns.as_euler("ZYX", degrees=True).reshape(40, -1)
    rows = np.concatenate([place, angles], 1)

    def block(joint: int) -> str:
        channels = "6 Xposition Yposition Zposition" if joint == 0 else "3"
        below = "".join(block(child) for child, parent in enumerate(parents) if parent == joint)
        return (
            f"{'ROOT' if joint == 0 else 'JOINT'} {MOTIONBUILDER[names[joint]]} {{ "
            f"OFFSET {' '.join(map(str, offsets[joint]))} CHANNELS {channels} Zrotation Yrotation Xrotation "
            f"{below or 'End Site { OFFSET 0 0 1 } '}}} "
        )

    numbers = "\n".join(" ".join(f"{number:.6f}" for number in row) for row in rows)
    content = f"HIERARCHY {block(0)}MOTION\nFrames: 40\nFrame Time: {1 / 30}\n{numbers}".encode()
    found, wanted = load_bvh("clip", content, SKELETON), transfer(told, acclaim.JOINT_OF, SKELETON)
    np.testing.assert_allclose(found.rot_w, wanted.rot_w, atol=1e-6)
    np.testing.assert_allclose(found.root_w, wanted.root_w, atol=1e-6)


def test_bones_and_frames_must_have_a_length(clip: MotionClip) -> None:
    content = bvh_of(clip, names_of("humanik"))
    still = b"\n".join(b"OFFSET 0 0 0" if line.startswith(b"OFFSET") else line for line in content.split(b"\n"))
    with pytest.raises(MotionFileError, match="no length"):
        load_bvh("clip", still, SKELETON)
    for interval in (b"0", b"-0.1", b"nan", b"inf"):
        with pytest.raises(MotionFileError, match=r"frame time|not a BVH"):
            load_bvh("clip", content.replace(b"Frame Time: 0.0333333", b"Frame Time: " + interval), SKELETON)


def test_what_is_missing_is_named() -> None:
    names = [name for name in names_of("humanik") if "ForeArm" not in name]
    with pytest.raises(MotionFileError, match=r"walk: no joint is known for L_Elbow, R_Elbow \(.*forearm.*Hips"):
        bodies_of("walk", names)


def test_files_of_ones_own_become_a_library(clip: MotionClip, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = tmp_path / "mine"
    (folder / "more").mkdir(parents=True)
    (folder / "a.bvh").write_bytes(bvh_of(clip, names_of("humanik")))
    (folder / "more" / "b.BVH").write_bytes(bvh_of(clip, names_of("unreal")))
    (folder / "broken.bvh").write_text("HIERARCHY")
    (folder / "broken.npz").write_text("PK")
    (folder / "notes.txt").write_text("not a motion")
    library = tmp_path / "out" / "mine.npz"
    data_command("import", library, files=(folder,))
    entries = load_labelled(library)
    assert [(e.clip.name, e.category, e.split) for e in entries] == [
        ("a", "core", "validation"),
        ("more/b", "core", "validation"),
    ]
    told = capsys.readouterr().err
    assert "left out: broken is not a BVH file" in told and "left out: broken is not a file of plain arrays" in told
    with pytest.raises(MotionFileError, match=r"notes.txt is none of .amc, .bvh, .npz"):
        data_command("import", library, files=(folder / "notes.txt",))
    (folder / "empty").mkdir()
    with pytest.raises(MotionFileError, match=r"holds none of .amc, .bvh, .npz"):
        data_command("import", library, files=(folder / "empty",))
    with pytest.raises(MotionFileError, match="nothing is left"):
        data_command("import", library, files=(folder / "broken.bvh",))
