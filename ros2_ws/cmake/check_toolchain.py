"""Say what is missing on this machine before pip says it in a thousand lines. Standard library only."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import sysconfig
from pathlib import Path


def missing() -> list[str]:
    """Return one line per missing tool, with the step that mends it."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    lines = []
    if not (shutil.which("g++") or shutil.which("c++") or shutil.which("clang++")):
        lines.append("a C/C++ compiler: apt install build-essential")
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").is_file():
        lines.append(f"Python's headers: apt install python{version}-dev")
    if importlib.util.find_spec("ensurepip") is None:
        lines.append(f"Python's venv module: apt install python{version}-venv")
    return lines


if __name__ == "__main__":
    found = missing()
    for line in found:
        print(f"missing: {line}", file=sys.stderr)
    sys.exit(bool(found))
