"""REP-155: what other packages for human-robot interaction hear of the person."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import rclpy
from fake_chain import estimate, humanoid
from graph import CAMERA, HEIGHT, WIDTH, Graph, wait_for
from nav_msgs.msg import Odometry
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import JointState, RegionOfInterest
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage

from physhmr.body.human_model import human_urdf, joint_names, link_names, link_poses
from physhmr.body.skeleton import Skeleton
from physhmr.errors import ConfigError
from physhmr.geometry.camera import camera_pose, with_pose
from physhmr.geometry.rays import pixel_as_ray
from physhmr.geometry.region import Region, region_around
from physhmr.types import KEYPOINTS, Keypoints2d, RayBundle, Status
from physhmr_msgs.msg import FootContacts, HumanState
from physhmr_ros import qos
from physhmr_ros.conversions import humanoid as told
from physhmr_ros.conversions import humans
from physhmr_ros.conversions import rays as ray_messages
from physhmr_ros.conversions.cameras import camera_info, pose, static_transform
from physhmr_ros.conversions.primitives import header, to_ns
from physhmr_ros.nodes.humans_node import HumansNode

pytestmark = [pytest.mark.ros, pytest.mark.usefixtures("ros")]
START = 1_700_000_000 * 10**9
T_WC = camera_pose(1.2)
XY = np.random.default_rng(1).uniform((20, 10), (40, 40), (len(KEYPOINTS), 2))


@pytest.fixture(autouse=True)
def _no_hri_msgs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same everywhere: most machines do not have that package."""
    monkeypatch.setattr(humans, "hri_messages", lambda: None)


class Chain(Graph):
    """A chain that says what the test says, and the node that says it once more."""

    def __init__(self) -> None:
        super().__init__([HumansNode()])
        own = self._own
        self._joints = own.create_publisher(JointState, "human/joint_states", qos.STREAM)
        self._odometry = own.create_publisher(Odometry, "human/odom", qos.STREAM)
        self._states = own.create_publisher(HumanState, "human/state", qos.STREAM)
        self._fixed = own.create_publisher(TFMessage, "/tf_static", qos.LATCHED)
        self.listen(TFMessage, "/tf", qos.TF)

    def __enter__(self) -> Chain:
        super().__enter__()
        wait_for(lambda: self._states.get_subscription_count() + self.infos.get_subscription_count() >= 3)
        self._fixed.publish(static_transform(T_WC, START, "odom", "camera"))
        self.infos.publish(camera_info(CAMERA, START, "camera"))
        return self

    def hear_of(self, body_id: str) -> None:
        for name, kind in (("roi", RegionOfInterest), ("joint_states", JointState)):
            self.listen(kind, f"/humans/bodies/{body_id}/{name}")
        self.listen(String, f"/humans/bodies/{body_id}/urdf", qos.LATCHED)

    def see(self, stamp_ns: int, person: int = 0) -> None:
        self.rays.publish(ray_messages.to_message(stamp_ns, seen(stamp_ns, person), "odom"))

    def tell(self, stamp_ns: int, status: Status = Status.TRACKING, x: float = 0.0) -> None:
        state = humanoid(stamp_ns, x, 0.3)
        self._joints.publish(told.joint_state(state))
        self._odometry.publish(told.odometry(state, "odom", "human/Pelvis"))
        self._states.publish(told.human_state(estimate(state, status), 0.0, "odom"))


def seen(stamp_ns: int, person: int) -> RayBundle:
    points = Keypoints2d(stamp_ns, XY, np.ones(len(KEYPOINTS)), np.zeros((len(KEYPOINTS), 3)))
    return replace(pixel_as_ray(points, with_pose(CAMERA, T_WC)), person=person)


def test_the_body_is_told_with_its_urdf_joints_frames_and_region() -> None:
    with Chain() as chain:
        chain.hear_of("p0")
        steps = iter(range(10**6))

        def complete() -> bool:
            stamp_ns = START + next(steps) * 33_333_333
            chain.see(stamp_ns)
            chain.tell(stamp_ns, x=0.5)
            return all(chain.heard[f"/humans/bodies/p0/{name}"] for name in ("roi", "joint_states", "urdf"))

        wait_for(complete)
        (urdf,) = chain.heard["/humans/bodies/p0/urdf"]
        assert urdf.data == human_urdf("p0", Skeleton())
        assert chain.nodes[0].get_parameter("human_description_p0").value == urdf.data
        joints = chain.heard["/humans/bodies/p0/joint_states"][0]
        assert tuple(joints.name) == joint_names("p0") and joints.position[0] == 0.3
        stamp_ns = to_ns(joints.header.stamp)
        frames = {one.child_frame_id: one for message in chain.heard["/tf"] for one in message.transforms}
        assert set(frames) == {"body_p0", *link_names("p0")}
        assert frames["body_p0"].header.frame_id == "odom" and frames["head_p0"].header.frame_id == "body_p0"
        T_w_root, T_root_body = link_poses(humanoid(stamp_ns, 0.5, 0.3).qpos, Skeleton())
        np.testing.assert_allclose(pose(frames["body_p0"].transform), T_w_root, atol=1e-9)
        np.testing.assert_allclose(pose(frames["l_knee_p0"].transform), T_root_body[2], atol=1e-9)
        roi = chain.heard["/humans/bodies/p0/roi"][0]
        there = region_around(XY, np.ones(len(XY)), WIDTH, HEIGHT)
        assert there == Region(roi.x_offset, roi.y_offset, roi.width, roi.height)


def test_who_is_followed_instead_is_another_body_and_the_one_before_is_withdrawn() -> None:
    with Chain() as chain:
        chain.hear_of("p3")
        chain.see(START, person=3)
        wait_for(lambda: chain.nodes[0].has_parameter("human_description_p3"))
        chain.tell(START + 1)
        wait_for(lambda: chain.heard["/humans/bodies/p3/joint_states"])
        assert not chain.nodes[0].has_parameter("human_description_p0")
        names = {name for name, _ in chain.nodes[0].get_publisher_names_and_types_by_node("humans", "/")}
        assert not [name for name in names if "/p0/" in name]


def test_who_is_lost_is_not_told_of_and_what_is_missing_is_a_warning() -> None:
    with Chain() as chain:
        chain.hear_of("p0")
        chain.see(START)
        chain.tell(START, Status.LOST)
        chain.tell(START + 1, Status.STALE)
        wait_for(lambda: chain.heard["/humans/bodies/p0/joint_states"])
        assert [to_ns(one.header.stamp) for one in chain.heard["/humans/bodies/p0/joint_states"]] == [START + 1]
        wait_for(lambda: chain.report("humans: REP-155").get("body") == "p0")
        assert chain.report("humans: REP-155")["tracked"] == "not told: hri_msgs is missing"


def test_the_list_of_tracked_bodies_is_empty_while_nobody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = SimpleNamespace(IdsList=FootContacts, NormalizedRegionOfInterest2D=RegionOfInterest)
    monkeypatch.setattr(humans, "hri_messages", lambda: stand_in)
    monkeypatch.setattr(
        humans, "ids_list", lambda hri, stamp_ns, ids: hri.IdsList(header=header(stamp_ns, ""), names=ids)
    )
    with Chain() as chain:
        chain.listen(FootContacts, humans.TRACKED)
        lists = chain.heard[humans.TRACKED]

        def heard() -> bool:
            chain.tell(START, Status.SEARCHING)
            return bool(lists)

        wait_for(heard)
        chain.tell(START + 1)
        wait_for(lambda: to_ns(lists[-1].header.stamp) == START + 1)
        assert (lists[0].names, lists[-1].names) == ([], ["p0"])


def test_the_messages_of_hri_msgs_are_told_where_there_is_that_package(monkeypatch: pytest.MonkeyPatch) -> None:
    hri = pytest.importorskip("hri_msgs.msg", reason="hri_msgs has no wheel; build it from github.com/ros4hri/hri_msgs")
    roi = humans.region_of_interest(hri, START, Region(64, 48, 128, 240), 640, 480)
    assert np.allclose((roi.xmin, roi.ymin, roi.xmax, roi.ymax, roi.c), (0.1, 0.1, 0.3, 0.6, 1.0))
    assert to_ns(roi.header.stamp) == START
    monkeypatch.setattr(humans, "hri_messages", lambda: hri)
    with Chain() as chain:
        chain.listen(hri.IdsList, humans.TRACKED)
        chain.listen(hri.NormalizedRegionOfInterest2D, "/humans/bodies/p0/roi")

        def complete() -> bool:
            chain.see(START)
            chain.tell(START)
            return bool(chain.heard[humans.TRACKED] and chain.heard["/humans/bodies/p0/roi"])

        wait_for(complete)
        assert chain.heard[humans.TRACKED][-1].ids == ["p0"]


def test_an_identifier_that_no_topic_can_bear_is_refused() -> None:
    rclpy.try_shutdown()
    rclpy.init(args=["--ros-args", "-p", "id_prefix:='a b'"], signal_handler_options=SignalHandlerOptions.NO)
    node = HumansNode.__new__(HumansNode)
    with pytest.raises(ConfigError, match="must be a letter"):
        node.__init__()  # type: ignore[misc]
    node.destroy_node()
