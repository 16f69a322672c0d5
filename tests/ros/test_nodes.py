"""The real nodes around stand-in pipelines, over real DDS: good input, bad input, and back again."""

from __future__ import annotations

import logging
import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import rclpy
from fake_chain import FakeControl, FakePerception, rays
from geometry_msgs.msg import WrenchStamped
from graph import CAMERA, Graph, wait_for
from nav_msgs.msg import Odometry
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, Image, Imu
from std_msgs.msg import String
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage

from physhmr.errors import ModelFileError
from physhmr.inference.choose import Choice
from physhmr.types import Estimate, Frame, Status
from physhmr.types import RayBundle as Rays
from physhmr_msgs.msg import FootContacts, HumanPhysics, HumanState, People, RayBundle, SmplParameters
from physhmr_ros import qos
from physhmr_ros.conversions import rays as ray_messages
from physhmr_ros.conversions.cameras import static_transform
from physhmr_ros.conversions.primitives import header, to_ns
from physhmr_ros.diagnostics import Level
from physhmr_ros.log_bridge import library_log
from physhmr_ros.nodes import live
from physhmr_ros.nodes.perception_node import PerceptionNode
from physhmr_ros.nodes.policy_node import PolicyNode

pytestmark = [pytest.mark.ros, pytest.mark.usefixtures("ros")]
LEVELS = ("info", "warning", "error")
START = 1_700_000_000 * 10**9


def chain() -> Graph:
    return Graph(live.nodes(FakePerception, FakeControl))


def strictly_increasing(stamps: list[int]) -> bool:
    return all(b > a for a, b in pairwise(stamps))


def test_what_runs_the_networks_is_told_and_a_worse_one_is_a_warning() -> None:
    with chain() as graph:
        wait_for(lambda: graph.report("perception: images").get("engine") == "onnx")
        graph.nodes[1]._pipeline.choice = Choice("onnx", "no driver", degraded=True)
        graph.show_for(0.3, START)
        wait_for(lambda: graph.report("perception: images").get("engine_reason") == "no driver")
        statuses = [status for array in graph.heard["/diagnostics"] for status in array.status]
        assert statuses[-1].level == bytes([Level.WARN])
        assert statuses[-1].message == "networks run with onnx only: no driver"


def test_what_the_library_logs_while_loading_is_in_the_nodes_log(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = []
    logger = SimpleNamespace(**{level: lambda text, level=level: heard.append((level, text)) for level in LEVELS})
    library = logging.getLogger("physhmr.inference.test")
    with library_log(logger):
        library.debug("d")
        for level in LEVELS:
            getattr(library, level)(f"{level} %d", 1)
    library.error("after")
    assert heard == [(level, f"{level} 1") for level in LEVELS]


def finite(graph: Graph) -> bool:
    return all(np.isfinite(message.position).all() for message in graph.heard["human/joint_states"])


def test_an_images_stamp_travels_to_the_joint_state() -> None:
    with chain() as graph:
        graph.show_for(1.0, START)
        wait_for(lambda: len(graph.stamps()) >= 25)
        shown = {START + n * 33_333_333 for n in range(30)}
        stamps = graph.stamps()
        assert strictly_increasing(stamps)
        assert len(shown & set(stamps)) >= 20
        assert graph.heard["human/joint_states"][-1].position[0] == pytest.approx(128 / 255)


def test_every_topic_tells_its_part() -> None:
    with chain() as graph:
        graph.listen(Odometry, "human/odom")
        graph.listen(FootContacts, "human/contacts")
        graph.listen(TFMessage, "/tf", qos.TF)
        graph.listen(RayBundle, "rays")
        graph.listen(String, "human_description", qos.LATCHED)
        wait_for(lambda: graph.heard["human_description"])
        stamp = time.time_ns()
        for _ in range(10):
            stamp = graph.show_for(0.5, stamp)
            if all(graph.heard[topic] for topic in ("human/odom", "human/contacts", "/tf", "rays")):
                break
        joints = {joint.get("name") for joint in ET.fromstring(graph.heard["human_description"][0].data).iter("joint")}
        assert joints >= set(graph.heard["human/joint_states"][-1].name)
        assert graph.heard["human/odom"][-1].header.frame_id == "odom"
        assert graph.heard["human/contacts"][-1].names == ["L_Ankle"]
        assert {t.child_frame_id for t in graph.heard["/tf"][-1].transforms} >= {"human/Pelvis", "human/Head"}
        assert len(graph.heard["rays"][-1].score) == 21
        wait_for(lambda: "tick_ms_p99" in graph.report("policy: humanoid"))
        wait_for(lambda: "age_ms_p50" in graph.report("perception: images"))


def test_everybody_in_view_is_told_to_those_who_listen() -> None:
    with chain() as graph:
        stamp = graph.show_for(0.5, START)
        wait_for(lambda: graph.heard["human/joint_states"])
        assert "everybody" not in graph.nodes[1]._pipeline.asked
        graph.listen(People, "people")
        for _ in range(10):
            stamp = graph.show_for(0.5, stamp)
            if graph.heard["people"]:
                break
        told = graph.heard["people"][-1]
        assert told.header.frame_id == "camera" and START <= to_ns(told.header.stamp) < stamp
        assert list(told.ids) == [3, 1] and told.followed
        np.testing.assert_allclose(told.center, [30.0, 20.0] * 2)
        np.testing.assert_allclose([*told.size, *told.rotation, *told.score], [40.0] * 2 + [0.1] * 2 + [0.9] * 2)
        np.testing.assert_allclose(told.unseen, [0.0, 0.5])


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        (None, "no CameraInfo on /camera_info"),
        (CameraInfo(width=64, height=48), "the camera is uncalibrated"),
        (CameraInfo(width=64, height=48, k=[50.0, 0, 32, 0, 50, 24, 0, 0, 1], distortion_model="fisheye"), "fisheye"),
    ],
)
def test_without_a_calibration_images_are_refused_until_it_comes(
    info: CameraInfo | None, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with chain() as graph:
        if info is not None:
            graph.infos.publish(info)
        stamp = graph.show_for(0.5, START, calibrated=False)
        wait_for(lambda: int(graph.report("perception: images").get("refused", 0)) > 0)
        assert not graph.heard["human/joint_states"]
        graph.show_for(0.5, stamp)
        wait_for(lambda: graph.heard["human/joint_states"])
    message = capfd.readouterr().err
    assert reason in message
    assert "camera.fov_deg" in message
    assert "Traceback" not in message


def bad_image(**fields: object) -> Image:
    given = {"height": 48, "width": 64, "encoding": "rgb8", "step": 192, "data": bytes(48 * 192), **fields}
    return Image(**given)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (bad_image(encoding="bayer_what8"), "encoding 'bayer_what8' is not supported"),
        (bad_image(height=1, width=1, step=3, data=bytes(3)), "1x1 px"),
        (bad_image(data=bytes(10)), "needs 9216 bytes, got 10"),
        (bad_image(height=64, data=bytes(64 * 192)), "no scaled"),
    ],
)
def test_a_bad_image_is_refused_and_the_next_good_one_is_used(
    image: Image, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with chain() as graph:
        stamp = graph.show_for(0.3, START)
        wait_for(lambda: graph.heard["human/joint_states"])
        image.header.stamp.sec, image.header.stamp.nanosec = divmod(stamp, 10**9)
        graph.images.publish(image)
        wait_for(lambda: int(graph.report("perception: images").get("refused", 0)) == 1)
        good = graph.show_for(0.3, stamp + 33_333_333)
        wait_for(lambda: graph.stamps()[-1] >= good - 2 * 33_333_333)
        assert strictly_increasing(graph.stamps())
        assert finite(graph)
    assert reason in capfd.readouterr().err


def test_stamps_that_jump_back_never_go_back_on_the_joint_states(capfd: pytest.CaptureFixture[str]) -> None:
    with chain() as graph:
        graph.show_for(0.5, START)
        graph.show_for(0.5, START - 60 * 10**9)
        wait_for(lambda: graph.report("perception: images").get("clock restarts") == "1")
        assert strictly_increasing(graph.stamps())
        assert graph.stamps()[-1] > START + 7 * 10**8
    assert "jumped back" in capfd.readouterr().err


def test_a_camera_that_goes_away_leaves_a_humanoid_that_goes_on() -> None:
    with chain() as graph:
        stamp = graph.show_for(0.5, START)
        wait_for(lambda: graph.heard["human/joint_states"])
        wait_for(lambda: "no images for" in graph.report("perception: images").get("message", ""))
        before = len(graph.stamps())
        wait_for(lambda: len(graph.stamps()) > before + 10)
        assert graph.heard["human/state"][-1].state == HumanState.STALE
        assert graph.heard["human/state"][-1].ray_age > 1.0
        gone = graph.stamps()[-1] - stamp
        graph.show_for(0.5, stamp + gone)
        wait_for(lambda: graph.heard["human/state"][-1].state == HumanState.TRACKING)
        assert strictly_increasing(graph.stamps())
        assert finite(graph)


def test_how_the_humanoid_stands_is_told_to_those_who_listen() -> None:
    topics = {
        "human/physics": HumanPhysics,
        "human/smpl": SmplParameters,
        "human/wrench/left_foot": WrenchStamped,
    }
    with chain() as graph:
        for topic, kind in topics.items():
            graph.listen(kind, topic)
        stamp = START
        for _ in range(10):
            stamp = graph.show_for(0.5, stamp)
            if all(graph.heard[topic] for topic in topics):
                break
        wrench, told = graph.heard["human/wrench/left_foot"][-1], graph.heard["human/physics"][-1]
        assert (wrench.header.frame_id, wrench.wrench.force.z) == ("human/L_Ankle", 500.0)
        assert told.support_margin == 0.03
        # The stand-in bends one hinge, L_Hip_x, which is SMPL's first joint about its z axis.
        pose = graph.heard["human/smpl"][-1].body_pose
        assert pose[2] == pytest.approx(128 / 255) and np.abs(pose).sum() == pytest.approx(pose[2])
        wait_for(lambda: to_ns(told.header.stamp) in graph.stamps())
        wait_for(lambda: graph.report("policy: humanoid").get("support_margin_mm_min") == "30.000")
        assert graph.report("policy: humanoid")["skate_mm_mean"] == "0.250"


def test_a_mishap_of_one_step_is_in_the_diagnostics_and_in_the_topic() -> None:
    class Clumsy(FakeControl):
        def step(self, stamp_ns: int, rays: Rays | None, ahead_ns: int = 0) -> Estimate:
            status = Status.FALLEN if self.steps == 5 else Status.RECOVERING
            return replace(super().step(stamp_ns, rays, ahead_ns), status=status)

    with Graph(live.nodes(FakePerception, Clumsy)) as graph:
        graph.show_for(1.0, START)
        expected = "recovering: as the test wants | fallen: as the test wants | recovering: as the test wants"
        wait_for(lambda: graph.report("policy: humanoid").get("newest changes") == expected)
        states = [message.state for message in graph.heard["human/state"]]
        assert states.count(HumanState.FALLEN) == 1


def test_an_image_without_anybody_still_gives_the_time() -> None:
    with chain() as graph:
        graph.show_for(0.5, START, level=0)
        wait_for(lambda: graph.heard["human/state"])
        assert graph.heard["human/state"][-1].ray_age == -1.0


def test_the_camera_takes_its_pose_from_tf() -> None:
    T_wc = np.eye(4)
    T_wc[:3, 3] = 1.0, 2.0, 3.0
    made: list[FakePerception] = []

    def make(config: object) -> FakePerception:
        made.append(FakePerception())
        return made[-1]

    with Graph([PerceptionNode(make=make)]) as graph:
        stands = graph._own.create_publisher(TFMessage, "/tf_static", qos.TF_STATIC)
        graph.show_for(0.3, START)
        wait_for(lambda: made[0].frames)
        assert made[0].frames[0].camera.T_wc is None
        stands.publish(static_transform(T_wc, START, "odom", "camera"))
        stamp = START + 10**9
        for _ in range(20):
            stamp = graph.show_for(0.2, stamp)
            if made[0].frames[-1].camera.T_wc is not None:
                break
        assert np.allclose(made[0].frames[-1].camera.T_wc, T_wc)


def test_a_moving_camera_is_where_it_was_when_the_image_was_taken(capfd: pytest.CaptureFixture[str]) -> None:
    made: list[FakePerception] = []

    def make(config: object) -> FakePerception:
        made.append(FakePerception())
        return made[-1]

    def driving(stamp_ns: int) -> TFMessage:
        T_wc = np.eye(4)
        T_wc[:3, 3] = 0.5 * (stamp_ns - START) * 1e-9, 0.0, 1.0
        return static_transform(T_wc, stamp_ns, "odom", "camera")

    with Graph([PerceptionNode(make=make)]) as graph:
        moves = graph._own.create_publisher(TFMessage, "/tf", qos.TF)
        wait_for(moves.get_subscription_count)
        for step in range(20):
            moves.publish(driving(START + step * 100_000_000))
        time.sleep(0.2)
        stamp = graph.show_for(1.0, START + 12_345_678)
        wait_for(lambda: len(made[0].frames) > 10)
        for frame in made[0].frames:
            assert frame.camera.T_wc[0, 3] == pytest.approx(0.5 * (frame.stamp_ns - START) * 1e-9, abs=1e-9)
        assert float(graph.report("perception: images").get("camera_tf_behind_s", 0.0)) == 0.0
        graph.show_for(1.5, stamp + 2 * 10**9)
        wait_for(lambda: "TF of the camera is" in graph.report("perception: images")["message"])
    assert "older than the image" in capfd.readouterr().err


def test_an_imu_says_how_the_camera_is_turned(capfd: pytest.CaptureFixture[str]) -> None:
    """Its own z axis, which points up, is the camera's -y: mounted so, says TF."""
    made: list[FakePerception] = []

    def make(config: object) -> FakePerception:
        made.append(FakePerception())
        return made[-1]

    rclpy.try_shutdown()
    rclpy.init(args=["--ros-args", "-p", "camera.imu:=true"])
    T_camera_imu = np.eye(4)
    T_camera_imu[:3, :3] = [[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]
    with Graph([PerceptionNode(make=make)]) as graph:
        readings = graph._own.create_publisher(Imu, "imu", qos.IMAGES)
        mounted = graph._own.create_publisher(TFMessage, "/tf_static", qos.TF_STATIC)
        stamp = graph.show_for(0.3, START)
        wait_for(lambda: made[0].frames)
        assert made[0].frames[-1].up_c is None
        mounted.publish(static_transform(T_camera_imu, START, "camera", "imu"))
        wait_for(readings.get_subscription_count)
        for _ in range(30):
            reading = Imu(header=header(stamp, "imu"))
            reading.linear_acceleration.z = 9.81
            readings.publish(reading)
            stamp = graph.show_for(0.1, stamp)
            if made[0].frames[-1].up_c is not None:
                break
        np.testing.assert_allclose(made[0].frames[-1].up_c, [0.0, -1.0, 0.0], atol=1e-9)
        graph.show(stamp + 10**9)
        wait_for(lambda: made[0].frames[-1].stamp_ns == stamp + 10**9)
        assert made[0].frames[-1].up_c is None
    assert "no pitch and roll for camera" in capfd.readouterr().err


def test_a_camera_pose_that_is_told_again_and_again_is_not_believed_back() -> None:
    made: list[FakePerception] = []

    class Shaking(FakePerception):
        def step(self, frame: Frame) -> Rays | None:
            T_wc = np.eye(4)
            T_wc[:3, 3] = 0.0, 0.0, 1.0 + 0.01 * len(self.frames)
            self.camera = replace(CAMERA, T_wc=T_wc)
            return super().step(frame)

    def make(config: object) -> FakePerception:
        made.append(Shaking())
        return made[-1]

    with Graph([PerceptionNode(make=make)]) as graph:
        graph.listen(TFMessage, "/tf_static", qos.TF_STATIC)
        graph.show_for(1.0, START)
        wait_for(lambda: len(graph.heard["/tf_static"]) > 15)
        assert all(frame.camera.T_wc is None for frame in made[0].frames)


def test_a_camera_pose_found_here_is_told_to_tf_and_not_believed_back() -> None:
    T_wc = np.eye(4)
    T_wc[:3, 3] = 0.0, 0.0, 1.5
    made: list[FakePerception] = []

    def make(config: object) -> FakePerception:
        made.append(FakePerception(camera=replace(CAMERA, T_wc=T_wc)))
        return made[-1]

    with Graph([PerceptionNode(make=make)]) as graph:
        graph.listen(TFMessage, "/tf_static", qos.TF_STATIC)
        stamp = graph.show_for(0.5, START)
        wait_for(lambda: graph.heard["/tf_static"])
        graph.show_for(0.5, stamp)
        assert [t.child_frame_id for m in graph.heard["/tf_static"] for t in m.transforms] == ["camera"]
        assert made[0].frames[-1].camera.T_wc is None


def test_rays_over_the_topic_move_the_humanoid_and_nan_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with Graph([PolicyNode(FakeControl)]) as graph:
        bad = ray_messages.to_message(START, rays(START), "odom")
        bad.dir_w[0] = float("nan")
        graph.rays.publish(bad)
        wait_for(lambda: graph.report("policy: humanoid").get("refused rays") == "1")
        assert not graph.heard["human/joint_states"]
        graph.rays.publish(ray_messages.to_message(START, rays(START, 255.0), "odom"))
        wait_for(lambda: graph.heard["human/joint_states"])
        assert graph.stamps()[0] == START
        assert graph.heard["human/joint_states"][0].position[0] == 1.0
    assert "dir_w holds 1 non-finite" in capfd.readouterr().err


def test_the_frame_clock_steps_once_for_each_image_with_its_stamp() -> None:
    made: list[FakeControl] = []

    def make(config: object) -> FakeControl:
        made.append(FakeControl())
        return made[-1]

    rclpy.try_shutdown()
    rclpy.init(args=["--ros-args", "-p", "policy:clock:=frame"])
    with Graph([PolicyNode(make)]) as graph:
        given = [START + n * 50_000_000 for n in range(20)]
        for stamp in given:
            graph.rays.publish(ray_messages.to_message(stamp, rays(stamp) if stamp % 3 else None, "odom"))
            time.sleep(0.005)
        wait_for(lambda: len(graph.stamps()) == len(given))
        assert graph.stamps() == given
        assert made[0].seen == [(stamp, bool(stamp % 3)) for stamp in given]


def test_a_node_that_cannot_load_refuses_to_be_configured(capfd: pytest.CaptureFixture[str]) -> None:
    def make(config: object) -> FakeControl:
        raise ModelFileError("model 'expert' is missing")

    node = PolicyNode(make)
    assert node.trigger_configure().name == "FAILURE"
    node.trigger_shutdown()
    node.destroy_node()
    message = capfd.readouterr().err
    assert "model 'expert' is missing" in message
    assert "Traceback" not in message


def test_deactivating_stops_the_joint_states_and_activating_starts_them_anew() -> None:
    nodes = live.nodes(FakePerception, FakeControl)
    with Graph(nodes) as graph:
        stamp = graph.show_for(0.5, START)
        wait_for(lambda: graph.heard["human/joint_states"])
        graph.do(lambda: [node.trigger_deactivate() for node in nodes])
        graph.show_for(0.2, stamp)
        count = len(graph.stamps())
        stamp = graph.show_for(0.5, stamp + 10**9)
        assert len(graph.stamps()) == count
        graph.do(lambda: [node.trigger_activate() for node in nodes])
        graph.show_for(0.5, stamp)
        wait_for(lambda: len(graph.stamps()) > count)


def services(graph: Graph) -> set[str]:
    return {name for name, _ in graph._own.get_service_names_and_types()}


def test_services_that_change_something_are_not_there_unless_enabled() -> None:
    with chain() as graph:
        wait_for(lambda: "/policy/get_parameters" in services(graph))
        assert not services(graph) & {"/human/set_up", "/perception/choose_anew"}


def test_an_enabled_service_acts_with_the_next_step_and_goes_with_the_node() -> None:
    rclpy.try_shutdown()
    rclpy.init(args=["--ros-args", "-p", "services:=true"])
    nodes = live.nodes(FakePerception, FakeControl)
    with Graph(nodes) as graph:
        policy, perception = (node._pipeline for node in nodes)
        stamp = graph.show_for(0.5, START)
        for name in ("human/set_up", "perception/choose_anew"):
            client = graph.do(partial(graph._own.create_client, Trigger, name))
            assert client.wait_for_service(10.0)
            before, answer = policy.steps, client.call_async(Trigger.Request())
            wait_for(answer.done)
            assert answer.result().success
            stamp = graph.show_for(0.3, stamp)
            if name == "human/set_up":
                wait_for(lambda before=before: policy.steps < before)
            graph.do(partial(graph._own.destroy_client, client))
        wait_for(lambda: perception.asked == ["anew"])
        graph.do(lambda: [step() for node in nodes for step in (node.trigger_deactivate, node.trigger_cleanup)])
        wait_for(lambda: "/human/set_up" not in services(graph))


def test_whom_to_follow_changes_while_the_node_runs() -> None:
    nodes = live.nodes(FakePerception, FakeControl)
    with Graph(nodes) as graph:
        perception, stamp = nodes[1], graph.show_for(0.3, START)
        (bad,) = perception.set_parameters([Parameter("select", value="smallest")])
        assert not bad.successful and "largest, centre, pixel" in bad.reason
        (good,) = perception.set_parameters([Parameter("select", value="centre")])
        assert good.successful
        graph.show_for(0.3, stamp)
        wait_for(lambda: perception._pipeline.asked == ["centre"])
        wait_for(lambda: graph.report("perception: images").get("select") == "centre")
