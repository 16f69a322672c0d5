"""The ROS layer passes ROS's own linters, as in any workspace: `colcon test` runs this file too."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECKED = [str(ROOT / folder) for folder in ("ros2_ws/src/physhmr_ros", "launch")]


def test_flake8() -> None:
    linter = pytest.importorskip("ament_flake8.main", reason="ament_flake8 is not here")
    errors, found = linter.main_with_errors(["--config", str(ROOT / "setup.cfg"), *CHECKED])
    assert errors == 0, "\n".join(found)


def test_docstrings() -> None:
    linter = pytest.importorskip("ament_pep257.main", reason="ament_pep257 is not here")
    # Dunder methods say what they do by their names (D105, D107).
    assert linter.main(["--convention", "pep257", "--add-ignore", "D105", "D107", "--", *CHECKED]) == 0


def test_the_linters_find_something(tmp_path: Path) -> None:
    flake8 = pytest.importorskip("ament_flake8.main", reason="ament_flake8 is not here")
    pep257 = pytest.importorskip("ament_pep257.main", reason="ament_pep257 is not here")
    bad = tmp_path / "bad.py"
    bad.write_text("import os\ndef f( a ) :\n  return undefined\n")
    assert flake8.main_with_errors(["--config", str(ROOT / "setup.cfg"), str(bad)])[0] > 0
    assert pep257.main(["--convention", "pep257", str(bad)]) != 0
