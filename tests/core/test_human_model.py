"""REP-155's names: the same body under other names, its root between the hips."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physhmr.body.human_model import human_urdf, joint_names, link_names, link_poses, root_link
from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.kinematics import forward_kinematics
from physhmr.body.skeleton import BODY_INDEX, Skeleton
from physhmr.body.urdf import humanoid_urdf
from physhmr.geometry.region import region_around

SKELETON = Skeleton()
REP_LINKS = (
    "waist", "torso", "head", "l_shoulder", "r_shoulder", "l_elbow", "r_elbow", "l_wrist", "r_wrist",
    "l_hip", "r_hip", "l_knee", "r_knee", "l_ankle", "r_ankle",
)  # fmt: skip


def posed(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    qpos = standing_qpos(SKELETON)
    qpos[:3] += random.uniform(-2, 2, 3)
    turn = random.normal(size=4)
    qpos[3:7] = turn / np.linalg.norm(turn)
    qpos[7:] = random.uniform(-0.5, 0.5, 69)
    return qpos


def test_every_link_of_the_rep_is_there_and_all_names_bear_the_identifier() -> None:
    robot = ET.fromstring(human_urdf("ab3", SKELETON))
    links = {str(link.get("name")) for link in robot.iter("link")}
    assert {f"{name}_ab3" for name in REP_LINKS} <= set(link_names("ab3")) <= links
    joints = [str(joint.get("name")) for joint in robot.iter("joint")]
    assert all(name.endswith("_ab3") for name in (*links, *joints))
    assert set(joint_names("ab3")) <= set(joints) and len(set(joints)) == len(joints)


def test_the_urdf_is_one_tree_whose_root_is_the_body_and_whose_masses_are_the_humanoids() -> None:
    robot, own = ET.fromstring(human_urdf("p0", SKELETON)), ET.fromstring(humanoid_urdf(SKELETON.shape))
    links = {link.get("name") for link in robot.iter("link")}
    parents = {
        joint.find("child").get("link"): joint.find("parent").get("link")  # type: ignore[union-attr]
        for joint in robot.iter("joint")
    }
    assert links - set(parents) == {root_link("p0")} and set(parents.values()) <= links
    masses = [[float(mass.get("value", "nan")) for mass in one.iter("mass")] for one in (robot, own)]
    assert masses[0] == masses[1]


@pytest.mark.parametrize("seed", range(5))
def test_the_root_lies_between_the_hips_and_the_links_where_the_bodies_are(seed: int) -> None:
    qpos = posed(seed)
    position_w, rotation_w = forward_kinematics(qpos, SKELETON)
    T_w_root, T_root_body = link_poses(qpos, SKELETON)
    hips = position_w[[BODY_INDEX["L_Hip"], BODY_INDEX["R_Hip"]]]
    np.testing.assert_allclose(T_w_root[:3, 3], hips.mean(0), atol=1e-12)
    np.testing.assert_allclose(T_w_root[:3, :3], rotation_w[0], atol=1e-12)
    T_wb = T_w_root @ T_root_body
    np.testing.assert_allclose(T_wb[:, :3, 3], position_w, atol=1e-12)
    np.testing.assert_allclose(T_wb[:, :3, :3], rotation_w, atol=1e-12)


@given(st.integers(0, 10**6), st.floats(0.0, 1.0))
def test_a_region_lies_in_the_picture_and_holds_what_is_seen_in_it(seed: int, low: float) -> None:
    random = np.random.default_rng(seed)
    xy, score = random.uniform(-100, 740, (21, 2)), random.uniform(low, 1.0, 21)
    region = region_around(xy, score, 640, 480)
    inside = xy[(score >= 0.3) & (xy >= 0).all(1) & (xy <= (640, 480)).all(1)]
    if region is None:
        assert not len(inside)
        return
    assert region.x >= 0 and region.y >= 0 and region.width > 0 and region.height > 0
    assert region.x + region.width <= 640 and region.y + region.height <= 480
    corner = np.array([region.x, region.y])
    assert ((inside >= corner) & (inside <= corner + np.array([region.width, region.height]))).all()


def test_nobody_seen_is_no_region() -> None:
    assert region_around(np.full((21, 2), 50.0), np.zeros(21), 640, 480) is None
