"""The plan of the live chain, the shipped parameter file, and the launch file agree with each other and the nodes."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from physhmr import config
from physhmr.cli.parameters import parameter_yaml
from physhmr.config import share_directory
from physhmr.errors import BagError, ConfigError, ModelFileError, PhyshmrError, UnknownNameError, VideoError
from physhmr.inference import choose
from physhmr.view.video_writer import count_frames
from physhmr_ros import bringup
from physhmr_ros.bags.reader import BagReader
from physhmr_ros.bringup import Executable, LiveOptions, plan
from physhmr_ros.nodes.__main__ import EXECUTABLES

ROOT = Path(__file__).parents[2]
LAUNCH_FILES = sorted((ROOT / "launch").glob("*.launch.py"))
WRAPPERS = ROOT / "ros2_ws" / "src" / "physhmr_ros" / "executables"


def test_the_demo_plays_the_bundled_clip_to_the_composed_chain() -> None:
    live, viewer, source = plan(LiveOptions())
    assert (live.name, viewer.name, source.name) == ("live", "viewer", "source")
    assert Path(str(source.parameters["source"]["uri"])).is_file()
    assert source.parameters["source"]["listeners"] == 2
    assert str(viewer.parameters["viewer"]["film"]).endswith("out/walk.mp4")
    assert source.ends_the_run and not live.ends_the_run
    assert live.essential and source.essential and not viewer.essential


@pytest.mark.parametrize("options", [{"source": "0"}, {"source": "topic"}, {"loop": True}])
def test_what_may_never_end_is_not_filmed_without_being_asked(options: dict[str, Any]) -> None:
    processes = {one.name: one for one in plan(LiveOptions(**options))}
    assert processes["viewer"].parameters["viewer"]["film"] == ""
    assert "viewer" not in {one.name for one in plan(LiveOptions(**options, page=False))}
    filmed = {one.name: one for one in plan(LiveOptions(**options, page=False, film="a.mp4"))}
    assert filmed["viewer"].parameters["viewer"]["film"] == str(Path("a.mp4").absolute())


def test_the_height_in_the_sidecar_reaches_both_nodes_unless_the_user_says_another() -> None:
    live, *_ = plan(LiveOptions())
    assert live.parameters["perception"]["person_height"] == live.parameters["policy"]["person_height"] == 1.65
    live, *_ = plan(LiveOptions(settings={"policy.person_height": "1.9"}))
    assert live.parameters["policy"]["person_height"] == 1.9


def test_who_drives_the_humanoid_can_be_chosen_and_a_setting_wins() -> None:
    live, *_ = plan(LiveOptions(policy="two_stage"))
    assert live.parameters["policy"] == {"policy": "two_stage", "person_height": 1.65}
    live, *_ = plan(LiveOptions(policy="two_stage", settings={"policy.policy": "vision"}))
    assert live.parameters["policy"]["policy"] == "vision"
    with pytest.raises(ConfigError, match="must be one of vision, two_stage"):
        plan(LiveOptions(policy="intuition"))


@pytest.mark.parametrize("composed", [True, False])
def test_a_run_offline_counts_every_image_and_is_recorded(composed: bool) -> None:
    processes = plan(LiveOptions(composed=composed, page=False, film="", record="out/a", offline=True))
    assert [processes[0].name, processes[-1].name] == ["recorder", "source"]
    assert processes[0].parameters["recorder"]["bag"] == str(Path("out/a").absolute())
    nodes = {node: values for one in processes for node, values in one.parameters.items()}
    assert nodes["policy"]["clock"] == "frame"
    assert nodes["perception"]["every_image"] is True
    assert (nodes["source"]["lockstep"], nodes["source"]["listeners"]) == (True, 2)
    assert all(one.essential for one in processes)


def test_a_recorder_that_fails_does_not_end_a_live_run() -> None:
    recorder, *others = plan(LiveOptions(record="out/a"))
    assert recorder.name == "recorder" and not recorder.essential
    assert next(one for one in others if one.name == "source").parameters["source"]["listeners"] == 3
    assert "recorder" not in {one.name for one in plan(LiveOptions())}


def test_who_speaks_of_humans_is_asked_for_and_a_file_waits_for_it() -> None:
    names = {one.name: one for one in plan(LiveOptions(humans=True))}
    assert not names["humans"].essential
    assert names["source"].parameters["source"]["listeners"] == 3
    assert "humans" not in {one.name for one in plan(LiveOptions())}


def test_a_mesh_is_shown_of_a_model_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "model.npz").touch()
    names = {one.name: one for one in plan(LiveOptions(mesh=str(tmp_path / "model.npz")))}
    assert names["mesh"].parameters == {"mesh": {"model": str(tmp_path / "model.npz")}}
    assert not names["mesh"].essential
    assert names["source"].parameters["source"]["listeners"] == 2, "it listens to no camera"
    assert "mesh" not in {one.name for one in plan(LiveOptions())}
    with pytest.raises(ModelFileError, match=r"no body model at .*gone\.npz"):
        plan(LiveOptions(mesh=str(tmp_path / "gone.npz")))


def test_several_cameras_have_a_perception_node_each_and_the_first_one_is_shown(tmp_path: Path) -> None:
    settings = {"perception.model": "lite"}
    processes = plan(LiveOptions(source="topic", cameras="left robot/right", humans=True, settings=settings))
    assert [(one.name, one.camera) for one in processes] == [
        ("policy", ""), ("perception", "left"), ("perception", "robot/right"), ("viewer", "left"), ("humans", "left"),
    ]  # fmt: skip
    assert processes[0].parameters == {"policy": {"cameras": "left robot/right"}}
    assert processes[1].parameters == processes[2].parameters == {"perception": {"model": "lite"}}
    remaps = {"image_raw": "image_color", "camera_info": "camera_info"}
    _, left, right, viewer, _ = (
        bringup.ros_arguments(one, Path("base.yaml"), tmp_path, "me", remaps) for one in processes
    )
    assert right[4:] == ["-r", "__ns:=/me/robot/right", "-r", "image_raw:=image_color"]
    assert len({left[3], right[3], viewer[3]}) == 3, "each has a parameter file of its own"
    assert viewer[4:] == [
        "-r", "__ns:=/me", "-r", "image_raw:=left/image_color", "-r", "camera_info:=left/camera_info",
        "-r", "rays:=left/rays",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"source": "demo"}, "need source topic"), ({"record": "out/a"}, "not recorded"),
        ({"cameras": "a/"}, "names of namespaces"), ({"cameras": "a a"}, "each camera once"),
    ],
)  # fmt: skip
def test_cameras_that_cannot_be_are_refused_before_anything_starts(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        plan(LiveOptions(**{"source": "topic", "cameras": "a b", **options}))


def test_a_bag_is_refused_before_anything_starts_where_there_is_one_or_none(tmp_path: Path) -> None:
    with pytest.raises(BagError, match="exists already"):
        plan(LiveOptions(record=str(tmp_path)))
    with pytest.raises(BagError, match="no bag at"):
        plan(LiveOptions(source=str(tmp_path / "missing.mcap")))


@pytest.mark.parametrize("options", [{"source": "0"}, {"source": "topic"}, {"loop": True}])
def test_only_what_ends_can_be_replayed(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="a video file or a bag, played once"):
        plan(LiveOptions(offline=True, **options))


@pytest.mark.parametrize(
    ("settings", "engine", "names"),
    [
        ({}, "tensorrt_rtx", ["pose_detection.onnx", "pose_landmark_lite.onnx"]),
        ({"perception.engine": "openvino", "perception.model": "full"}, "openvino",
         ["pose_detection.onnx", "pose_landmark_full.onnx"]),
    ],
)  # fmt: skip
def test_build_only_builds_what_the_parameters_ask_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], engine: str, names: list[str]
) -> None:
    file = tmp_path / "mine.yaml"
    values = {"model": "lite", "engine": "tensorrt_rtx", "engine_cache": str(tmp_path), "transport": "raw"}
    file.write_text(yaml.safe_dump({"/**/perception": {"ros__parameters": values}}))
    asked: list[Any] = []
    monkeypatch.setattr(choose, "build_engines", lambda files, config: asked.append((files, config)) or [])
    bringup.build_engines(file, settings)
    ((files, config),) = asked
    assert (config.engine, config.cache, [path.name for path in files]) == (engine, tmp_path, names)


def test_separate_processes_get_the_parameters_of_their_own_node() -> None:
    settings = {"perception.model": "lite", "policy.tf": "root"}
    policy, perception = plan(LiveOptions(source="topic", composed=False, page=False, settings=settings))
    assert policy == Executable("policy", {"policy": {"tf": "root"}})
    assert perception == Executable("perception", {"perception": {"model": "lite"}})


def test_a_webcam_does_not_end_the_run() -> None:
    *_, source = plan(LiveOptions(source="0"))
    assert source.parameters["source"]["uri"] == "0"
    assert not source.ends_the_run


@pytest.mark.parametrize(
    ("settings", "error", "reason"),
    [
        ({"perception.modl": "lite"}, UnknownNameError, r"Did you mean 'perception\.model'"),
        ({"policy.stale_after": "99"}, ConfigError, r"must lie in \[0.03, 10\] s, got 99"),
        ({"policy.clock": "sundial"}, ConfigError, "must be one of timer, frame"),
        ({"source.loop": "perhaps"}, ConfigError, "needs a bool"),
    ],
)
def test_unfit_settings_are_refused_before_anything_starts(
    settings: dict[str, str], error: type[PhyshmrError], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        plan(LiveOptions(source="topic", settings=settings))


def test_a_missing_video_is_refused_before_anything_starts() -> None:
    with pytest.raises(VideoError, match="no video at"):
        plan(LiveOptions(source="/no/such.mp4"))


def test_a_setting_needs_an_equals_sign() -> None:
    assert bringup.split_setting("policy.tf = root") == ("policy.tf", "root")
    with pytest.raises(ConfigError, match=r"form node\.parameter=value"):
        bringup.split_setting("policy.tf root")


def test_parameters_travel_in_a_file_that_fits_any_namespace(tmp_path: Path) -> None:
    one = Executable("live", {"perception": {"model": "yes", "camera.height": 1.0}, "policy": {}})
    arguments = bringup.ros_arguments(one, Path("base.yaml"), tmp_path, "/me/", {"image_raw": "/cam", "rays": "rays"})
    files = [Path(value) for flag, value in pairwise(arguments) if flag == "--params-file"]
    assert files[0] == Path("base.yaml")
    assert yaml.safe_load(files[1].read_text()) == {
        "/**/perception": {"ros__parameters": {"model": "yes", "camera.height": 1.0}}
    }
    assert arguments[-4:] == ["-r", "__ns:=/me", "-r", "image_raw:=/cam"]


def test_the_shipped_parameter_file_is_what_the_dataclasses_say() -> None:
    assert bringup.parameter_file().read_text(encoding="utf-8") == parameter_yaml()
    for node, content in yaml.safe_load(parameter_yaml()).items():
        name = node.removeprefix("/**/")
        for key, value in content["ros__parameters"].items():
            assert config.node_parameters(name)[key].check(key, value) == value


def test_every_executable_has_its_module_and_its_wrapper() -> None:
    assert {path.name for path in WRAPPERS.iterdir()} == set(EXECUTABLES)
    for path in WRAPPERS.iterdir():
        assert os.access(path, os.X_OK), f"{path} is not executable"
    for module in EXECUTABLES.values():
        tree = ast.parse((ROOT / "ros2_ws" / "src" / f"{module.replace('.', '/')}.py").read_text())
        assert "nodes" in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("composed", [True, False])
def test_every_planned_executable_exists(composed: bool) -> None:
    for one in plan(LiveOptions(composed=composed, record="out/run", humans=True, mesh=__file__)):
        assert one.name in EXECUTABLES
        assert set(one.parameters) <= set(config.NODES)


@pytest.mark.parametrize("path", LAUNCH_FILES, ids=lambda path: path.name)
def test_files_arguments_and_topics_named_in_a_launch_file_exist(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    nodes = (ROOT / "ros2_ws/src/physhmr_ros").rglob("*.py")
    topics = set(re.findall(r'"([\w/]+)"', "".join(node.read_text(encoding="utf-8") for node in nodes)))
    remapped = re.findall(r'"(\w+)": given\["\w+"\]', source)
    assert remapped, "the launch file lets topics be remapped"
    assert set(remapped) <= topics
    declared = set(re.findall(r'^    "(\w+)": \(', source, re.M))
    assert set(re.findall(r'given\["(\w+)"\]', source)) == declared
    for name in set(re.findall(r"bringup\.(\w+)", source)):
        assert hasattr(bringup, name)
    assert (share_directory() / bringup.PARAMETER_FILE).is_file()
    assert (share_directory() / bringup.DEMO_CLIP).is_file()


LAUNCH = importlib.util.find_spec("launch_ros") is not None


@pytest.mark.skipif(not LAUNCH, reason="ROS's launch packages are not here (they have no wheels)")
@pytest.mark.parametrize("path", LAUNCH_FILES, ids=lambda path: path.name)
def test_a_launch_file_comes_up_and_goes_down_cleanly(path: Path, tmp_path: Path) -> None:
    given = [f"bag:={tmp_path / 'run'}"] if path.name.startswith("offline") else ["source:=topic"]
    process = subprocess.Popen(["ros2", "launch", str(path), *given], stderr=subprocess.PIPE, text=True)
    time.sleep(5.0)
    process.send_signal(signal.SIGINT)
    _, log = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in log


ROS = importlib.util.find_spec("rclpy") is not None


@pytest.mark.ros
@pytest.mark.skipif(not ROS, reason="there is no ROS 2 here")
@pytest.mark.parametrize("composed", [True, False])
def test_physhmr_live_plays_and_films_the_demo_and_ends(composed: bool, tmp_path: Path) -> None:
    film = tmp_path / "demo.mp4"
    command = [sys.executable, "-m", "physhmr.cli", "live", "--film", str(film), "--set", "viewer.film_fps=30"]
    command.append("--composed" if composed else "--no-composed")
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment())
    assert done.returncode == 0, done.stderr
    assert "image stamp to joint state: median" in done.stderr
    images, lost = map(int, re.search(r"images: (\d+); \d+ dropped, (\d+) lost", done.stderr).groups())
    assert images + lost > 120
    assert count_frames(film) > 100
    assert "Traceback" not in done.stderr


@pytest.mark.ros
@pytest.mark.skipif(not ROS, reason="there is no ROS 2 here")
@pytest.mark.parametrize("interrupts", [1, 2])
def test_interrupting_physhmr_live_ends_everything_without_a_traceback(interrupts: int) -> None:
    command = [sys.executable, "-m", "physhmr.cli", "live", "--source", "topic"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment())
    assert process.stderr is not None
    for line in process.stderr:
        if "[perception]: active" in line:
            break
    for _ in range(interrupts):
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    _, log = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "humanoid: no image came" in log
    assert "Traceback" not in log


@pytest.mark.ros
@pytest.mark.skipif(not ROS, reason="there is no ROS 2 here")
def test_physhmr_record_writes_a_bag_until_it_is_interrupted(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "physhmr.cli", "record", str(tmp_path / "run"), "--images", "none"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment())
    assert process.stderr is not None
    for line in process.stderr:
        if "[recorder]: active" in line:
            break
    process.send_signal(signal.SIGINT)
    _, log = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in log
    with BagReader(tmp_path / "run") as bag:
        assert "/human/joint_states" in bag.topics and "/image_raw" not in bag.topics
        assert not bag.damage


@pytest.mark.ros
@pytest.mark.skipif(not ROS, reason="there is no ROS 2 here")
def test_killing_physhmr_live_leaves_no_process_behind() -> None:
    command = [sys.executable, "-m", "physhmr.cli", "live", "--source", "topic", "--no-page"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment())
    assert process.stderr is not None
    for line in process.stderr:
        if "[perception]: active" in line:
            break
    process.kill()
    # The pipe ends when the last process that holds it has ended.
    assert "humanoid: no image came" in process.stderr.read()
    process.wait()


@pytest.mark.ros
@pytest.mark.skipif(not ROS, reason="there is no ROS 2 here")
def test_a_process_that_fails_ends_the_run_with_its_code(tmp_path: Path) -> None:
    odd = tmp_path / "odd.yaml"
    odd.write_text("/**/policy: {ros__parameters: {sock: 1.0}}\n")
    command = [sys.executable, "-m", "physhmr.cli", "live", "--source", "topic", "--params-file", str(odd)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment())
    assert done.returncode == 2
    assert "unknown parameter of /policy 'sock'. Did you mean 'clock'" in done.stderr


@pytest.mark.ros
@pytest.mark.skipif(not ROS, reason="there is no ROS 2 here")
def test_the_humanoid_outlives_a_viewer_that_fails(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    command = [sys.executable, "-m", "physhmr.cli", "live", "--no-page", "--film", str(tmp_path / "file" / "a.mp4")]
    command += ["--source", str(share_directory() / bringup.DEMO_CLIP), "--set", "source.listeners=1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment())
    assert done.returncode != 0
    assert re.search(r"viewer ended with code [1-9]\d*; the others go on without it", done.stderr), done.stderr
    assert "image stamp to joint state: median" in done.stderr


def environment() -> dict[str, str]:
    """Return an environment in which the sources are found, whether or not they are installed."""
    path = os.pathsep.join(filter(None, (str(ROOT / "ros2_ws" / "src"), os.environ.get("PYTHONPATH"))))
    return os.environ | {"PYTHONPATH": path}
