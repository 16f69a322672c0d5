"""The motion library: which clips there are, from where, for what; built source by source, resumable.

`config/motion_library.yaml` lists every clip with its category (core: what people do in front of a robot;
wide: all the rest) and its split. Captures are read inside their archives, one at a time.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

import numpy as np
import yaml

from physhmr.body.skeleton import Skeleton
from physhmr.errors import MotionFileError, PhyshmrError, UnknownNameError
from physhmr.motion import acclaim, amass, asap, bvh, cmu_expmap, deepmimic, dm_control, envpool, smpl_joints
from physhmr.motion.array_file import read_arrays
from physhmr.motion.cleanup import ClipReport, Limits, clean
from physhmr.motion.clip import at_tempo, load_labelled_clips, save_clips
from physhmr.motion.level_feet import with_level_feet
from physhmr.motion.loop import loop_clip
from physhmr.motion.onto_humanoid import onto_humanoid, transfer
from physhmr.motion.procedural import generate
from physhmr.motion.restyle import restyled
from physhmr.motion.smpl import load_smpl_body
from physhmr.motion.source import PoseStream
from physhmr.types import MotionClip

Split = Literal["train", "validation"]
Category = Literal["core", "wide"]
FILES = (".amc", ".bvh", ".npz")
"""Motion files that tell by themselves what they hold; AMC with its ASF beside it."""
BATCH = 16
"""Clips fitted together."""

Loader = Callable[..., PoseStream]
"""Of a clip's name, its file's content, our skeleton, and keyword options."""


def _load_npz(name: str, content: bytes, skeleton: Skeleton) -> PoseStream:
    """Of SMPL joints or AMASS, whichever the file holds."""
    of_joints = "joints" in read_arrays(name, content, ("joints",))
    return (smpl_joints.load_smpl_joints if of_joints else amass.load_amass)(name, content, skeleton)


def _load_amc(name: str, content: bytes, skeleton: Skeleton, asf: bytes, fps: float = acclaim.FPS) -> PoseStream:
    return transfer(acclaim.load_acclaim(name, content, asf, fps), acclaim.JOINT_OF, skeleton)


LOADERS: dict[str, Loader] = {
    "amc": _load_amc,
    "cmu_expmap": lambda name, content, skeleton: transfer(
        cmu_expmap.load_cmu_expmap(name, content), acclaim.JOINT_OF, skeleton
    ),
    "bvh": bvh.load_bvh,
    "deepmimic": lambda name, content, skeleton: transfer(
        deepmimic.load_deepmimic(name, content), deepmimic.JOINT_OF, skeleton
    ),
    "asap": asap.load_asap,
    "npz": _load_npz,
    "amass": amass.load_amass,
    "dm_control": dm_control.load_dm_control,
    "envpool": envpool.load_envpool,
    "smpl_joints": smpl_joints.load_smpl_joints,
}


@dataclass(frozen=True)
class ClipGroup:
    """Clips of one source that are treated alike."""

    name: str
    category: Category
    train: tuple[str, ...]
    validation: tuple[str, ...]
    format: str = "procedural"
    """Key of `LOADERS`, or procedural: clips are named <recipe>_<seed>."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the format's loader needs to know besides the file: `asf` is a path inside the archive, with the folder in
    a clip's name for its braces, `body` a file in the folder of captures."""
    archive: str = ""
    """Zip or HDF5 file with the captures, a folder of them (ends in /), or an installed package that holds them."""
    member: str = "{}"
    """Path of a clip inside the archive, its name for the braces."""
    loop: float = 0.0
    """s; one cycle of each clip is repeated for so long. 0: clips are used as they are."""
    tempi: tuple[float, ...] = ()
    """Clips to train on are there once more at each of these: so many times as fast."""
    styles: int = 0
    """Clips to train on are there so many times more, each time in another style (`restyle`)."""
    optional: bool = False
    """Left out of a library, with a line, where its archive is missing."""
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.format not in ("procedural", *LOADERS):
            raise UnknownNameError("format", self.format, ("procedural", *LOADERS))
        known = [] if self.format == "procedural" else list(inspect.signature(LOADERS[self.format]).parameters)[3:]
        for option in self.options:
            if option not in known:
                raise UnknownNameError(f"option of {self.format}", option, known)
        if self.category not in get_args(Category):
            raise UnknownNameError("category", self.category, get_args(Category))
        if not all(0.5 <= tempo <= 2.0 for tempo in self.tempi):
            raise MotionFileError(f"{self.name}: tempi must be between 0.5 and 2, got {self.tempi}")
        both = set(self.train) & set(self.validation)
        if both:
            raise MotionFileError(f"{self.name}: {', '.join(sorted(both))} would be trained on and validated on")

    def is_left_out(self, captures: Path | None) -> bool:
        """Whether the group is optional, and its archive is none of the captures."""
        return self.optional and (captures is None or not (captures / self.archive).exists())

    @property
    def digest(self) -> str:
        """Changes when anything about the group does, or about the code that builds it."""
        return hashlib.sha256(f"{asdict(self)} {code_digest()}".encode()).hexdigest()[:10]


@dataclass(frozen=True)
class LibraryClip:
    """A clip and what it is for."""

    clip: MotionClip
    category: Category
    split: Split


@cache
def code_digest(package: Path = Path(__file__).parents[1]) -> str:
    """Changes when a module does that clips are made by: all of bodies, geometry and motion, to be sure."""
    files = sorted(file for room in ("body", "geometry", "motion") for file in (package / room).rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def load_groups(path: Path) -> list[ClipGroup]:
    """Read the list of clips; raises `MotionFileError` that names the group when an entry does not fit."""
    try:
        entries = yaml.safe_load(path.read_text())["groups"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise MotionFileError(f"{path} must hold a list 'groups': {error}") from error
    return [_group(name, entry) for name, entry in entries.items()]


def groups_of(paths: Sequence[Path]) -> list[tuple[ClipGroup, Path]]:
    """A group for each motion file of `paths`, files or folders of them, and the folder that it is read from.

    BVH, AMC beside its ASF, AMASS' npz and npz of SMPL joints; clips are named after their files. Raises
    `MotionFileError` where there is none, or one is of another kind.
    """
    found = []
    for path in paths:
        root = path if path.is_dir() else path.parent
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in FILES) if path.is_dir() else [path]
        if not files:
            raise MotionFileError(f"{path} holds none of {', '.join(FILES)}")
        for file in files:
            if file.suffix.lower() not in FILES:
                raise MotionFileError(f"{file} is none of {', '.join(FILES)}")
            name, kind = str(file.relative_to(root).with_suffix("")), file.suffix.lower()[1:]
            options = {"asf": str(_asf_of(file).relative_to(root))} if kind == "amc" else {}
            group = ClipGroup(name, "core", (), (name,), kind, options, archive="./", member="{}" + file.suffix)
            found.append((group, root))
    return found


def _asf_of(file: Path) -> Path:
    """The skeleton of an AMC file: the only one in its folder, or of the same name."""
    there = list(file.parent.glob("*.asf"))
    return there[0] if len(there) == 1 else file.with_suffix(".asf")


def build_group(
    group: ClipGroup, captures: Path | None, skeleton: Skeleton, progress: Callable[[int, int], None]
) -> tuple[list[LibraryClip], list[ClipReport]]:
    """All clips of a group, cleaned; `progress` hears how many of how many sources are done."""
    split_of: dict[str, Split] = dict.fromkeys(group.train, "train")
    split_of.update(dict.fromkeys(group.validation, "validation"))
    streams = _streams(group, list(split_of), captures, skeleton)
    clips: list[LibraryClip] = []
    reports: list[ClipReport] = []
    for batch in _batches(streams, BATCH):
        for clip in onto_humanoid(batch, skeleton):
            whole = loop_clip(clip, group.loop) if group.loop else clip
            pieces, report = clean(replace(whole, name=clip.name), skeleton, group.limits)
            split = split_of[clip.name]
            if split == "train":
                captured = list(pieces)
                pieces += [at_tempo(piece, tempo) for piece in captured for tempo in group.tempi]
                pieces += [styled for piece in captured for styled in _in_styles(piece, group, skeleton)]
            clips += [LibraryClip(piece, group.category, split) for piece in pieces]
            reports.append(report)
        progress(len(reports), len(split_of))
    return clips, reports


def save_library(path: Path, clips: list[LibraryClip]) -> None:
    """Write the clips to one npz file; `clip.load_clips` reads it too, without the labels."""
    labels: dict[str, list[str]] = {"categories": [c.category for c in clips], "splits": [c.split for c in clips]}
    save_clips(path, [c.clip for c in clips], labels)


def load_library(path: Path, split: Split | None = None, category: Category | None = None) -> list[MotionClip]:
    """The clips of a split and a category (None: of any); raises `MotionFileError` when none are left."""
    clips = [
        entry.clip
        for entry in load_labelled(path)
        if split in (None, entry.split) and category in (None, entry.category)
    ]
    if not clips:
        raise MotionFileError(f"{path} holds no {category or ''} {split or ''} clips")
    return clips


def load_labelled(path: Path) -> list[LibraryClip]:
    """Every clip with its category and split."""
    clips, (categories, splits) = load_labelled_clips(path, ("categories", "splits"))
    rows = zip(clips, categories, splits, strict=True)
    return [LibraryClip(clip, category, split) for clip, category, split in rows]  # type: ignore[arg-type]


def _in_styles(piece: MotionClip, group: ClipGroup, skeleton: Skeleton) -> Iterator[MotionClip]:
    """The piece in the group's number of styles, as far as these are plausible; always the same ones."""
    for style in range(group.styles):
        random = np.random.default_rng([style, zlib.crc32(piece.name.encode())])
        named = replace(restyled(piece, skeleton, random), name=f"{piece.name} style {style}")
        yield from clean(named, skeleton, group.limits)[0]


def _group(name: str, entry: Mapping[str, Any]) -> ClipGroup:
    values = dict(entry)
    try:
        limits = Limits(**values.pop("limits", {}))
        train, validation = (_names(values.pop(split, ())) for split in ("train", "validation"))
        tempi = tuple(values.pop("tempi", ()))
        return ClipGroup(name=name, limits=limits, train=train, validation=validation, tempi=tempi, **values)
    except (TypeError, PhyshmrError) as error:
        raise MotionFileError(f"group '{name}' of the motion library: {error}") from error


def _names(listed: Mapping[str, list[int]] | list[str]) -> tuple[str, ...]:
    """Names as they stand; or {recipe: [first seed, last seed]}."""
    if not isinstance(listed, Mapping):
        return tuple(listed)
    return tuple(f"{recipe}_{seed:03d}" for recipe, (a, b) in listed.items() for seed in range(a, b + 1))


def _streams(group: ClipGroup, names: list[str], captures: Path | None, skeleton: Skeleton) -> Iterator[PoseStream]:
    if group.format == "procedural":
        for name in names:
            recipe, seed = name.rsplit("_", 1)
            yield generate(recipe, int(seed), skeleton)
        return
    options = dict(group.options)
    if "body" in options:
        options["body"] = load_smpl_body((captures or Path()) / options["body"])
    read = open_archive(group.archive, captures)
    for name in names:
        if "asf" in options:
            options["asf"] = _read(read, group.options["asf"].format(str(PurePosixPath(name).parent)))
        stream = LOADERS[group.format](name, _read(read, group.member.format(name)), skeleton, **options)
        yield with_level_feet(stream, skeleton)


def _read(read: Callable[[str], bytes], member: str) -> bytes:
    try:
        return read(member)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise MotionFileError(f"cannot read {member}: {error}") from error


def open_archive(archive: str, captures: Path | None) -> Callable[[str], bytes]:
    """A reader of members: a zip, dm_control's h5 or a folder (`name/`) in `captures`, or an installed package."""
    if not archive.endswith((".zip", ".h5", "/")):
        spec = importlib.util.find_spec(archive)
        if spec is None or spec.origin is None:
            raise MotionFileError(f"the package {archive} is not installed; install it, or leave its groups out")
        folder = Path(spec.origin).parent
        return lambda member: (folder / member).read_bytes()
    path = (captures or Path()) / archive
    if captures is None or not path.exists():
        raise MotionFileError(f"{path} is missing; say where the captures are, or leave the groups of {archive} out")
    if archive.endswith(".h5"):
        return dm_control.open_trajectories(path)
    if path.is_dir():
        return lambda member: (path / member).read_bytes()
    try:
        return zipfile.ZipFile(path).read
    except zipfile.BadZipFile as error:
        raise MotionFileError(f"{path} is no zip file: {error}") from error


def _batches(streams: Iterator[PoseStream], size: int) -> Iterator[list[PoseStream]]:
    batch: list[PoseStream] = []
    for stream in streams:
        batch.append(stream)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
