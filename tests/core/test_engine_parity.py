"""Every engine says what ONNX Runtime says in fp32, on frames of the bundled walk, as exactly as its precision can."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from physhmr.errors import EngineError, ModelFileError
from physhmr.geometry.camera import camera_from_fov
from physhmr.inference.choose import EngineConfig, library, open_engines, ready
from physhmr.inference.engine import InferenceEngine, Tensors, TensorSpec, zeros_for
from physhmr.inference.engine_cache import EngineCache
from physhmr.inference.model_files import find_model, known_models, models_dir
from physhmr.inference.nvidia import find_gpu
from physhmr.inference.onnx import OnnxEngine
from physhmr.inference.precision import model_at
from physhmr.types import Array, Frame, PersonBox
from physhmr.vision.blazepose import load_blazepose
from physhmr.vision.landmarks import REGION_POINTS, LandmarkNetwork, decode

Looks = list[tuple[Tensors, PersonBox]]
LOSS_PX = {"fp32": (0.02, 0.05), "fp16": (0.1, 1.0)}
"""Median and 99 % quantile of the landmarks' displacement, px of the 256 px crop."""


@pytest.fixture(scope="module")
def looks() -> Looks:
    """Crops of the walking woman with their boxes."""
    found: Looks = []
    model = load_blazepose()
    original = LandmarkNetwork.crop

    def crop(self: LandmarkNetwork, image: np.ndarray, box: PersonBox) -> Tensors:
        found.append((original(self, image, box), box))
        return found[-1][0]

    capture = cv2.VideoCapture(str(models_dir() / "clips/walk.mp4"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LandmarkNetwork, "crop", crop)
        for index in range(40):
            image = cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB)
            height, width = image.shape[:2]
            model.step(Frame(image, index * 33_333_333, camera_from_fov(width, height, 1.0)))
    model.close()
    assert len(found) > 30
    return found[::3]


@pytest.fixture(scope="module")
def truth(looks: Looks) -> list[Array]:
    return landmarks(OnnxEngine(find_model("blazepose_full")), looks)


def landmarks(engine: InferenceEngine, looks: Looks) -> list[Array]:
    """(35, 2) px of the crop, for each look."""
    return [256 * decode(engine.infer(crop), box).xy / box.size for crop, box in looks]


def assert_parity(engine: InferenceEngine, looks: Looks, truth: list[Array], precision: str) -> None:
    found = landmarks(engine, looks)
    error = np.linalg.norm(np.array(found) - np.array(truth), axis=-1)[:, : REGION_POINTS.start]
    median, high = LOSS_PX[precision]
    assert np.median(error) <= median
    assert np.quantile(error, 0.99) <= high


def test_openvino(looks: Looks, truth: list[Array], tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="needs the openvino extra")
    for _ in range(2):  # built, then loaded
        (engine,), choice = open_engines([find_model("blazepose_full")], EngineConfig("openvino", cache=tmp_path))
        assert choice.engine == "openvino"
        assert_parity(engine, looks, truth, "fp32")
        engine.warm_up()
        engine.close()
    with pytest.raises(EngineError, match="OpenVINO runs fp32 or bf16 here, not fp16"):
        library("openvino").build(Path("m"), "fp16")


def test_openvino_keeps_the_names_of_the_file(save_network: Callable[..., Path], tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="needs the openvino extra")
    (engine,), _ = open_engines([save_network()], EngineConfig("openvino", cache=tmp_path))
    a, b = np.ones((1, 3), np.float32), np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(engine.infer({"a": a, "b": b})["y"], 2 * a + b)
    with pytest.raises(EngineError, match="does not take this engine"):
        library("openvino").open(b"not a plan", "fp32")


def test_bf16_is_close_to_fp32_and_its_own_engine(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino", reason="needs the openvino extra")
    torch = pytest.importorskip("torch", reason="needs the train extra")
    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this CPU does not compute in bf16")
    from physhmr.inference.torch_onnx import export_onnx

    torch.manual_seed(0)
    layers = [part for _ in range(4) for part in (torch.nn.Linear(256, 256), torch.nn.LayerNorm(256))]
    module, x = torch.nn.Sequential(*layers), torch.randn(1, 256)
    file = export_onnx(module, {"x": x}, ["y"], tmp_path / "model.onnx")
    told = {}
    for precision in ("fp32", "bf16"):
        (engine,), _ = open_engines([file], EngineConfig("openvino", precision, cache=tmp_path))
        assert engine.name == f"openvino on cpu, {precision}"
        told[precision] = engine.infer({"x": x.numpy()})["y"]
    assert len(EngineCache(tmp_path).engines()) == 2
    error = np.linalg.norm(told["bf16"] - told["fp32"]) / np.linalg.norm(told["fp32"])
    assert 1e-5 < error < 0.03  # 8 bits of mantissa, four layers


def test_int8_is_close_to_fp32_made_once_and_smaller(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("onnx", reason="making an int8 network needs onnx, from the train extra")
    torch = pytest.importorskip("torch", reason="needs the train extra")
    from physhmr.inference.torch_onnx import export_onnx

    torch.manual_seed(0)
    layers = [part for _ in range(4) for part in (torch.nn.Linear(256, 256), torch.nn.LayerNorm(256))]
    x = torch.randn(1, 256)
    file = export_onnx(torch.nn.Sequential(*layers), {"x": x}, ["y"], tmp_path / "model.onnx")
    told = {}
    with caplog.at_level("INFO"):
        for precision in ("fp32", "int8", "int8"):
            (engine,), _ = open_engines([file], EngineConfig("onnx", precision, cache=tmp_path))
            assert engine.name == f"onnx on cpu, {precision}"
            told[precision] = engine.infer({"x": x.numpy()})["y"]
    assert caplog.text.count("quantising model.onnx") == 1
    (made,) = (tmp_path / "int8").iterdir()
    assert made.stat().st_size < 0.5 * file.stat().st_size
    error = np.linalg.norm(told["int8"] - told["fp32"]) / np.linalg.norm(told["fp32"])
    assert 1e-4 < error < 0.05
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EngineError, match="cannot write"):
        open_engines([file], EngineConfig("onnx", "int8", cache=tmp_path / "file"))


def test_the_fp16_network_on_onnx_runtime(looks: Looks, truth: list[Array], tmp_path: Path) -> None:
    """What TensorRT is given in fp16, judged where no GPU is needed."""
    pytest.importorskip("onnx", reason="making an fp16 network needs onnx, from the train extra")
    (tmp_path / "half.onnx").write_bytes(model_at(find_model("blazepose_full"), "fp16"))
    engine = OnnxEngine(tmp_path / "half.onnx")
    assert_parity(engine, looks, truth, "fp16")
    outputs = engine.infer(looks[0][0])
    full = OnnxEngine(find_model("blazepose_full")).infer(looks[0][0])
    assert any(not np.array_equal(outputs[name], full[name]) for name in full), "it still computes in fp32"


def given_to(engine: InferenceEngine, looks: Looks) -> list[Tensors]:
    """Real crops for those that see, and what a standing body is near to for the others."""
    shape, random = engine.inputs[0].shape, np.random.default_rng(3)
    if shape[-1] == 3 and len(shape) == 4:
        crops = [next(iter(tensors.values()))[0] for tensors, _ in looks]
        scale = (2.0, -1.0) if shape[1] == 224 else (1.0, 0.0)
        return [
            {engine.inputs[0].name: (scale[0] * cv2.resize(crop, shape[1:3]) + scale[1])[None].astype(np.float32)}
            for crop in crops
        ]
    return [
        {
            spec.name: random.standard_normal([size or 1 for size in spec.shape]).astype(spec.dtype)
            for spec in engine.inputs
        }
        for _ in range(5)
    ]


AGREEMENT = {"fp32": 1e-4, "fp16": 2e-2}
"""Largest root mean square difference to ONNX Runtime's fp32, as a share of the output's own, or of a thousandth."""
BUNDLED = tuple(name for name, (_, entry) in known_models(models_dir()).items() if entry.sha256)


@pytest.mark.parametrize("precision", AGREEMENT)
@pytest.mark.parametrize("name", BUNDLED)
def test_every_bundled_network_says_the_same(looks: Looks, tmp_path: Path, name: str, precision: str) -> None:
    """In fp32 on OpenVINO, and as the fp16 network that TensorRT is given, on ONNX Runtime."""
    model = find_model(name)
    if precision == "fp32":
        pytest.importorskip("openvino", reason="needs the openvino extra")
        (other,), _ = open_engines([model], EngineConfig("openvino", cache=tmp_path))
    else:
        pytest.importorskip("onnx", reason="making an fp16 network needs onnx, from the train extra")
        (tmp_path / "half.onnx").write_bytes(model_at(model, "fp16"))
        other = OnnxEngine(tmp_path / "half.onnx")
    truth = OnnxEngine(model)
    for tensors in given_to(truth, looks):
        found = other.infer(tensors)
        for output, expected in truth.infer(tensors).items():
            error = np.sqrt(np.mean(np.square(found[output] - expected, dtype=float)))
            assert error <= AGREEMENT[precision] * max(np.sqrt(np.mean(np.square(expected, dtype=float))), 1e-3), output


def test_a_constant_that_two_nodes_need_is_cast_once(tmp_path: Path) -> None:
    """Of nodes that stay in fp32: onnxruntime's conversion makes a cast for each of them, all with one name."""
    onnx = pytest.importorskip("onnx", reason="making an fp16 network needs onnx, from the train extra")
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    x, y = (helper.make_tensor_value_info(name, floats, [4]) for name in "xy")
    nodes = [
        helper.make_node("Mul", ["x", "two"], ["doubled"]),
        helper.make_node("Min", ["doubled", "two"], ["least"]),
        helper.make_node("Max", ["x", "two"], ["most"]),
        helper.make_node("Add", ["least", "most"], ["y"]),
    ]
    two = onnx.numpy_helper.from_array(np.full(4, 2.0, np.float32), "two")
    model = helper.make_model(
        helper.make_graph(nodes, "g", [x], [y], [two]), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 8
    onnx.save(model, tmp_path / "model.onnx")
    (tmp_path / "half.onnx").write_bytes(model_at(tmp_path / "model.onnx", "fp16"))
    values = np.array([-1.0, 0.5, 1.5, 3.0], np.float32)
    found = OnnxEngine(tmp_path / "half.onnx").infer({"x": values})["y"]
    np.testing.assert_allclose(found, np.minimum(2 * values, 2) + np.maximum(values, 2), rtol=1e-3)


def test_torch_says_what_its_module_says() -> None:
    torch = pytest.importorskip("torch", reason="needs the train extra")
    from physhmr.inference.torch import TorchEngine

    module = torch.nn.Linear(3, 2)
    spec = TensorSpec("x", (1, 3), np.dtype(np.float32))
    engine = TorchEngine(module, [spec], ["y"])
    engine.warm_up()
    x = np.array([[1.0, -2.0, 0.5]], np.float32)
    expected = x @ module.weight.detach().numpy().T + module.bias.detach().numpy()
    np.testing.assert_allclose(engine.infer({"x": x})["y"], expected, rtol=1e-6)
    assert [str(spec) for spec in engine.outputs] == ["'y' (1, 2) float32"]


@pytest.mark.parametrize("limit", [1e12, 0.0])
def test_a_module_becomes_one_file_however_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: float) -> None:
    torch = pytest.importorskip("torch", reason="needs the train extra")
    from physhmr.inference import torch_onnx

    monkeypatch.setattr(torch_onnx, "LARGEST_FP32", limit)
    module = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.Tanh(), torch.nn.Linear(64, 2))
    x = torch.randn(1, 64, generator=torch.Generator().manual_seed(1))
    exact = module(x).detach().numpy()
    path = torch_onnx.export_onnx(module, {"x": x}, ["y"], tmp_path / "model.onnx")
    error = np.abs(OnnxEngine(path).infer({"x": x.numpy()})["y"] - exact).max()
    assert (error < 1e-6) if limit else (0.0 < error < 1e-2)
    assert (path.stat().st_size < 12_000) == (limit == 0.0)
    assert [child.name for child in tmp_path.iterdir()] == ["model.onnx"]
    monkeypatch.setattr(torch_onnx, "TOLERANCE", -1.0)
    with pytest.raises(ModelFileError, match=r"'y' of .* differs from torch"):
        torch_onnx.export_onnx(module, {"x": x}, ["y"], tmp_path / "model.onnx")


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("name", ["tensorrt", "tensorrt_rtx", "onnx_cuda", "onnx_tensorrt"])
def test_gpu(looks: Looks, truth: list[Array], tmp_path: Path, name: str, precision: str) -> None:
    if find_gpu() is None:
        pytest.skip("no NVIDIA GPU here")
    if name not in ready():
        pytest.skip(f"{name} is not installed")
    if name == "onnx_cuda" and precision == "fp16":
        pytest.skip("runs fp32 only")
    (engine,), _ = open_engines([find_model("blazepose_full")], EngineConfig(name, precision, cache=tmp_path))
    assert_parity(engine, looks, truth, precision)
    engine.warm_up()
    assert_parity(engine, looks, truth, precision)


def test_zeros_fit_every_bundled_network() -> None:
    for name in ("blazepose_detector", "blazepose_full", "blazepose_lite", "expert", "encoder"):
        engine = OnnxEngine(find_model(name))
        assert set(engine.infer(zeros_for(engine.inputs))) == {spec.name for spec in engine.outputs}
