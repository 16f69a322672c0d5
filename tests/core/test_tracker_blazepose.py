"""The whole of BlazePose on real pictures: the bundled clip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest

from physhmr import perception
from physhmr.config import PerceptionConfig
from physhmr.errors import EngineError, ModelFileError, ShapeError, UnknownNameError
from physhmr.geometry.camera import camera_from_fov, with_pose
from physhmr.inference.choose import Choice
from physhmr.inference.model_files import find_model, models_dir
from physhmr.types import KEYPOINTS, Frame, Keypoints2d
from physhmr.video import VideoConfig, VideoReader
from physhmr.vision.blazepose import STAGES, BlazePose, BlazePoseConfig, load_blazepose
from physhmr.vision.selection import Selection
from physhmr.vision.tracker import TrackerConfig

HIPS = [KEYPOINTS.index("L_Hip"), KEYPOINTS.index("R_Hip")]


@pytest.fixture(scope="module")
def walk() -> list[Frame]:
    with VideoReader(VideoConfig(source=str(models_dir() / "clips" / "walk.mp4"))) as source:
        return [frame for _, frame in zip(range(40), source, strict=False)]


@pytest.fixture(scope="module")
def shared_model() -> Iterator[BlazePose]:
    model = load_blazepose()
    yield model
    model.close()


@pytest.fixture
def model(shared_model: BlazePose) -> BlazePose:
    shared_model.reset()
    return shared_model


def follow(model: BlazePose, frames: list[Frame]) -> list[Keypoints2d | None]:
    return [model.step(frame) for frame in frames]


def settled(model: BlazePose, frame: Frame) -> Keypoints2d:
    """Look at one picture until region and filters have come to rest."""
    for step in range(8):
        keypoints = model.step(replace(frame, stamp_ns=step * 33_000_000))
    assert keypoints is not None
    return keypoints


def test_the_walk_is_followed_from_the_first_frame(model: BlazePose, walk: list[Frame]) -> None:
    found = follow(model, walk)
    assert all(keypoints is not None for keypoints in found)
    hips = np.array([keypoints.xy[HIPS].mean(0) for keypoints in found if keypoints is not None])
    # She walks to the left by some six pixels a frame.
    assert (np.diff(hips[:, 0]) < 0).mean() > 0.95
    assert 200 < hips[0, 0] - hips[-1, 0] < 300
    last = found[-1]
    assert last is not None
    upright = last.xy[[KEYPOINTS.index(name) for name in ("Nose", "L_Hip", "L_Knee", "L_Ankle")], 1]
    assert (np.diff(upright) > 20).all()
    assert last.stamp_ns == walk[-1].stamp_ns


def test_stages_are_timed_and_those_left_out_cost_nothing(model: BlazePose, walk: list[Frame]) -> None:
    model.step(walk[0])
    assert set(model.stage_ms) == set(STAGES)
    assert all(spent > 0 for spent in model.stage_ms.values())
    model.reset()
    model.step(replace(walk[0], image=np.zeros_like(walk[0].image)))
    assert model.stage_ms["find"] > 0 == model.stage_ms["landmarks"]


def test_person_is_lost_in_the_dark_and_found_again(model: BlazePose, walk: list[Frame]) -> None:
    follow(model, walk[:5])
    dark = replace(walk[5], image=np.zeros_like(walk[5].image))
    assert model.step(dark) is None and not model.tracking
    again = follow(model, walk[6:9])
    assert again[-1] is not None and model.tracking


def test_noise_is_nobody(model: BlazePose, walk: list[Frame]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, walk[0].image.shape, np.uint8)
    assert follow(model, [replace(walk[0], image=noise, stamp_ns=k) for k in range(6)]) == [None] * 6


def test_keypoints_move_with_the_picture(model: BlazePose, walk: list[Frame]) -> None:
    frame = walk[30]
    before = settled(model, frame)
    model.reset()
    shift = np.array([-60, 25])
    moved = cv2.warpAffine(
        frame.image, np.array([[1, 0, shift[0]], [0, 1, shift[1]]], float), frame.image.shape[1::-1],
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    after = settled(model, replace(frame, image=np.asarray(moved, np.uint8)))
    sure = before.score > 0.5
    assert np.median(np.linalg.norm(after.xy - before.xy - shift, axis=1)[sure]) < 3.0


def test_runs_are_repeatable(model: BlazePose, walk: list[Frame]) -> None:
    first = follow(model, walk[:6])
    model.reset()
    for one, two in zip(first, follow(model, walk[:6]), strict=True):
        assert one is not None and two is not None
        np.testing.assert_array_equal(one.xy, two.xy)


def test_image_that_is_not_its_cameras_is_refused(model: BlazePose, walk: list[Frame]) -> None:
    with pytest.raises(ShapeError, match=r"\(380, 1280\) as its camera says"):
        model.step(replace(walk[0], image=np.zeros((480, 640, 3), np.uint8)))


def test_variants_and_search_area(walk: list[Frame]) -> None:
    lite = load_blazepose(BlazePoseConfig(landmark_model="lite", smoothing=None))
    assert follow(lite, walk[:8])[-1] is not None
    elsewhere = load_blazepose(BlazePoseConfig(tracker=TrackerConfig(search_area=(0.0, 0.0, 0.5, 1.0))))
    assert follow(elsewhere, walk[:3]) == [None] * 3


def test_unknown_and_absent_variants_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="blazepose_full"):
        load_blazepose(BlazePoseConfig(landmark_model="fulll"))
    with pytest.raises(ModelFileError, match="no model file"):
        load_blazepose(BlazePoseConfig(landmark_model="nowhere/heavy.onnx"))


@pytest.mark.parametrize("name", ["blazepose_detector", "expert"])
def test_another_network_than_blazepose_is_refused(name: str) -> None:
    with pytest.raises(EngineError, match=r"the landmark network (has no tensor|declares)"):
        load_blazepose(BlazePoseConfig(landmark_model=str(find_model(name))))


def test_who_is_asked_for_is_followed_and_nobody_else(model: BlazePose, walk: list[Frame]) -> None:
    first = model.step(walk[0])
    assert first is not None
    model.select(Selection("pixel", (2.0, 2.0)))
    assert not any(follow(model, walk[1:14]))
    x, y = first.xy[HIPS].mean(0)
    model.select(Selection("pixel", (x, y)))
    found = next(keypoints for keypoints in follow(model, walk[2:14]) if keypoints is not None)
    model.select(Selection())
    assert np.linalg.norm(found.xy[HIPS].mean(0) - (x, y)) < 80


def test_parameters_that_want_the_same_person_do_not_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    class Recorder:
        choice, asked = Choice("onnx", "none needed"), []

        def select(self, selection: Selection) -> None:
            self.asked.append(selection)

    monkeypatch.setattr(perception, "load_keypoint_model", lambda *_: Recorder())
    watching = perception.PerceptionPipeline(PerceptionConfig())
    watching.select(PerceptionConfig(select_x=5))
    assert Recorder.asked == []
    watching.select(PerceptionConfig(select="pixel", select_x=5))
    watching.choose_anew()
    assert Recorder.asked == 2 * [Selection("pixel", (5.0, 0.0))]


def test_rays_say_when_somebody_else_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Certain:
        choice, stage_ms = Choice("onnx", "none needed"), {}

        def step(self, frame: Frame) -> Keypoints2d:
            return Keypoints2d(frame.stamp_ns, np.full((21, 2), 30.0), np.ones(21), np.ones((21, 3)))

        def select(self, selection: Selection) -> None:
            pass

    monkeypatch.setattr(perception, "load_keypoint_model", lambda *_: Certain())
    watching = perception.PerceptionPipeline(PerceptionConfig())
    frame = Frame(np.zeros((48, 64, 3), np.uint8), 0, with_pose(camera_from_fov(64, 48, 1.0), np.eye(4)))
    people = []
    for asked in (PerceptionConfig(), PerceptionConfig(select="centre"), PerceptionConfig(select="centre")):
        watching.select(asked)
        people.append(watching.step(frame).person)
    watching.choose_anew()
    people.append(watching.step(frame).person)
    assert people[0] != people[1] == people[2] != people[3]
