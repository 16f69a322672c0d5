"""`physhmr data`: build the motion library that experts are trained on, import files, look at them, watch them."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import count as count_from
from itertools import cycle, repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
import tyro

from physhmr.body.skeleton import Skeleton
from physhmr.config import share_directory
from physhmr.errors import MotionFileError, UnknownNameError
from physhmr.follower import make_lifter
from physhmr.lifting.grounded_lifter import GroundedLifter
from physhmr.motion.cleanup import ClipReport
from physhmr.motion.contact_sheet import contact_sheets
from physhmr.motion.library import (
    ClipGroup,
    LibraryClip,
    build_group,
    groups_of,
    load_groups,
    load_labelled,
    load_library,
    save_library,
)
from physhmr.motion.library_report import describe, describe_cleanup, floor_fit, load_reports, save_reports
from physhmr.motion.lifted import GUESSED, LiftedView, lift_view, save_views, views_path
from physhmr.types import MotionClip
from physhmr.worker import end_with_parent


def main(
    action: Annotated[Literal["build", "import", "check", "lift"], tyro.conf.Positional],
    library: Path | None = None,
    captures: Path | None = None,
    config: Path | None = None,
    only: tuple[str, ...] = (),
    fresh: bool = False,
    category: Literal["core", "wide", "all"] = "all",
    views: int = 2,
    lifting: Literal["encoder", "solver"] = "encoder",
    seed: int = 0,
    files: Annotated[tuple[Path, ...], tyro.conf.Positional] = (),
) -> None:
    """Build the library, group by group; import motion files of your own; check a library; or lift its clips.

    import: BVH of any skeleton, AMC beside its ASF, AMASS' npz, npz of SMPL joints. check: numbers, the clean-up's
    report, contact sheets as PNG. lift: what cameras would have shown and lifting made of the clips, for policies that
    must follow such references; written beside the library.

    Args:
        action: build, import, check or lift.
        library: Where the library is written or read; reports and sheets lie beside it.
            Default: out/motion/library.npz, or out/motion/imported.npz for import.
        captures: Folder of the zip files with captured motion.
        config: The list of clips; default: config/motion_library.yaml of this package.
        only: Build just these groups.
        fresh: Build again what an earlier, interrupted run had finished.
        category: Of the clips that are lifted.
        views: Cameras for each clip, for lift; the pose of every third is a guess.
        lifting: How their rays become poses, for lift.
        seed: Of the cameras and their errors, for lift.
        files: Motion files, or folders of them, for import.
    """
    library = library or Path("out/motion") / ("imported.npz" if action == "import" else "library.npz")
    if action == "lift":
        return _lift(library, category, views, lifting, seed)
    if action == "import":
        _import(files, library)
    if action == "build":
        groups = load_groups(config or share_directory() / "config" / "motion_library.yaml")
        _build(_chosen(groups, only), library, captures, fresh)
    _check(library)


def _lift(library: Path, category: str, count: int, lifting: str, seed: int) -> None:
    chosen = None if category == "all" else category
    clips = load_library(library, category=chosen)  # type: ignore[arg-type]
    views = []
    # The processes fill the cores; threads of BLAS in each of them would take three times as long.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Spawned, not forked: ONNX Runtime's threads do not survive a fork.
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
        for lifted in pool.map(_views, clips, count_from(0), repeat(count), repeat(lifting), repeat(seed)):
            views.append(lifted)
            _progress("lift", len(views), len(clips))
    save_views(views_path(library), clips, views)
    print(f"wrote {views_path(library)}")


def _views(clip: MotionClip, index: int, count: int, lifting: str, seed: int) -> list[LiftedView]:
    """What `count` cameras make of one clip; one process does many."""
    skeleton = Skeleton()
    lifter = _lifter(lifting)
    randoms = np.random.default_rng([seed, index]).spawn(count)
    cameras = zip(randoms, cycle((None, None, GUESSED)), strict=False)
    return [lift_view(clip, lifter, skeleton, random, kind).over(clip) for random, kind in cameras]


@cache
def _lifter(lifting: str) -> GroundedLifter:
    return make_lifter(lifting, Skeleton())


def _chosen(groups: list[ClipGroup], only: tuple[str, ...]) -> list[ClipGroup]:
    names = [group.name for group in groups]
    for name in only:
        if name not in names:
            raise UnknownNameError("group", name, names)
    return [group for group in groups if group.name in only or not only]


def _build(groups: list[ClipGroup], library: Path, captures: Path | None, fresh: bool) -> None:
    clips: list[LibraryClip] = []
    reports: list[ClipReport] = []
    for group in groups:
        if group.is_left_out(captures):
            print(f"left out: {group.name}, for {group.archive} is not in {captures}", file=sys.stderr)
            continue
        more, told = _group(group, library.with_suffix(".parts"), captures, fresh)
        clips += more
        reports += told
    _save(library, clips, reports)


def _import(files: tuple[Path, ...], library: Path) -> None:
    """The clips of motion files; what cannot be read is told and left out."""
    clips: list[LibraryClip] = []
    reports: list[ClipReport] = []
    groups, skeleton = groups_of(files), Skeleton()
    for done, (group, folder) in enumerate(groups, 1):
        try:
            more, told = build_group(group, folder, skeleton, lambda *_: None)
        except MotionFileError as error:
            print(f"left out: {error}", file=sys.stderr)
        else:
            clips += more
            reports += told
        _progress("import", done, len(groups))
    if not clips:
        print("\n".join(describe_cleanup(reports)), file=sys.stderr)
        raise MotionFileError("nothing is left: give files that hold two seconds or more of somebody on their feet")
    _save(library, clips, reports)


def _save(library: Path, clips: list[LibraryClip], reports: list[ClipReport]) -> None:
    # A clip whose feet cannot be kept near the floor teaches a policy to hover.
    skeleton = Skeleton()
    kept = [entry for entry in clips if floor_fit(entry.clip, skeleton).passes]
    if len(kept) < len(clips):
        print(f"left out {len(clips) - len(kept)} clips that miss the floor")
    save_library(library, kept)
    save_reports(library.with_suffix(".reports.json"), reports)
    print(f"wrote {library}")


def _group(
    group: ClipGroup, parts: Path, captures: Path | None, fresh: bool
) -> tuple[list[LibraryClip], list[ClipReport]]:
    """One group, from the part that an earlier run finished or from its sources."""
    part = parts / f"{group.name}-{group.digest}.npz"
    told = part.with_suffix(".json")
    if part.is_file() and told.is_file() and not fresh:
        print(f"{group.name}: built before")
        return load_labelled(part), load_reports(told)
    clips, reports = build_group(group, captures, Skeleton(), lambda done, total: _progress(group.name, done, total))
    parts.mkdir(parents=True, exist_ok=True)
    save_reports(told, reports)
    if clips:
        save_library(part, clips)
    return clips, reports


def _progress(name: str, done: int, total: int) -> None:
    end = "\n" if done == total else "\r"
    print(f"{name}: {done} of {total} clips", end=end, file=sys.stderr, flush=True)


def _check(library: Path) -> None:
    clips, skeleton = load_labelled(library), Skeleton()
    reports = library.with_suffix(".reports.json")
    if reports.is_file():
        print("\n".join(describe_cleanup(load_reports(reports))))
    print("\n".join(describe(clips, skeleton)))
    for index, page in enumerate(contact_sheets(clips, skeleton)):
        path = library.with_name(f"{library.stem}_sheet_{index:02d}.png")
        cv2.imwrite(str(path), page[..., ::-1])
    print(f"contact sheets: {library.with_name(library.stem + '_sheet_*.png')}")
