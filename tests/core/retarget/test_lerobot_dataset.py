"""Retargeted motion in LeRobot's layout: tables that agree with each other and with what was recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from physhmr.errors import MotionFileError
from physhmr.retarget.human import HumanFrame
from physhmr.retarget.lerobot_dataset import frame_rate, save_lerobot_dataset
from physhmr.retarget.proportions import Proportions
from physhmr.retarget.retargeter import Retargeter
from physhmr.retarget.robot import Robot
from physhmr.retarget.robot_motion import RobotMotion, robot_motion

parquet = pytest.importorskip("pyarrow.parquet", reason="pip install 'physhmr[lerobot]'")


@pytest.fixture(scope="module")
def episodes(
    stick: Robot, person: Proportions, motion: Callable[[str, float], list[HumanFrame]]
) -> dict[str, RobotMotion]:
    made = {}
    for recipe, seconds in (("walk", 0.6), ("squat", 0.4)):
        retargeter = Retargeter(stick, person)
        made[recipe] = robot_motion(stick, [retargeter.step(human) for human in motion(recipe, seconds)])
    return made


def test_tables_hold_the_motion_and_know_where_episodes_begin(episodes: dict[str, RobotMotion], tmp_path: Path) -> None:
    folder = tmp_path / "set"
    save_lerobot_dataset(folder, episodes)
    rows = parquet.read_table(folder / "data/chunk-000/file-000.parquet").to_pydict()
    index = parquet.read_table(folder / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    for number, (row, (task, motion)) in enumerate(zip(index, episodes.items(), strict=True)):
        own = slice(row["dataset_from_index"], row["dataset_to_index"])
        state = np.array(rows["observation.state"][own])
        np.testing.assert_allclose(state, motion.q, atol=1e-6)
        np.testing.assert_array_equal(np.array(rows["action"][own])[:-1], state[1:, 7:])
        np.testing.assert_allclose(rows["timestamp"][own], np.arange(len(state)) / 30, atol=1e-6)
        assert row["tasks"] == [task] and row["length"] == len(state) == rows["frame_index"][own][-1] + 1
        assert set(rows["episode_index"][own]) == set(rows["task_index"][own]) == {number}
    assert rows["index"] == list(range(index[-1]["dataset_to_index"]))


def test_what_is_said_of_the_columns_is_so(episodes: dict[str, RobotMotion], stick: Robot, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    save_lerobot_dataset(folder, episodes)
    told = json.loads((folder / "meta/info.json").read_text())
    stats = json.loads((folder / "meta/stats.json").read_text())
    table = parquet.read_table(folder / "data/chunk-000/file-000.parquet")
    assert told["codebase_version"] == "v3.0" and told["robot_type"] == stick.cfg.name and told["fps"] == 30
    assert told["total_frames"] == table.num_rows and told["splits"] == {"train": "0:2"}
    assert set(told["features"]) == set(table.column_names) == set(stats)
    assert told["features"]["action"]["names"] == stick.joint_names
    for name, feature in told["features"].items():
        values = np.array(table[name].to_pylist()).reshape(table.num_rows, -1)
        assert list(values.shape[1:]) == feature["shape"]
        np.testing.assert_allclose(stats[name]["mean"], values.mean(0), atol=1e-6)
        np.testing.assert_allclose(stats[name]["max"], values.max(0), atol=1e-6)
    tasks = parquet.read_table(folder / "meta/tasks.parquet")
    assert dict(zip(tasks["task"].to_pylist(), tasks["task_index"].to_pylist(), strict=True)) == {"walk": 0, "squat": 1}
    assert json.loads(tasks.schema.metadata[b"pandas"])["index_columns"] == ["task"]


def test_what_cannot_be_one_data_set_is_refused(episodes: dict[str, RobotMotion], tmp_path: Path) -> None:
    walk = episodes["walk"]
    slow = replace(walk, stamp_ns=2 * walk.stamp_ns)
    other = replace(walk, joint_names=tuple(reversed(walk.joint_names)))
    uneven = replace(walk, stamp_ns=walk.stamp_ns + np.where(np.arange(len(walk.q)) == 5, 10**7, 0))
    for made, says in (
        ({}, "at least one"), ({"a": walk, "b": other}, "same robot"), ({"a": walk, "b": slow}, "15, 30"),
        ({"a": uneven}, "beat"),
    ):  # fmt: skip
        with pytest.raises(MotionFileError, match=says):
            save_lerobot_dataset(tmp_path / "set", made)
    assert not list(tmp_path.iterdir())
    (tmp_path / "set").mkdir()
    with pytest.raises(MotionFileError, match="exists"):
        save_lerobot_dataset(tmp_path / "set", {"a": walk})
    assert frame_rate(walk) == 30
