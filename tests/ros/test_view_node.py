"""The viewer as a process: a video that plays, whatever is missing or broken, and an end without a traceback."""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_chain import estimate, humanoid, rays
from graph import HEIGHT, WIDTH, Graph, wait_for
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image, JointState
from test_processes import NODES, finish, heard, start

from physhmr.errors import NonFiniteError, PhyshmrError, ShapeError, UnknownNameError, VideoError
from physhmr.types import HumanoidState
from physhmr.view.snapshot import Snapshot
from physhmr.view.video_writer import count_frames
from physhmr_msgs.msg import HumanState, RayBundle
from physhmr_ros import qos
from physhmr_ros.conversions import humanoid as messages
from physhmr_ros.conversions import rays as ray_messages
from physhmr_ros.nodes.viewer_node import FilmReel, ViewerNode, without_old_rays

START, PERIOD = 1_700_000_000 * 10**9, 33_333_333
SECOND = 10**9
Spoil = Callable[[JointState, Odometry, HumanState], object]


class Player(Graph):
    """Plays the topics of a chain."""

    def __init__(self) -> None:
        super().__init__([])
        kinds = {"human/joint_states": JointState, "human/odom": Odometry, "human/state": HumanState}
        self._told = [self._own.create_publisher(kind, topic, qos.STREAM) for topic, kind in kinds.items()]
        self.now = START

    def meet(self) -> None:
        """Wait until the viewer listens to everything that is played here."""
        wait_for(lambda: all(one.get_subscription_count() for one in (self.images, *self._told)))
        time.sleep(0.3)  # the viewer needs a moment longer to know us

    def play(self, seconds: float, spoil: Spoil | None = None, images: bool = True, states: bool = True) -> None:
        """Publish images and control steps at 30 Hz; `spoil` changes the messages of every second step."""
        for index in range(round(30 * seconds)):
            if images:
                self.show(self.now)
            if states:
                state = upright(self.now)
                step = messages.joint_state(state), messages.odometry(state, "odom", "pelvis"), told(self.now)
                if spoil and index % 2:
                    spoil(*step)
                for publisher, message in zip(self._told, step, strict=True):
                    publisher.publish(message)
            self.now += PERIOD
            time.sleep(1.0 / 30.0)


def upright(stamp_ns: int) -> HumanoidState:
    """A standing humanoid."""
    state = humanoid(stamp_ns)
    state.qpos[2:4] = 1.0
    return state


def told(stamp_ns: int) -> HumanState:
    return messages.human_state(estimate(upright(stamp_ns)), 0.1, "odom")


@pytest.fixture
def player(ros: None) -> Iterator[Player]:
    with Player() as graph:
        yield graph


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "film.mp4"


@pytest.fixture
def viewer(film: Path) -> Iterator[subprocess.Popen[str]]:
    options = [f"film:={film}", "film_fps:=30.0", "page:=false"]
    process = start(*NODES, "viewer", "--ros-args", *(part for option in options for part in ("-p", option)))
    heard(process, "active")
    yield process
    process.kill()


def end(process: subprocess.Popen[str], interrupts: int = 1) -> str:
    """Interrupt the viewer; return its log."""
    for _ in range(interrupts):
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    code, log = finish(process)
    assert code == 0
    assert "Traceback" not in log
    return log


@pytest.mark.ros
@pytest.mark.timeout(120)
class TestProcess:
    @pytest.mark.parametrize("interrupts", [1, 2])
    def test_an_interrupt_finishes_the_video_and_says_where_it_is(
        self, player: Player, viewer: subprocess.Popen[str], film: Path, interrupts: int
    ) -> None:
        player.meet()
        player.play(1.0)
        log = end(viewer, interrupts)
        found = re.search(r"overlay video: (\S+), ([\d.]+) s", log)
        assert found and found[1] == str(film)
        assert count_frames(film) >= 10
        assert count_frames(film) == pytest.approx(30 * float(found[2]), abs=2)

    def test_without_any_topic_it_does_not_claim_a_video(self, viewer: subprocess.Popen[str], film: Path) -> None:
        assert "no overlay video: there was nothing to film" in end(viewer)
        assert not film.exists()

    def test_images_without_a_humanoid_are_filmed_alone(
        self, player: Player, viewer: subprocess.Popen[str], film: Path
    ) -> None:
        player.meet()
        player.play(1.5, states=False)
        end(viewer)
        assert count_frames(film) >= 5

    def test_a_humanoid_without_images_is_no_film(
        self, player: Player, viewer: subprocess.Popen[str], film: Path
    ) -> None:
        player.meet()
        player.play(0.7, images=False)
        assert "nothing to film" in end(viewer)
        assert not film.exists()

    @pytest.mark.parametrize(
        ("spoil", "reason"),
        [
            (lambda joints, odometry, state: joints.position.__setitem__(3, math.nan), "non-finite"),
            (lambda joints, odometry, state: setattr(joints, "position", joints.position[:5]), "5 positions"),
            (lambda joints, odometry, state: setattr(odometry.pose.pose.orientation, "w", 0.0), "unit quaternion"),
            (lambda joints, odometry, state: setattr(state, "state", 200), "unknown HumanState.state '200'"),
        ],
        ids=["nan", "short", "no-rotation", "unknown-state"],
    )
    def test_broken_steps_are_named_and_the_others_filmed(
        self, player: Player, viewer: subprocess.Popen[str], film: Path, spoil: Spoil, reason: str
    ) -> None:
        player.meet()
        player.play(1.0, spoil)
        assert reason in end(viewer)
        assert count_frames(film) >= 10

    def test_broken_images_and_rays_are_named_and_the_others_filmed(
        self, player: Player, viewer: subprocess.Popen[str], film: Path
    ) -> None:
        player.meet()
        for _ in range(6):
            player.images.publish(Image(encoding="bayer_x", width=WIDTH, height=HEIGHT, data=bytes(WIDTH * HEIGHT)))
            player.images.publish(Image(encoding="rgb8", width=1, height=1, step=3, data=b"abc"))
            bad = rays_message(player.now)
            bad.dir_w[0] = math.nan
            player.rays.publish(bad)
            player.play(0.2)
        log = end(viewer)
        for reason in ("encoding 'bayer_x' is not supported", "image is 1x1 px", "dir_w holds 1 non-finite"):
            assert reason in log
        assert count_frames(film) >= 10

    @pytest.mark.parametrize("name", ["a file.txt/film.mp4", "folder.mp4", "film.avi"])
    def test_where_no_video_can_be_written_it_does_not_start(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "a file.txt").touch()
        (tmp_path / "folder.mp4").mkdir()
        code, log = finish(start(*NODES, "viewer", "--ros-args", "-p", f"film:={tmp_path / name}", "-p", "page:=false"))
        assert code == 1
        assert name in log
        assert "Traceback" not in log

    def test_it_steps_back_behind_the_chain(self, viewer: subprocess.Popen[str]) -> None:
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, viewer.pid) == min(own + 5, 19)


def rays_message(stamp_ns: int) -> RayBundle:
    return ray_messages.to_message(stamp_ns, rays(stamp_ns), "odom")


@pytest.mark.ros
def test_a_viewer_that_is_late_draws_the_newest_step_only(ros: None, monkeypatch: pytest.MonkeyPatch) -> None:
    node, drawn = ViewerNode(), []
    monkeypatch.setattr(node, "_draw", lambda snapshot: drawn.append(snapshot.stamp_ns))
    node.start()
    for index in range(5):
        stamp = START + index * PERIOD
        state = upright(stamp)
        for topic, message in (
            ("human/joint_states", messages.joint_state(state)),
            ("human/odom", messages.odometry(state, "odom", "pelvis")),
            ("human/state", told(stamp)),
        ):
            node._letters.put((topic, message))
    node.work()
    node.destroy_node()
    assert drawn == [START + 4 * PERIOD]


def grey(stamp_ns: int) -> Snapshot:
    return Snapshot(stamp_ns, image=np.full((48, 64, 3), 90, np.uint8))


@pytest.mark.parametrize("jump", [-90 * SECOND, -SECOND, 300 * SECOND, 10**6 * SECOND])
def test_a_film_cuts_where_the_stamps_jump(jump: int, tmp_path: Path) -> None:
    reel = FilmReel(tmp_path / "a.mp4", 30.0, 120)
    for begin in (START, START + jump):
        for index in range(10):
            reel.add(grey(begin + index * PERIOD))
    assert reel.frames == 20
    reel.close()
    assert count_frames(tmp_path / "a.mp4") == 20


def test_a_film_waits_while_the_camera_is_gone(tmp_path: Path) -> None:
    reel = FilmReel(tmp_path / "a.mp4", 10.0, 120)
    reel.add(grey(START))
    reel.add(grey(START + 5 * SECOND))
    assert reel.frames == 51


@pytest.mark.parametrize("height", [120, 361])
def test_a_film_is_as_high_as_asked_in_even_pixels(height: int, tmp_path: Path) -> None:
    import cv2

    reel = FilmReel(tmp_path / "a.mp4", 30.0, height)
    reel.add(grey(START))
    reel.close()
    assert cv2.VideoCapture(str(tmp_path / "a.mp4")).read()[1].shape[0] == height // 2 * 2


def test_a_film_in_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(VideoError, match=r"cannot write .*film\.mp4"):
        FilmReel(tmp_path / "file" / "film.mp4", 30.0)


def test_rays_of_somebody_who_left_are_not_shown() -> None:
    bundle = rays(START)
    # The pose may be predicted, for 0.3 s after the newest image.
    for pose_ns in (START + SECOND // 5, START + 2 * SECOND // 5):
        assert without_old_rays(Snapshot(pose_ns, rays=bundle)).rays is bundle
    assert without_old_rays(Snapshot(START + SECOND // 2, rays=bundle)).rays is None


def test_a_configuration_that_is_none_is_refused() -> None:
    def change(**values: object) -> tuple[Odometry, JointState]:
        state = upright(START)
        joints, odometry = messages.joint_state(state), messages.odometry(state, "odom", "pelvis")
        for name, value in values.items():
            setattr(joints if hasattr(joints, name) else odometry.pose.pose.orientation, name, value)
        return odometry, joints

    assert messages.qpos(*change()).shape == (76,)
    for error, values in (
        (ShapeError, {"name": ["knee"]}),
        (ShapeError, {"position": [0.0]}),
        (NonFiniteError, {"w": math.inf}),
        (PhyshmrError, {"w": 0.0}),
    ):
        with pytest.raises(error):
            messages.qpos(*change(**values))
    with pytest.raises(UnknownNameError, match=r"HumanState\.state '200'"):
        messages.status(HumanState(state=200))
