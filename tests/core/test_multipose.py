"""MoveNet MultiPose: its rows become the boxes of people in the image, and the chain runs with a user's file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physhmr.cli import main
from physhmr.errors import EngineError, ModelFileError
from physhmr.geometry.camera import camera_from_fov
from physhmr.inference.engine import tensor_spec
from physhmr.inference.model_files import find_model, known_models, models_dir
from physhmr.inference.onnx import OnnxEngine
from physhmr.types import Frame
from physhmr.vision.blazepose import BlazePose, BlazePoseConfig, load_blazepose
from physhmr.vision.joint_sets import JOINT_SETS
from physhmr.vision.keypoint_network import KeypointNetwork, keypoint_spec
from physhmr.vision.multipose import COLUMNS, MIN_SCORE, PEOPLE, SIDE, MultiPoseDetector
from physhmr.vision.preprocess import square_box
from physhmr.vision.search import whole_image

NAME = "movenet_multipose"
JOINTS = JOINT_SETS["coco17"].names
CLIP = models_dir() / "clips/walk.mp4"


class Rows:
    """An engine that sees the people it is told to."""

    name = "rows"
    inputs = (tensor_spec("image", 1, SIDE, SIDE, 3),)
    outputs = (tensor_spec("people", 1, PEOPLE, COLUMNS),)

    def __init__(self, *people: np.ndarray) -> None:
        self._rows = np.zeros((1, PEOPLE, COLUMNS), np.float32)
        for row, one in enumerate(people):
            self._rows[0, row] = one
        self.seen = np.zeros(0)

    def infer(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.seen = tensors["image"]
        return {"people": self._rows}


def person(x: float, y: float, height: float, score: float = 0.4, unseen: tuple[str, ...] = ()) -> np.ndarray:
    """A row of the output: somebody upright whose hips are at x, y in [0, 1], the ankles half a height below."""
    heights = {"nose": -0.45, "shoulder": -0.3, "hip": 0.0, "ankle": 0.5}
    row = np.zeros(COLUMNS, np.float32)
    for joint, name in enumerate(JOINTS):
        drop = next((value for part, value in heights.items() if part in name), -0.1)
        row[3 * joint : 3 * joint + 3] = y + drop * height, x, 0.0 if any(part in name for part in unseen) else 0.9
    row[-1] = score
    return row


@given(st.floats(0.2, 0.8), st.floats(0.3, 0.6), st.floats(0.2, 0.6), st.floats(-100, 400), st.floats(200, 900))
def test_a_person_is_where_the_rows_say_as_large_as_they_are(
    x: float, y: float, height: float, corner: float, side: float
) -> None:
    region = square_box(corner, -corner, side)
    (found,) = MultiPoseDetector(Rows(person(x, y, height))).detect(np.zeros((480, 640, 3), np.uint8), region)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.center, [corner + side * x, side * y - corner], atol=1e-3)
    assert found.size == pytest.approx(2 * 1.25 * 1.1 * 0.5 * height * side, rel=1e-4)
    assert found.rotation == pytest.approx(0.0, abs=1e-5)


def test_the_surest_comes_first_and_who_is_not_sure_or_has_no_trunk_is_nobody() -> None:
    rows = (
        person(0.2, 0.5, 0.4, 0.3), person(0.8, 0.5, 0.4, 0.6), person(0.5, 0.5, 0.4, MIN_SCORE - 0.01),
        person(0.4, 0.5, 0.4, 0.9, unseen=("hip",)), person(0.6, 0.5, 0.4, 0.9, unseen=("shoulder",)),
    )  # fmt: skip
    found = MultiPoseDetector(Rows(*rows)).detect(np.zeros((480, 640, 3), np.uint8), whole_image(640, 480))  # type: ignore[arg-type]
    np.testing.assert_allclose([one.center[0] for one in found], [512.0, 128.0], atol=1e-3)


def test_pixels_are_given_as_the_registry_says() -> None:
    _, entry = known_models(models_dir())[NAME]
    spec, engine = keypoint_spec(entry.keypoints or {}), Rows()
    image = np.full((SIDE, SIDE, 3), (10, 20, 250), np.uint8)
    MultiPoseDetector(engine).detect(image, whole_image(SIDE, SIDE))  # type: ignore[arg-type]
    expected = (np.array([10, 20, 250]) / 255.0 - spec.mean) / spec.std
    np.testing.assert_allclose(engine.seen[0, SIDE // 2, SIDE // 2], expected, atol=1e-3)
    assert engine.seen.shape == entry.input_shape


def test_another_network_is_refused_and_this_one_cannot_refine() -> None:
    with pytest.raises(EngineError, match="MoveNet MultiPose has no tensor 'image'"):
        MultiPoseDetector(OnnxEngine(find_model("blazepose_detector")))
    _, entry = known_models(models_dir())[NAME]
    with pytest.raises(ModelFileError, match=r"choose it as `perception\.detector`"):
        KeypointNetwork(Rows(), keypoint_spec(entry.keypoints or {}))  # type: ignore[arg-type]


def test_a_missing_file_says_how_to_make_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(ModelFileError, match=rf"prepare_movenet\.py says how .* `physhmr models add {NAME} FILE`"):
        load_blazepose(BlazePoseConfig(detector_model=NAME))


@pytest.fixture
def users_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network with MoveNet's tensors that sees one person in the middle of every picture, added as the user would."""
    onnx = pytest.importorskip("onnx", reason="building a small network needs the train extra")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    rows = np.zeros((1, PEOPLE, COLUMNS), np.float32)
    rows[0, 0] = person(0.855, 0.52, 0.24)
    image, people = (
        helper.make_tensor_value_info(name, floats, shape)
        for name, shape in (("image", [1, SIDE, SIDE, 3]), ("people", [1, PEOPLE, COLUMNS]))
    )
    nodes = [
        helper.make_node("ReduceMin", ["image"], ["least"], keepdims=0),
        helper.make_node("Mul", ["least", "nothing"], ["zero"]),
        helper.make_node("Add", ["zero", "rows"], ["people"]),
    ]
    weights = [onnx.numpy_helper.from_array(np.float32(0), "nothing"), onnx.numpy_helper.from_array(rows, "rows")]
    model = helper.make_model(
        helper.make_graph(nodes, "g", [image], [people], weights), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 8
    onnx.save(model, tmp_path / "movenet.onnx")
    assert main(["models", "add", NAME, str(tmp_path / "movenet.onnx"), "--accept-licence"]) == 0


def walked(pose: BlazePose, count: int) -> int:
    """How many of the first frames of the walk show the person."""
    capture, seen = cv2.VideoCapture(str(CLIP)), 0
    for index in range(count):
        image = cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB)
        seen += pose.step(Frame(image, index * 33_333_333, camera_from_fov(*image.shape[1::-1], 1.0))) is not None
        pose.look_around(everybody=True)
    return seen


def test_the_chain_finds_its_person_with_it(users_file: None) -> None:
    pose = load_blazepose(BlazePoseConfig(detector_model=NAME))
    assert walked(pose, 12) >= 11
    assert pose.people[0].followed
    pose.close()


def test_movenets_box_is_blazeposes(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        model = find_model(NAME)
    except ModelFileError as missing:
        pytest.skip(str(missing))
    detector, pose = MultiPoseDetector(OnnxEngine(model)), load_blazepose()
    capture = cv2.VideoCapture(str(CLIP))
    for index in range(40):
        image = cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB)
        pose.step(Frame(image, index * 33_333_333, camera_from_fov(*image.shape[1::-1], 1.0)))
        if index % 10 == 9:
            (found,), expected = detector.detect(image, whole_image(*image.shape[1::-1])), pose.people[0].box
            assert np.linalg.norm(found.center - expected.center) < 0.1 * expected.size
            assert abs(np.log(found.size / expected.size)) < 0.25
    pose.close()
