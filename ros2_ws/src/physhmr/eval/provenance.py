"""Where a result comes from: commit, files, machine, versions."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from physhmr.errors import ModelFileError

_PACKAGES = ("physhmr", "numpy", "mujoco", "mink", "onnxruntime", "opencv-python-headless")


@dataclass(frozen=True)
class Provenance:
    """What must be equal for a result to come out equal."""

    commit: str
    """`unknown` outside a git checkout; ends in `+changes` if tracked files differ from it."""
    models: dict[str, str]
    """SHA-256 by file name."""
    machine: str
    python: str
    packages: dict[str, str]
    seed: int
    when: str
    """UTC, ISO 8601."""

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return asdict(self)


def provenance(models: Sequence[Path], seed: int = 0) -> Provenance:
    """Return the provenance of a result made now with the files `models`; `ModelFileError` if one cannot be read."""
    return Provenance(
        commit=commit_of(Path(__file__).parent),
        models={path.name: _sha256(path) for path in models},
        machine=f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        python=platform.python_version(),
        packages={name: _version(name) for name in _PACKAGES},
        seed=seed,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def commit_of(folder: Path) -> str:
    """Return the commit checked out around `folder`, `+changes` if tracked files were edited, or `unknown`."""
    try:
        head = _git(folder, "rev-parse", "HEAD")
        return head + ("+changes" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout.strip()


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelFileError(f"cannot read {path}: {error}") from error


def _processor() -> str:
    """The processor's marketing name where Linux tells it, else what Python knows."""
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text().splitlines() if listing.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
