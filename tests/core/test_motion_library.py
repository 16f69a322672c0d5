"""The library: its list of clips, building from an archive, labels, report, contact sheet, and the command."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from physhmr.body.skeleton import HINGE_NAMES, Skeleton
from physhmr.cli.data import main as data_command
from physhmr.config import share_directory
from physhmr.errors import MotionFileError, UnknownNameError
from physhmr.geometry.rotation import quat_multiply, rotvec_to_quat
from physhmr.motion.cleanup import ClipReport
from physhmr.motion.contact_sheet import CELL, COLUMNS, contact_sheets
from physhmr.motion.ground import stand_on_floor
from physhmr.motion.library import (
    ClipGroup,
    build_group,
    code_digest,
    load_groups,
    load_labelled,
    load_library,
    save_library,
)
from physhmr.motion.library_report import (
    FLOOR_BAR,
    describe,
    describe_cleanup,
    floor_fit,
    load_reports,
    save_reports,
    unevenness,
)
from physhmr.motion.procedural import RECIPES
from physhmr.types import MotionClip

SKELETON = Skeleton()


def quiet(done: int, total: int) -> None:
    assert 0 < done <= total


def procedural(**values: object) -> ClipGroup:
    group = {"name": "made", "category": "core", "train": ("stand_001", "gesture_002"), "validation": ("stand_003",)}
    return ClipGroup(**(group | values))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def built() -> tuple[list, list]:
    return build_group(procedural(), None, SKELETON, quiet)


def test_the_shipped_list_is_sound() -> None:
    groups = load_groups(share_directory() / "config" / "motion_library.yaml")
    names = [(group.archive, name) for group in groups for name in (*group.train, *group.validation)]
    assert len(set(names)) == len(names), "a clip is listed twice"
    made = [group for group in groups if group.format == "procedural"]
    assert {name.rsplit("_", 1)[0] for group in made for name in group.train} == set(RECIPES)
    assert {name.rsplit("_", 1)[0] for group in made for name in group.validation} == set(RECIPES)
    for group in groups:
        assert group.archive or group.format == "procedural"
        # A procedural clip has no file; envpool's holds many clips.
        assert group.member.format("x") != group.member or group.format in ("procedural", "envpool")


def test_the_documented_list_is_sound(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(text.split("```yaml")[1].split("```")[0])
    groups = load_groups(tmp_path / "mine.yaml")
    assert {group.format for group in groups} == {"amass", "smpl_joints", "dm_control"}
    assert all(isinstance(name, str) for group in groups for name in (*group.train, *group.validation))


def test_clips_are_built_with_their_labels(built: tuple[list, list]) -> None:
    clips, reports = built
    assert {(c.clip.name.rsplit("_", 1)[0], c.split) for c in clips} >= {("stand", "train"), ("stand", "validation")}
    assert {c.category for c in clips} == {"core"}
    assert [report.name for report in reports] == ["stand_001", "gesture_002", "stand_003"]
    assert all(floor_fit(c.clip, SKELETON).passes for c in clips)


def test_only_clips_to_train_on_are_there_at_other_tempi() -> None:
    clips, _ = build_group(procedural(train=("stand_001",), tempi=(0.8, 1.25)), None, SKELETON, quiet)
    lengths = {c.clip.name: (c.split, len(c.clip.qpos)) for c in clips}
    whole = lengths["stand_001"][1]
    assert lengths["stand_001 x0.8"] == ("train", pytest.approx(whole / 0.8, abs=1))
    assert lengths["stand_001 x1.25"] == ("train", pytest.approx(whole / 1.25, abs=1))
    assert [name for name, (split, _) in lengths.items() if split == "validation"] == ["stand_003"]


def test_only_clips_to_train_on_are_there_in_other_styles() -> None:
    group = procedural(train=("stand_001",), styles=2)
    (clips, _), (again, _) = (build_group(group, None, SKELETON, quiet) for _ in range(2))
    poses = {c.clip.name: c.clip.qpos for c in clips}
    assert set(poses) == {"stand_001", "stand_001 style 0", "stand_001 style 1", "stand_003"}
    arms = [poses[f"stand_001{style}"][:, 7:].mean(0) for style in ("", " style 0", " style 1")]
    assert all(np.abs(arms[a] - arms[b]).max() > 0.05 for a, b in ((0, 1), (0, 2), (1, 2)))
    assert all(np.array_equal(c.clip.qpos, poses[c.clip.name]) for c in again)
    assert all(floor_fit(c.clip, SKELETON).passes for c in clips)


def test_library_file_keeps_labels_and_filters(built: tuple[list, list], tmp_path: Path) -> None:
    clips, _ = built
    save_library(tmp_path / "library.npz", clips)
    again = load_labelled(tmp_path / "library.npz")
    assert [(c.clip.name, c.category, c.split) for c in again] == [(c.clip.name, c.category, c.split) for c in clips]
    train, validation = (load_library(tmp_path / "library.npz", split) for split in ("train", "validation"))
    assert len(train) + len(validation) == len(clips) and len(validation) >= 1
    with pytest.raises(MotionFileError, match="no wide"):
        load_library(tmp_path / "library.npz", category="wide")


def bvh_in_zip(folder: Path) -> None:
    text = "HIERARCHY\nROOT hip\n{\nOFFSET 0 0 0\nCHANNELS 3 Xposition Yposition Zposition\n}\nMOTION\nFrames: 2\n"
    with zipfile.ZipFile(folder / "captures.zip", "w") as archive:
        archive.writestr("dance/one.bvh", text + "Frame Time: 0.1\n0 0 0\n0 0 0\n")


def test_an_optional_group_is_left_out_where_its_captures_are_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    groups = {
        "mine": {"category": "core", "train": {"stand": [1, 1]}},
        "theirs": {"category": "core", "format": "bvh", "archive": "theirs/", "train": ["one"], "optional": True},
    }
    (tmp_path / "list.yaml").write_text(yaml.safe_dump({"groups": groups}))
    library = tmp_path / "library.npz"
    data_command("build", library, tmp_path, tmp_path / "list.yaml")
    assert "left out: theirs" in capsys.readouterr().err
    assert [clip.name for clip in load_library(library)] == ["stand_001"]
    (tmp_path / "theirs").mkdir()
    with pytest.raises(MotionFileError, match="cannot read one"):
        data_command("build", library, tmp_path, tmp_path / "list.yaml")


def test_archives_are_read_inside_and_errors_name_the_clip(tmp_path: Path) -> None:
    bvh_in_zip(tmp_path)
    group = procedural(format="bvh", archive="captures.zip", member="dance/{}.bvh", train=("one",), validation=())
    with pytest.raises(MotionFileError, match="one: no joint is known for"):
        build_group(group, tmp_path, SKELETON, quiet)


@pytest.mark.parametrize("captures", [None, Path("nowhere")])
def test_missing_captures_are_said(captures: Path | None) -> None:
    group = procedural(format="asap", archive="absent.zip", train=("a",), validation=())
    with pytest.raises(MotionFileError, match=r"absent\.zip is missing; say where"):
        build_group(group, captures, SKELETON, quiet)


def test_missing_packages_are_said() -> None:
    group = procedural(format="deepmimic", archive="no_such_package_of_motion", train=("a",), validation=())
    with pytest.raises(MotionFileError, match="no_such_package_of_motion is not installed"):
        build_group(group, None, SKELETON, quiet)


def test_wrong_groups_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="format"):
        procedural(format="c3d")
    with pytest.raises(UnknownNameError, match="category"):
        procedural(category="odd")
    with pytest.raises(MotionFileError, match="stand_001 would be trained on and validated on"):
        procedural(validation=("stand_001",))
    with pytest.raises(MotionFileError, match="tempi must be between"):
        procedural(tempi=(0.1,))
    with pytest.raises(UnknownNameError, match="recipe"):
        build_group(procedural(train=("moonwalk_001",), validation=()), None, SKELETON, quiet)


@pytest.mark.parametrize(
    "entry", [{}, {"category": "core", "train": [], "colour": 1}, {"category": "core", "limits": {"speed": 1}}]
)
def test_wrong_entries_name_their_group(tmp_path: Path, entry: dict) -> None:
    path = tmp_path / "list.yaml"
    path.write_text(yaml.safe_dump({"groups": {"mine": entry}}))
    with pytest.raises(MotionFileError, match="mine"):
        load_groups(path)


@pytest.mark.parametrize("text", ["", "groups", "{unclosed"])
def test_wrong_lists_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "list.yaml"
    path.write_text(text)
    with pytest.raises(MotionFileError, match=r"list\.yaml"):
        load_groups(path)


def test_a_groups_digest_changes_with_it() -> None:
    assert procedural().digest == procedural().digest != procedural(train=("stand_001",)).digest


def test_a_groups_digest_changes_with_the_code_that_builds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package, gait in (("before", "knees = 0.7"), ("after", "knees = 0.1")):
        (tmp_path / package / "motion").mkdir(parents=True)
        (tmp_path / package / "motion" / "gait.py").write_text(gait)
    assert code_digest(tmp_path / "before") != code_digest(tmp_path / "after")
    before = procedural().digest
    monkeypatch.setattr("physhmr.motion.library.code_digest", lambda: code_digest(tmp_path / "after"))
    assert procedural().digest != before


def test_floor_bar_tells_hovering_and_sinking(built: tuple[list, list]) -> None:
    clip = built[0][0].clip
    for lift in (1.5 * FLOOR_BAR, -1.5 * FLOOR_BAR):
        qpos = clip.qpos.copy()
        qpos[:, 2] += lift
        assert not floor_fit(MotionClip("lifted", 30.0, qpos, ""), SKELETON).passes


def test_who_stands_on_tiptoe_or_leans_too_far_is_named(built: tuple[list, list]) -> None:
    first = built[0][0]
    tiptoe, leaning = first.clip.qpos.copy(), first.clip.qpos.copy()
    for side in "LR":
        tiptoe[:, 7 + HINGE_NAMES.index(f"{side}_Ankle_y")] += 0.2
    leaning[:, 3:7] = quat_multiply(leaning[:, 3:7], rotvec_to_quat(np.array([0.0, 0.5, 0.0])))
    clips = [
        replace(first, clip=MotionClip(name, 30.0, stand_on_floor(qpos, SKELETON), ""))
        for name, qpos in (("flat", first.clip.qpos), ("tiptoe", tiptoe), ("leaning", leaning))
    ]
    # Soles are 0.27 m long.
    assert unevenness(clips[1].clip, SKELETON) == pytest.approx(0.27 * np.sin(0.2), abs=0.01)
    soles, beyond = describe(clips[:2], SKELETON)[-2], describe(clips[::2], SKELETON)[-1]
    assert "worst tiptoe 5" in soles and "worst leaning" in beyond


def test_reports_and_numbers(built: tuple[list, list], tmp_path: Path) -> None:
    clips, reports = built
    save_reports(tmp_path / "r.json", reports)
    assert load_reports(tmp_path / "r.json") == reports
    (tmp_path / "r.json").write_text(json.dumps([{"odd": 1}]))
    with pytest.raises(MotionFileError, match=r"r\.json"):
        load_reports(tmp_path / "r.json")
    minutes = sum(c.clip.duration for c in clips) / 60
    assert any(f"{minutes:.2f} min" in line for line in describe(clips, SKELETON))
    cut = ClipReport("walk_7", 100, 80, 3, {"floats": 9})
    assert any("walk_7" in line and "floats 9" in line for line in describe_cleanup([cut]))


def test_contact_sheet_shows_every_clip(built: tuple[list, list]) -> None:
    clips = built[0]
    (page,) = contact_sheets(clips, SKELETON)
    for place in range(COLUMNS):
        cell = page[: CELL[1], place * CELL[0] : (place + 1) * CELL[0]]
        assert ((cell < 100).any(-1).sum() > 200) == (place < len(clips))


def test_command_builds_checks_and_resumes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listing, library = tmp_path / "list.yaml", tmp_path / "out" / "library.npz"
    listing.write_text(
        yaml.safe_dump(
            {
                "groups": {
                    "mine": {"category": "core", "train": {"stand": [1, 2]}},
                    "other": {"category": "wide", "archive": "absent.zip", "format": "asap", "train": ["a"]},
                }
            }
        )
    )
    data_command("build", library, None, listing, only=("mine",))
    first = capsys.readouterr().out
    assert library.is_file() and (library.parent / "library_sheet_00.png").is_file()
    assert "core train" in first and "2 clips" in first
    before = np.load(library)["qpos"]
    data_command("build", library, None, listing, only=("mine",))
    assert "mine: built before" in capsys.readouterr().out
    np.testing.assert_array_equal(np.load(library)["qpos"], before)
    with pytest.raises(MotionFileError, match=r"absent\.zip"):
        data_command("build", library, tmp_path, listing)
    with pytest.raises(UnknownNameError, match="group"):
        data_command("build", library, None, listing, only=("yours",))
