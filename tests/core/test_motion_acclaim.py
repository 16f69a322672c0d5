"""Acclaim files, and the text of the CMU data base that was made of them, against rotations put together by scipy."""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from physhmr.body.skeleton import Skeleton
from physhmr.errors import MotionFileError
from physhmr.geometry.rotation import Y_UP_TO_Z_UP
from physhmr.motion import acclaim, cmu_expmap
from physhmr.motion.library import ClipGroup, build_group, groups_of
from physhmr.types import Array

CAPTURES = Path(__file__).resolve().parents[3] / "shared" / "data" / "mocap"
UNIT = 0.0254 / 0.45
ASF = b"""# written by hand
:version 1.10
:units
  mass 1.0
  length 0.45
  angle deg
:root
  order TX TY TZ RX RY RZ
  axis XYZ
  position 0 0 0
:bonedata
  begin
    id 1
    name thigh
    direction 0 -1 0
    length 8
    axis 10 0 -20 XYZ
    dof rx rz
    limits (-160.0 20.0)
           (-60.0 70.0)
  end
  begin
    id 2
    name shin
    direction 0 -0.6 0.8
    length 5
    axis 0 0 0 XYZ
  end
:hierarchy
  begin
    root thigh
    thigh shin
  end
"""
AMC = b""":FULLY-SPECIFIED
:DEGREES
1
root 1 2 3 10 20 30
thigh 40 50
2
root 1 2 4 170 100 -170
thigh 0 0
"""


def euler(order: str, *degrees: float) -> Array:
    return Rotation.from_euler(order, degrees, degrees=True).as_matrix()


def in_y_up(rotation_w: Array) -> Array:
    return Y_UP_TO_Z_UP.T @ rotation_w @ Y_UP_TO_Z_UP


def test_bones_turn_about_their_own_axes_and_begin_where_their_parents_end() -> None:
    motion = acclaim.load_acclaim("leg", AMC, ASF)
    assert motion.joints == ("root", "thigh", "shin") and motion.fps == 120.0
    axes = euler("xyz", 10, 0, -20)
    root, thigh = euler("xyz", 10, 20, 30), axes @ euler("xyz", 40, 0, 50) @ axes.T
    assert np.allclose(in_y_up(motion.rot_w[0]), [root, root @ thigh, root @ thigh])
    places = UNIT * np.array([[1, 2, 3], [1, 2, 3], [1, 2, 3] + root @ thigh @ [0, -8, 0]])
    assert np.allclose(motion.pos_w[0] @ Y_UP_TO_Z_UP, places)
    assert np.allclose(in_y_up(motion.rot_w[1, 0]), euler("xyz", 170, 100, -170))


@pytest.mark.parametrize(
    ("amc", "asf"),
    [
        (b"1\nroot 1 2 3\nthigh 4 5\n2\nroot 1 2 3\nthigh 4 5\n", ASF),
        (AMC.replace(b"thigh 40 50", b"calf 40 50"), ASF),
        (AMC.replace(b"40 50", b"40"), ASF),
        (AMC.replace(b"40 50", b"nan 50"), ASF),
        (AMC.replace(b"40", b"forty"), ASF),
        (AMC.replace(b"DEGREES", b"RADIANS"), ASF),
        (AMC, ASF.replace(b"angle deg", b"angle rad")),
        (b"\xff\xfe", ASF),
        (b"", ASF),
        (b"1\nroot 1 2 3 10 20 30\nthigh 40 50\n", ASF),
        (AMC, ASF.replace(b":hierarchy", b":nothing")),
        (AMC, ASF.replace(b"root thigh\n    thigh shin", b"thigh shin\n    root thigh")),
        (AMC, ASF.replace(b"length 8", b"")),
        (AMC, ASF[: ASF.index(b"name shin")]),
        (AMC, ASF.replace(b"length 0.45", b"length 0")),
        (AMC, b"HIERARCHY"),
    ],
)
def test_damaged_files_are_refused(amc: bytes, asf: bytes) -> None:
    with pytest.raises(MotionFileError, match="leg"):
        acclaim.load_acclaim("leg", amc, asf)


def cmu_asf() -> bytes:
    """CMU's skeleton as the text of the expmap clips has it."""
    names = [name for name, _, _ in cmu_expmap.SKELETON]
    lines = [":units", "length 0.45", "angle deg", ":root", "order TX TY TZ RX RY RZ", ":bonedata"]
    hierarchy = []
    for name, parent, _ in cmu_expmap.SKELETON[1:]:
        child = next((offset for _, above, offset in cmu_expmap.SKELETON if above == names.index(name)), (0, 0, 0))
        lines += ["begin", f"name {name}", "direction {} {} {}".format(*child), "length 1", "axis 0 0 0 XYZ", "end"]
        hierarchy.append(f"{names[parent]} {name}")
    return "\n".join([*lines, ":hierarchy", "begin", *hierarchy, "end"]).encode()


def test_a_folder_of_amc_files_is_read_with_the_skeleton_in_it(tmp_path: Path) -> None:
    (tmp_path / "07.asf").write_bytes(cmu_asf())
    (tmp_path / "07_01.amc").write_bytes(b"".join(b"%d\nroot 0 17 0 0 90 0\n" % (frame + 1) for frame in range(360)))
    ((group, folder),) = groups_of([tmp_path])
    ((entry,), _) = build_group(group, folder, Skeleton(), lambda *_: None)
    assert entry.clip.name == "07_01" and entry.clip.duration == pytest.approx(3.0, abs=0.1)
    (tmp_path / "07.asf").unlink()
    ((group, folder),) = groups_of([tmp_path])
    with pytest.raises(MotionFileError, match=r"07_01\.asf"):
        build_group(group, folder, Skeleton(), lambda *_: None)


def test_clips_of_several_skeletons_are_one_group(tmp_path: Path) -> None:
    """Laid out as CMU's data base: the skeleton of each subject lies in the folder of its clips."""
    frames = b"".join(b"%d\nroot 0 17 0 0 90 0\n" % (frame + 1) for frame in range(360))
    names, shank = ("07/07_01", "08/08_01"), b"name ltibia"
    assert shank in cmu_asf()
    for name, asf in zip(names, (cmu_asf(), cmu_asf().replace(shank, b"name lshank")), strict=True):
        (tmp_path / name).parent.mkdir()
        (tmp_path / f"{name}.amc").write_bytes(frames)
        (tmp_path / name[:2] / f"{name[:2]}.asf").write_bytes(asf)
    group = ClipGroup("cmu", "core", names[:1], (), "amc", {"asf": "{0}/{0}.asf"}, "./", "{}.amc")
    ((entry,), _) = build_group(group, tmp_path, Skeleton(), lambda *_: None)
    assert entry.clip.name == "07/07_01"
    with pytest.raises(MotionFileError, match="08/08_01"):
        build_group(replace(group, train=names), tmp_path, Skeleton(), lambda *_: None)


def expmap_of(turns: Array, swing: Array) -> bytes:
    """Somebody as the text tells them: the root at angles (T, 3) rad about x, y, z, over a left foot that stands while
    its leg swings by (T,) rad."""
    names = [name for name, _, _ in cmu_expmap.SKELETON]
    true, stored = Rotation.from_euler("xyz", turns), Rotation.from_euler("yxz", turns[:, [1, 0, 2]])
    leg = Rotation.from_euler("x", swing[:, None])
    hip, knee, ankle = (np.array(cmu_expmap.SKELETON[names.index(name)][2]) for name in ("lfemur", "ltibia", "lfoot"))
    rows = np.zeros((len(turns), 3, 39))
    rows[:, :, 0] = 17.0 * np.eye(3)[1] - true.apply(hip + leg.apply(knee + ankle))
    rows[:, :, 1] = -stored.as_rotvec()
    rows[:, :, 1 + names.index("lfemur")] = -leg.as_rotvec()
    table = rows.transpose(0, 2, 1).reshape(-1, 117)
    # The first line is a calibration pose.
    return "\n".join(",".join(map(repr, row.tolist())) for row in np.r_[table[:1], table]).encode()


@settings(max_examples=15, deadline=None)
@given(
    heading=st.floats(-180.0, 180.0),
    turned=st.floats(60.0, 400.0) | st.floats(-400.0, -60.0),
    lean=st.floats(-20.0, 20.0),
    backwards=st.booleans(),
    flipped_at=st.integers(1, 118) | st.none(),
)
def test_whoever_turns_stays_upright_although_the_text_lays_them_down(
    heading: float, turned: float, lean: float, backwards: bool, flipped_at: int | None
) -> None:
    share = np.linspace(0.0, 1.0, 120)
    angles = np.stack([lean + 3 * np.sin(9 * share), heading + turned * share, 3 * np.cos(7 * share)], 1)
    flipped = (np.arange(120) >= (120 if flipped_at is None else flipped_at)) ^ backwards
    # The same rotations by their other triple of angles; which one is measured changes where a side faces the front.
    assume(flipped_at is None or abs(np.sin(np.radians(angles[flipped_at, 1]))) > 0.5)
    turns = np.radians(np.where(flipped[:, None], angles * [1, -1, 1] + 180.0, angles))
    motion = cmu_expmap.load_cmu_expmap("turn", expmap_of(turns, 0.5 * np.sin(12 * share)))
    assert np.allclose(in_y_up(motion.rot_w[:, 0]), Rotation.from_euler("xyz", turns).as_matrix(), atol=1e-6)
    assert np.allclose(np.ptp(motion.pos_w[:, motion.joint("lfoot")], axis=0), 0.0, atol=1e-6)


def test_everybody_in_cmus_text_stays_upright_and_on_their_feet() -> None:
    archive = CAPTURES / "cmu_actions_expmap.zip"
    if not archive.is_file():
        pytest.skip(f"{archive} is not there")
    with zipfile.ZipFile(archive) as file:
        walks = [name for name in file.namelist() if "walking" in name or "traffic" in name]
        motions = [cmu_expmap.load_cmu_expmap(name, file.read(name)) for name in walks]
    assert len(motions) > 50
    for motion in motions:
        assert motion.rot_w[:, 0, 2, 2].min() > np.cos(np.radians(30.0)), motion.name
        speed = 120.0 * np.linalg.norm(np.diff(motion.pos_w[:, motion.joint("lfoot")], axis=0), axis=-1)
        assert np.percentile(speed, 15) < 0.2, motion.name
