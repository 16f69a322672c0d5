"""The house rules that a machine can check: who may import whom, no cycles, and a live path without torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "ros2_ws" / "src"
ROS = (
    "rclpy", "launch", "launch_ros", "ament_index_python", "builtin_interfaces", "cv_bridge", "diagnostic_msgs",
    "geometry_msgs", "lifecycle_msgs", "nav_msgs", "physhmr_msgs", "rcl_interfaces", "sensor_msgs", "std_msgs",
    "std_srvs", "tf2_msgs", "tf2_ros", "trajectory_msgs", "visualization_msgs",
)  # fmt: skip
TORCH = ("torch", "smplx", "transformers", "rsl_rl", "tensordict", "tensorboard", "onnxscript")
MAY_USE_TORCH = (
    "physhmr.policy.networks", "physhmr.policy.observation", "physhmr.policy.kinematics", "physhmr.policy.export",
    "physhmr.policy.action", "physhmr.policy.mirror", "physhmr.policy.motion_encoder",
    "physhmr.rl", "physhmr.sim.batch_sim", "physhmr.inference.torch", "physhmr.vision.vitpose",
    "physhmr.mesh.skin",
)  # fmt: skip

BASE = {"types", "errors", "parameter", "config"}
"""What every room may use."""
MAY_IMPORT: dict[str, set[str]] = {
    "types": {"errors"},
    "errors": set(),
    "parameter": {"errors"},
    "config": {"errors", "parameter"},
    "geometry": BASE,
    "body": BASE | {"geometry"},
    "inference": BASE,
    "vision": BASE | {"geometry", "inference"},
    "video": BASE | {"geometry"},
    "camera_pose": BASE | {"geometry", "vision"},
    "presence": BASE,
    "state_machine": BASE | {"presence"},
    "sim": BASE | {"body", "geometry"},
    "policy": BASE | {"body", "geometry", "inference"},
    "lifting": BASE | {"body", "geometry"},
    "motion": BASE | {"body", "geometry", "lifting"},
    "retarget": BASE | {"body", "geometry", "motion"},
    "mesh": BASE | {"body", "motion"},
    "halt": BASE | {"body", "geometry"},
    "horizon": set(),
    "worker": set(),
    "follower": BASE | {"body", "inference", "lifting", "policy"},
    "approach": BASE | {"body"},
    "perception": BASE | {"camera_pose", "geometry", "inference", "vision"},
    "pipeline": BASE | {"approach", "body", "follower", "geometry", "halt", "lifting", "sim", "state_machine"},
    "rl": BASE | {"approach", "body", "geometry", "halt", "inference", "motion", "policy", "sim", "worker"},
    "view": BASE | {"body", "geometry", "video"},
}  # fmt: skip
"""Room -> rooms it may import; eval and cli may import any library room, nobody imports cli."""
FREE = {"eval", "cli"}


def modules(package: str) -> Iterator[tuple[str, Path]]:
    for path in sorted((SOURCES / package).rglob("*.py")):
        parts = path.relative_to(SOURCES).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imported(path: Path) -> set[str]:
    """Every module that the file imports, at its top or inside a function."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


LIBRARY = dict(modules("physhmr"))
ROS_LAYER = dict(modules("physhmr_ros"))
GRAPH = {name: imported(path) for name, path in {**LIBRARY, **ROS_LAYER}.items()}


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def rooms_of(imports: set[str]) -> set[str]:
    return {room(name) for name in imports if name.startswith("physhmr.")}


@pytest.mark.parametrize("module", [name for name in LIBRARY if room(name) not in {"", "cli"}])
def test_a_room_imports_only_the_rooms_it_may(module: str) -> None:
    own = room(module)
    found = {other for other in rooms_of(GRAPH[module]) if other in {room(m) for m in LIBRARY}} - {own, ""}
    assert own in MAY_IMPORT or own in FREE, f"'{own}' is new: add it to MAY_IMPORT"
    allowed = set(MAY_IMPORT) | FREE - {"cli"} if own in FREE else MAY_IMPORT[own]
    assert found <= allowed, f"{module} must not import {sorted(found - allowed)}"


def test_the_rooms_form_no_cycle() -> None:
    reachable = {own: set(others) for own, others in MAY_IMPORT.items()}
    for _ in reachable:
        for others in reachable.values():
            others |= {far for near in set(others) for far in reachable.get(near, ())}
    assert not [own for own, others in reachable.items() if own in others]


@pytest.mark.parametrize("module", [name for name in LIBRARY if room(name) != "cli"])
def test_the_library_never_imports_ros(module: str) -> None:
    tops = {name.split(".")[0] for name in GRAPH[module]}
    assert not tops & {*ROS, "physhmr_ros"}


@pytest.mark.parametrize("module", LIBRARY)
def test_torch_stays_where_it_belongs(module: str) -> None:
    tops = {name.split(".")[0] for name in GRAPH[module]}
    belongs = module.startswith(MAY_USE_TORCH) or room(module) == "cli"
    assert belongs or not tops & set(TORCH)


def test_of_all_nodes_the_mesh_alone_may_need_torch() -> None:
    assert not [name for name in ROS_LAYER if {top.split(".")[0] for top in GRAPH[name]} & set(TORCH)]
    assert [name for name in ROS_LAYER if "mesh" in rooms_of(GRAPH[name])] == ["physhmr_ros.nodes.mesh_node"]


@pytest.mark.parametrize("module", [name for name in ROS_LAYER if ".conversions" not in name])
def test_only_conversions_build_messages(module: str) -> None:
    source = ast.parse(ROS_LAYER[module].read_text(encoding="utf-8"))
    messages = {
        alias.asname or alias.name
        for node in ast.walk(source)
        if isinstance(node, ast.ImportFrom) and str(node.module).endswith("_msgs.msg")
        for alias in node.names
    } - {"String", "SetParametersResult", "ParameterDescriptor", "FloatingPointRange", "IntegerRange"}
    built = {n.func.id for n in ast.walk(source) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    assert not messages & built


@pytest.mark.parametrize("module", [*LIBRARY, *ROS_LAYER])
def test_no_module_is_too_long(module: str) -> None:
    path = {**LIBRARY, **ROS_LAYER}[module]
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350


def test_the_live_chain_starts_without_torch() -> None:
    code = (
        "import sys\n"
        f"blocked = {TORCH!r}\n"
        "class Blocker:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in blocked:\n"
        "            raise ImportError(f'{name} was imported on the live path')\n"
        "sys.meta_path.insert(0, Blocker())\n"
        "import physhmr.perception, physhmr.pipeline, physhmr.cli\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(SOURCES)}
    )
    assert done.returncode == 0, done.stderr
