"""Messages and values say the same thing in both directions; what cannot be read is refused with a reason."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from fake_chain import estimate, humanoid, physics, rays
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from physhmr.body.skeleton import BODY_NAMES, HINGE_NAMES, PARENTS
from physhmr.body.smpl_parameters import smpl_parameters
from physhmr.errors import CameraError, ImageError, NonFiniteError, ShapeError
from physhmr.geometry.rotation import quat_to_matrix
from physhmr.types import NUM_BODIES, CameraModel, HumanoidState, Status, Transition
from physhmr_msgs.msg import HumanState
from physhmr_ros.conversions import cameras
from physhmr_ros.conversions import humanoid as humanoid_messages
from physhmr_ros.conversions import physics as physics_messages
from physhmr_ros.conversions import rays as ray_messages
from physhmr_ros.conversions import smpl as smpl_messages
from physhmr_ros.conversions.images import RgbImage, rgb
from physhmr_ros.conversions.primitives import doubles, to_ns, to_time
from physhmr_ros.conversions.status import diagnostic_array
from physhmr_ros.diagnostics import Level, Report

RNG = np.random.default_rng(0)
# Smooth colours: formats with halved chroma must be able to carry them.
RAMP = np.linspace(40, 200, 64)
PICTURE = np.stack(np.broadcast_arrays(RAMP[:48, None], RAMP[None, :], 120.0), -1).astype(np.uint8)


def image(pixels: np.ndarray, encoding: str, padding: int = 0) -> Image:
    rows = pixels.reshape(pixels.shape[0], -1)
    padded = np.pad(rows, ((0, 0), (0, padding)))
    height, width = pixels.shape[:2]
    return Image(height=height, width=width, encoding=encoding, step=padded.shape[1], data=padded.tobytes())


ENCODED = {
    "rgb8": PICTURE,
    "bgr8": PICTURE[..., ::-1],
    "rgba8": cv2.cvtColor(PICTURE, cv2.COLOR_RGB2RGBA),
    "bgra8": cv2.cvtColor(PICTURE, cv2.COLOR_RGB2BGRA),
    "yuv422_yuy2": cv2.cvtColor(PICTURE, cv2.COLOR_RGB2YUV_YUY2),
    "uyvy": cv2.cvtColor(PICTURE, cv2.COLOR_RGB2YUV_UYVY),
}


@pytest.mark.parametrize("padding", [0, 7])
@pytest.mark.parametrize("encoding", ENCODED)
def test_every_encoding_gives_the_same_picture(encoding: str, padding: int) -> None:
    found = rgb(image(np.ascontiguousarray(ENCODED[encoding]), encoding, padding))
    assert found.shape == PICTURE.shape
    assert np.abs(found.astype(int) - PICTURE.astype(int)).max() <= (6 if encoding in ("yuv422_yuy2", "uyvy") else 0)


def test_grey_images_become_equal_channels() -> None:
    grey = PICTURE[..., 0]
    assert (rgb(image(grey, "mono8")) == grey[..., None]).all()


def test_rgb8_is_read_without_a_copy() -> None:
    message = image(PICTURE, "rgb8")
    assert np.shares_memory(rgb(message), np.frombuffer(message.data, np.uint8))


def test_a_filled_image_reads_back_and_is_reused() -> None:
    outgoing = RgbImage("camera")
    first = outgoing.fill(PICTURE, 1_500_000_000)
    assert (rgb(first) == PICTURE).all()
    assert (to_ns(first.header.stamp), first.header.frame_id) == (1_500_000_000, "camera")
    turned = np.ascontiguousarray(PICTURE.transpose(1, 0, 2))
    assert outgoing.fill(turned, 2) is first
    assert (rgb(first) == turned).all()


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (image(PICTURE, "rgb16"), "encoding 'rgb16' is not supported"),
        (image(PICTURE, ""), "encoding '' is not supported"),
        (image(PICTURE[:1, :1], "rgb8"), "1x1 px; at least 32x32"),
        (Image(height=48, width=64, encoding="rgb8", step=192, data=bytes(100)), "needs 9216 bytes, got 100"),
        (Image(height=48, width=64, encoding="rgb8", step=64, data=bytes(9216)), "needs 9216 bytes"),
        (Image(encoding="rgb8"), "needs 0 bytes, got 0"),
        (CompressedImage(format="jpeg", data=b"no picture"), r"compressed image \(jpeg, 10 bytes\) cannot be decoded"),
        (CompressedImage(format="jpeg"), "0 bytes"),
    ],
)
def test_unreadable_images_are_refused_with_a_reason(message: Image | CompressedImage, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        rgb(message)


def test_compressed_images_keep_their_colours() -> None:
    data = cv2.imencode(".png", PICTURE[..., ::-1])[1].tobytes()
    assert (rgb(CompressedImage(format="png", data=data)) == PICTURE).all()


@given(st.floats(200, 2000), st.floats(200, 2000), st.sampled_from([0, 4, 5, 8]), st.integers(0, 2**32))
def test_a_camera_survives_the_message(fx: float, fy: float, terms: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    K = np.array([[fx, 0.0, rng.uniform(0, 640)], [0.0, fy, rng.uniform(0, 480)], [0.0, 0.0, 1.0]])
    given_camera = CameraModel(K, 640, 480, rng.normal(0, 0.1, terms))
    found = cameras.camera(cameras.camera_info(given_camera, 5, "camera"))
    assert np.allclose(found.K, K)
    assert (found.width, found.height) == (640, 480)
    lens = np.pad(found.distortion, (0, 8 - found.distortion.size))
    assert np.allclose(lens, np.pad(given_camera.distortion, (0, 8 - terms)))


def test_an_uncalibrated_camera_is_refused() -> None:
    with pytest.raises(CameraError, match="uncalibrated"):
        cameras.camera(CameraInfo(width=640, height=480))


def test_a_static_transform_survives_the_message() -> None:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = quat_to_matrix(RNG.normal(size=4)), RNG.normal(size=3)
    ((parent, child, found, stamp_ns),) = cameras.transforms(cameras.static_transform(T, 7, "odom", "camera"))
    assert (parent, child, stamp_ns) == ("odom", "camera", 7)
    assert np.allclose(found, T)


def test_transforms_that_are_no_numbers_are_left_out() -> None:
    places, turns = ([cameras.static_transform(np.eye(4), 7, "odom", "camera") for _ in range(2)] for _ in range(2))
    places[0].transforms[0].transform.translation.x = float("nan")
    places[1].transforms[0].transform.translation.z = float("inf")
    turns[0].transforms[0].transform.rotation.x = float("nan")
    turns[1].transforms[0].transform.rotation.w = 0.0
    assert [cameras.transforms(message) for message in (*places, *turns)] == 4 * [[]]


def test_rays_survive_the_message() -> None:
    given_rays = replace(rays(123_456_789_012, 100.0), person=3)
    stamp_ns, found = ray_messages.from_message(ray_messages.to_message(given_rays.stamp_ns, given_rays, "odom"))
    assert found is not None
    assert stamp_ns == found.stamp_ns == given_rays.stamp_ns
    assert found.person == 3
    for name in ("origin_w", "dir_w", "score", "landmarks_w"):
        assert (getattr(found, name) == getattr(given_rays, name)).all()


def test_an_image_without_a_person_survives_the_message() -> None:
    assert ray_messages.from_message(ray_messages.to_message(42, None, "odom")) == (42, None)


def test_rays_with_nan_wrong_names_or_lengths_are_refused() -> None:
    message = ray_messages.to_message(1, rays(1), "odom")
    message.dir_w[4] = float("nan")
    with pytest.raises(NonFiniteError, match="dir_w holds 1"):
        ray_messages.from_message(message)
    message = ray_messages.to_message(1, rays(1), "odom")
    message.names[0] = "Elbow"
    with pytest.raises(ShapeError, match="names"):
        ray_messages.from_message(message)
    message = ray_messages.to_message(1, rays(1), "odom")
    message.origin_w = [0.0]
    with pytest.raises(ShapeError, match="origin_w"):
        ray_messages.from_message(message)


def random_state() -> HumanoidState:
    """Any bodies anywhere: the messages must not assume a skeleton's lengths."""
    state = humanoid(1_000_000_007)
    quat = RNG.normal(size=(NUM_BODIES, 4))
    quat /= np.linalg.norm(quat, axis=1, keepdims=True)
    position = RNG.normal(size=(NUM_BODIES, 3))
    qpos = np.concatenate([position[0], quat[0], RNG.normal(size=69)])
    return HumanoidState(state.stamp_ns, qpos, RNG.normal(size=75), position, quat, RNG.normal(size=69), state.contacts)


def test_joint_states_hold_the_hinges_in_their_order() -> None:
    state = random_state()
    message = humanoid_messages.joint_state(state)
    assert tuple(message.name) == HINGE_NAMES
    assert np.array_equal(message.position, state.qpos[7:])
    assert np.array_equal(message.velocity, state.qvel[6:])
    assert np.array_equal(message.effort, state.torque)
    assert to_ns(message.header.stamp) == state.stamp_ns


def test_walking_down_the_tf_tree_gives_the_bodies_poses() -> None:
    state = random_state()
    links = cameras.transforms(humanoid_messages.body_transforms(state, "odom", "human/"))
    found = {"odom": np.eye(4)}
    for parent, child, T, _ in links:
        found[child] = found[parent] @ T
    for body, name in enumerate(BODY_NAMES):
        T = found[f"human/{name}"]
        assert np.allclose(T[:3, 3], state.body_pos_w[body])
        assert np.allclose(T[:3, :3], quat_to_matrix(state.body_quat_w[body]))
    assert links[1][0] == f"human/{BODY_NAMES[PARENTS[1]]}"


def test_the_root_alone_can_be_told() -> None:
    assert len(humanoid_messages.body_transforms(random_state(), "odom", "", root_only=True).transforms) == 1


def test_odometry_tells_the_twist_in_the_pelvis_axes() -> None:
    state = random_state()
    message = humanoid_messages.odometry(state, "odom", "human/Pelvis")
    linear, turn = message.twist.twist.linear, message.pose.pose.orientation
    R = quat_to_matrix(np.array([turn.w, turn.x, turn.y, turn.z]))
    assert np.allclose(R @ [linear.x, linear.y, linear.z], state.qvel[:3])
    angular = message.twist.twist.angular
    assert np.allclose([angular.x, angular.y, angular.z], state.qvel[3:6])


def test_contacts_name_the_body_of_each_wrench() -> None:
    message = humanoid_messages.foot_contacts(humanoid(5), "odom")
    assert message.names == ["L_Ankle"]
    assert message.wrenches[0].wrench.force.z == 700.0


def test_a_foots_wrench_is_told_in_the_axes_of_its_ankle() -> None:
    told = [physics_messages.foot_wrench(7, physics(), foot, "human/") for foot in (0, 1)]
    assert [message.header.frame_id for message in told] == ["human/L_Ankle", "human/R_Ankle"]
    assert [message.wrench.force.z for message in told] == [500.0, 200.0]
    torque = told[1].wrench.torque
    assert (torque.x, torque.y, torque.z) == (0.1, 0.2, 0.3)
    assert to_ns(told[0].header.stamp) == 7


def test_balance_sliding_and_penetration_survive_the_message() -> None:
    message = physics_messages.human_physics(7, physics(2.0), "odom")
    assert (message.header.frame_id, message.center_of_mass.x, message.center_of_mass.z) == ("odom", 2.0, 0.9)
    assert message.supported and message.support_margin == 0.03
    assert [(corner.x, corner.y, corner.z) for corner in message.support] == [
        (2, 0.1, 0),
        (2.2, 0.1, 0),
        (2.2, -0.1, 0),
    ]
    assert (message.skate_mm_per_frame, message.standing_corners, message.penetration_mm) == (0.25, 12, 0.5)


def test_in_the_air_there_is_no_support_and_nothing_that_is_not_finite() -> None:
    jump = replace(physics(), support_w=np.zeros((0, 2)), support_margin=None)
    message = physics_messages.human_physics(7, jump, "odom")
    assert not message.supported and not message.support and message.support_margin == 0.0


@pytest.mark.parametrize("status", Status)
def test_every_status_has_its_constant_in_the_message(status: Status) -> None:
    message = humanoid_messages.human_state(estimate(humanoid(5), status), 0.1, "odom")
    assert message.state == getattr(message, status.name)


def test_the_transition_to_the_state_is_told_with_its_age_and_the_counters() -> None:
    counters = {name: count for count, name in enumerate(estimate(humanoid(5)).counters)}
    transition = Transition(2 * 10**9, Status.TRACKING, Status.FALLEN, "fell")
    told = replace(estimate(humanoid(5 * 10**9), Status.FALLEN), transition=transition, counters=counters)
    message = humanoid_messages.human_state(told, 0.1, "odom")
    assert (message.state, message.previous, message.in_state) == (HumanState.FALLEN, HumanState.TRACKING, 3.0)
    counts = [getattr(message, f"{what}_count") for what in ("fall", "divergence", "reinitialisation")]
    assert [*counts, message.lost_count, message.recovery_count, message.transition_count] == [0, 1, 2, 3, 4, 5]


def test_the_scale_of_the_world_is_told() -> None:
    told = replace(estimate(humanoid(5)), scale=0.9)
    assert humanoid_messages.human_state(told, 0.1, "odom").scale == 0.9


def test_smpls_parameters_survive_the_message_and_no_number_is_refused() -> None:
    told = smpl_parameters(random_state().qpos)
    message = smpl_messages.to_message(7, told, 0.9, "odom")
    assert (message.header.frame_id, to_ns(message.header.stamp), message.scale) == ("odom", 7, 0.9)
    assert not message.betas.any()
    found = smpl_messages.from_message(message)
    for name in ("global_orient", "body_pose", "transl"):
        assert np.array_equal(getattr(found, name), getattr(told, name))
    message.transl[1] = np.nan
    with pytest.raises(NonFiniteError, match="transl"):
        smpl_messages.from_message(message)


@given(st.integers(-(2**31) * 10**9, (2**31 - 1) * 10**9))
def test_stamps_round_trip(stamp_ns: int) -> None:
    message = to_time(stamp_ns)
    assert isinstance(message, Time)
    assert to_ns(message) == stamp_ns


def test_number_arrays_are_row_major() -> None:
    assert list(doubles(np.arange(6.0).reshape(2, 3)[:, ::2])) == [0.0, 2.0, 3.0, 5.0]


def test_reports_keep_level_and_values() -> None:
    message = diagnostic_array(3, [Report("a", Level.ERROR, "bad", {"ms": 1.23456, "n": 2})])
    (status,) = message.status
    assert (status.level, status.name, status.message) == (b"\x02", "a", "bad")
    assert {v.key: v.value for v in status.values} == {"ms": "1.235", "n": "2"}
