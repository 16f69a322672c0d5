"""Cropping inside of the network says what cropping before it says, on every picture size and border."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physhmr.errors import EngineError, ModelFileError, ShapeError
from physhmr.geometry.camera import camera_from_fov
from physhmr.inference import choose
from physhmr.inference.choose import Choice, EngineConfig, open_engines
from physhmr.inference.engine import tensor_spec
from physhmr.inference.engine_cache import EngineCache
from physhmr.inference.image_front import IMAGE, TO_IMAGE, ImageFront, with_image_front
from physhmr.inference.model_files import find_model, models_dir
from physhmr.inference.onnx import OnnxEngine
from physhmr.inference.picture_engine import PictureEngine
from physhmr.inference.tensorrt import TensorRtLibrary, installed
from physhmr.types import Frame, PersonBox
from physhmr.vision import blazepose
from physhmr.vision.blazepose import BlazePose, BlazePoseConfig, load_blazepose
from physhmr.vision.crops import square_crops
from physhmr.vision.landmarks import FRONT
from physhmr.vision.preprocess import pixels_to_image

onnx = pytest.importorskip("onnx", reason="making a network that crops needs the train extra")
SIDE = 16
SMALL = ImageFront(SIDE, SIDE, (0.5,) * 3, (-3.0,) * 3, planes=False, replicate_border=True)


def mirror(path: Path, front: ImageFront = SMALL) -> Path:
    """A network that gives its input back."""
    shape = [1, 3, front.height, front.width] if front.planes else [1, front.height, front.width, 3]
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in "xy")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "g", [x], [y])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)
    return path


def opened(model: Path, folder: Path, front: ImageFront = SMALL) -> PictureEngine:
    return PictureEngine(OnnxEngine(model), model, front, OnnxEngine, folder)


boxes = st.builds(
    lambda x, y, size, turn: PersonBox(np.array([x, y]), size, turn, 1.0),
    st.floats(-10, 70), st.floats(-10, 50), st.floats(8, 80), st.floats(-3, 3),
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(boxes, st.booleans(), st.sampled_from([(40, 60), (33, 90)]))
def test_both_ways_crop_alike(
    tmp_path_factory: pytest.TempPathFactory, box: PersonBox, border: bool, size: tuple[int, int]
) -> None:
    folder = tmp_path_factory.mktemp("front")
    front = replace(SMALL, replicate_border=border)
    y, x = np.mgrid[: size[0], : size[1]]
    image = np.stack([2 * x + y, 3 * y, 200 - x], -1).astype(np.uint8)
    engine = opened(mirror(folder / "m.onnx"), folder, front)
    (expected,) = square_crops("it", (tensor_spec("x", 1, SIDE, SIDE, 3),), "x", front)(image, box).values()
    found = engine.infer(square_crops("it", engine.inputs, "x", front)(image, box))["y"]
    # OpenCV places pixels to a 32nd, and at a black border that is up to 8 grey levels of 255.
    allowed = 1.5 if border else 6.0
    np.testing.assert_allclose(found, expected, atol=allowed)
    assert np.abs(found - expected).mean() < 0.4


def test_planes_come_in_their_own_scales(tmp_path: Path) -> None:
    front = ImageFront(4, 8, (1.0, 0.1, 0.01), (0.0, 1.0, 2.0), planes=True, replicate_border=True)
    engine = opened(mirror(tmp_path / "m.onnx", front), tmp_path, front)
    image = np.full((30, 40, 3), (10, 20, 30), np.uint8)
    given_map = np.array([[1, 0, 5], [0, 1, 5]], np.float32)
    found = engine.infer({IMAGE: image, TO_IMAGE: given_map})["y"]
    assert found.shape == (1, 3, 4, 8)
    np.testing.assert_allclose(found[0, :, 2, 3], [10.0, 3.0, 2.3], atol=1e-4)


def test_an_engine_is_opened_once_for_each_size_and_closed_before_the_next(tmp_path: Path) -> None:
    model, open_now = mirror(tmp_path / "m.onnx"), []

    class Counted(OnnxEngine):
        def __init__(self, path: Path) -> None:
            super().__init__(path)
            open_now.append(path.name)

        def close(self) -> None:
            open_now.pop()

    engine = PictureEngine(OnnxEngine(model), model, SMALL, Counted, tmp_path / "new")
    engine.warm_up()
    assert not open_now
    for size in ((30, 40), (30, 40), (50, 40)):
        engine.infer({IMAGE: np.zeros((*size, 3), np.uint8), TO_IMAGE: np.eye(2, 3, dtype=np.float32)})
        assert len(open_now) == 1 and open_now[0].endswith(f"-{size[1]}x{size[0]}.onnx")
    engine.close()
    assert not open_now
    with pytest.raises(ShapeError, match="picture"):
        engine.infer({IMAGE: np.zeros((30, 40), np.uint8), TO_IMAGE: np.eye(2, 3, dtype=np.float32)})


def test_what_takes_something_else_is_refused(tmp_path: Path, save_network: Callable[..., Path]) -> None:
    with pytest.raises(ModelFileError, match=r"takes \['a', 'b'\] .* not one crop \[1, 16, 16, 3\]"):
        with_image_front(save_network(), SMALL, 40, 60)
    with pytest.raises(EngineError, match=r"the eye declares 'x' \(1, 16, 16, 3\) .*, expected 'x' \(1, 256, 256, 3\)"):
        square_crops("the eye", OnnxEngine(mirror(tmp_path / "m.onnx")).inputs, "x", FRONT)
    (tmp_path / "file").write_text("in the way")
    engine = opened(mirror(tmp_path / "m.onnx"), tmp_path / "file")
    with pytest.raises(ModelFileError, match="choose another `engine_cache`"):
        engine.infer({IMAGE: np.zeros((40, 60, 3), np.uint8), TO_IMAGE: np.eye(2, 3, dtype=np.float32)})


def followed(pose: BlazePose, count: int = 30) -> np.ndarray:
    """(count, 21, 2) px on the bundled walk."""
    capture, found = cv2.VideoCapture(str(models_dir() / "clips/walk.mp4")), []
    for index in range(count):
        image = cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB)
        seen = pose.step(Frame(image, index * 33_333_333, camera_from_fov(*image.shape[1::-1], 1.0)))
        assert seen is not None
        found.append(seen.xy)
    pose.close()
    return np.array(found)


def test_blazepose_sees_the_same_through_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole chain as on a GPU, with ONNX Runtime on the CPU in its place."""
    monkeypatch.setattr(blazepose, "ENGINES_ON_GPU", ("onnx",))
    engine = EngineConfig("onnx", cache=tmp_path)
    found = followed(load_blazepose(BlazePoseConfig(engine=engine, crop_on_gpu=True)))
    apart = np.linalg.norm(found - followed(load_blazepose()), axis=-1)[-10:]  # of one crop it is 0.04 px
    assert np.median(apart) < 0.3 and np.quantile(apart, 0.99) < 6.0
    assert len(list((tmp_path / "pictures").glob("pose_*-1280x380.onnx"))) == 2


def test_on_a_cpu_it_is_left_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    load_blazepose(BlazePoseConfig(engine=EngineConfig("onnx"), crop_on_gpu=True)).close()
    assert "which crops faster outside of the network" in caplog.text


def test_the_engine_that_was_chosen_is_the_one_that_crops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save_network: Callable[..., Path]
) -> None:
    asked = []

    def open_them(models: list[Path], config: EngineConfig) -> tuple[list[OnnxEngine], Choice]:
        asked.append(config.engine)
        return [OnnxEngine(model) for model in models], Choice("onnx_cuda", "as the test wants")

    monkeypatch.setattr(blazepose, "open_engines", open_them)
    pose = load_blazepose(BlazePoseConfig(engine=EngineConfig("auto", cache=tmp_path), crop_on_gpu=True))
    followed(pose, 1)
    assert asked == ["auto", "onnx_cuda", "onnx_cuda"]
    assert set(choose.ON_GPU) < set(choose.ENGINES_ON_GPU)


@pytest.mark.skipif(not installed("tensorrt_rtx"), reason="needs the tensorrt-rtx extra")
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_tensorrt_rtx_builds_it(tmp_path: Path, precision: str) -> None:
    file = tmp_path / "full.onnx"
    file.write_bytes(with_image_front(find_model("blazepose_full"), FRONT, 480, 640))
    cache, library = EngineCache(tmp_path), TensorRtLibrary("tensorrt_rtx")
    cache.build(library, file, precision)
    engine = cache.validate(library, file, precision)
    assert [str(spec) for spec in engine.inputs] == [f"'{IMAGE}' (480, 640, 3) uint8", f"'{TO_IMAGE}' (2, 3) float32"]


@pytest.mark.gpu
@pytest.mark.parametrize("name", choose.ENGINES_ON_GPU)
def test_on_a_gpu(tmp_path: Path, name: str) -> None:
    if choose.find_gpu() is None or name not in choose.ready():
        pytest.skip(f"needs an NVIDIA GPU and {name}")
    file, model = tmp_path / "full.onnx", find_model("blazepose_full")
    file.write_bytes(with_image_front(model, FRONT, 480, 640))
    (engine,), _ = open_engines([file], EngineConfig(name, cache=tmp_path))
    image = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    to_image = pixels_to_image(PersonBox(np.array([320.0, 240.0]), 400.0, 0.2, 1.0), FRONT.width)
    inputs = {IMAGE: image, TO_IMAGE: to_image.astype(np.float32)}
    expected = OnnxEngine(file).infer(inputs)
    engine.warm_up()
    for output, value in engine.infer(inputs).items():
        np.testing.assert_allclose(value, expected[output], rtol=1e-2, atol=1e-2 * np.abs(expected[output]).max())
