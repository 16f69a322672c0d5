"""TensorRT-RTX engines are built and validated without a GPU; how they run is tested against a stand-in for one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from physhmr.errors import EngineError, ShapeError
from physhmr.inference.cuda import Buffer, Cuda
from physhmr.inference.engine import Tensors, TensorSpec
from physhmr.inference.engine_cache import EngineCache
from physhmr.inference.engine_file import read_engine, write_engine
from physhmr.inference.model_files import find_model, known_models, models_dir
from physhmr.inference.nvidia import find_gpu
from physhmr.inference.onnx import OnnxEngine
from physhmr.inference.side_by_side import infer_side_by_side
from physhmr.inference.tensorrt import RTX_DEVICE, TensorRtEngine, TensorRtLibrary, installed

needs_rtx = pytest.mark.skipif(not installed("tensorrt_rtx"), reason="needs the tensorrt-rtx extra")
BUNDLED = tuple(name for name, (_, entry) in known_models(models_dir()).items() if entry.sha256)


@pytest.fixture(scope="module")
def library() -> TensorRtLibrary:
    return TensorRtLibrary("tensorrt_rtx")


@needs_rtx
@pytest.mark.parametrize("name", BUNDLED)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_every_bundled_model_is_built_and_validated(
    library: TensorRtLibrary, tmp_path: Path, name: str, precision: str
) -> None:
    if precision == "fp16":
        pytest.importorskip("onnx", reason="making an fp16 network needs onnx, from the train extra")
    cache = EngineCache(tmp_path)
    path = cache.build(library, find_model(name), precision)
    engine = cache.validate(library, find_model(name), precision)
    assert engine == read_engine(path)
    assert engine.key.device == RTX_DEVICE and engine.source == find_model(name).name
    assert len(engine.plan) > 100_000


@needs_rtx
def test_fp16_engines_are_smaller(library: TensorRtLibrary) -> None:
    pytest.importorskip("onnx", reason="making an fp16 network needs onnx, from the train extra")
    single, half = (len(library.build(find_model("blazepose_lite"), precision)) for precision in ("fp32", "fp16"))
    assert half < 0.75 * single


def cut_off(path: Path, other: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def of_something_else(path: Path, other: Path) -> None:
    path.write_bytes(b"ftrt" + bytes(4000))


def of_another_model(path: Path, other: Path) -> None:
    path.write_bytes(other.read_bytes())


def of_another_shape(path: Path, other: Path) -> None:
    engine = read_engine(path)
    write_engine(path, replace(engine, outputs=tuple(replace(spec, shape=(3, 3)) for spec in engine.outputs)))


def of_a_plan_cut_off_before(path: Path, other: Path) -> None:
    engine = read_engine(path)
    write_engine(path, replace(engine, plan=engine.plan[:40]))


@needs_rtx
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut_off, "is truncated"),
        (of_something_else, "is no engine of this version"),
        (of_another_model, "was built from something else"),
        (of_another_shape, r"declares 'y' \(3, 3\) float32, expected 'y' \(2, 3\)"),
        (of_a_plan_cut_off_before, "does not take this engine"),
    ],
)
def test_a_kept_engine_that_does_not_fit_is_named_and_mended(
    library: TensorRtLibrary, tmp_path: Path, save_network: Callable[..., Path],
    damage: Callable[[Path, Path], None], message: str,
) -> None:  # fmt: skip
    cache, model = EngineCache(tmp_path), save_network(batch=2)
    path = cache.build(library, model, "fp32")
    damage(path, cache.build(library, save_network("other.onnx", batch=5), "fp32"))
    with pytest.raises(EngineError, match=message):
        cache.validate(library, model, "fp32")
    cache.build(library, model, "fp32")
    assert cache.validate(library, model, "fp32").source == model.name


@needs_rtx
def test_a_plan_of_somebody_else_is_refused_by_the_library_itself(
    library: TensorRtLibrary, tmp_path: Path, save_network: Callable[..., Path]
) -> None:
    cache, model = EngineCache(tmp_path), save_network(batch=2)
    path = cache.build(library, model, "fp32")
    write_engine(path, replace(read_engine(path), plan=np.random.default_rng(0).bytes(5000)))
    with pytest.raises(EngineError, match="a malformed file"):
        cache.validate(library, model, "fp32")


@needs_rtx
def test_building_tells_its_progress(
    library: TensorRtLibrary, save_network: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        library.build(save_network(), "fp32")
    assert "1 of " in caplog.text


@needs_rtx
def test_what_tensorrt_cannot_read_is_an_error(library: TensorRtLibrary, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(EngineError, match=r"cannot read .*bad\.onnx"):
        library.build(tmp_path / "bad.onnx", "fp32")


@needs_rtx
@pytest.mark.skipif(find_gpu() is not None, reason="there is a GPU here")
def test_without_a_gpu_opening_says_so(
    library: TensorRtLibrary, tmp_path: Path, save_network: Callable[..., Path]
) -> None:
    with pytest.raises(EngineError, match=r"cannot load this engine: .*CUDA"):
        EngineCache(tmp_path).open(library, save_network(), "fp32")


@pytest.mark.skipif(find_gpu() is not None, reason="there is a GPU here")
def test_cuda_without_a_driver_says_so() -> None:
    pytest.importorskip("cuda.bindings.runtime", reason="needs the tensorrt-rtx extra")
    with pytest.raises(EngineError, match=r"CUDA: .*check driver and GPU"):
        Cuda()


@pytest.mark.skipif(installed("tensorrt"), reason="TensorRT is installed")
def test_what_is_not_installed_names_the_step() -> None:
    with pytest.raises(EngineError, match=r"pip install 'physhmr\[tensorrt\]'"):
        TensorRtLibrary("tensorrt")


@dataclass
class PretendedGpu(Cuda):
    """Device memory is a dictionary of arrays, the stream a list of what is to be done."""

    memory: dict[int, np.ndarray] = field(default_factory=dict)
    queue: list[Callable[[], None]] = field(default_factory=list)
    graph: list[Callable[[], None]] = field(default_factory=list)
    stream: int = 7  # type: ignore[misc]
    closed: bool = False

    def buffer(self, spec: TensorSpec) -> Buffer:
        address = 1000 + len(self.memory)
        self.memory[address] = np.full(spec.shape, np.nan, spec.dtype)
        return Buffer(np.zeros(spec.shape, spec.dtype), address)

    def upload(self, buffer: Buffer) -> None:
        self.queue.append(lambda: np.copyto(self.memory[buffer.device], buffer.host))

    def download(self, buffer: Buffer) -> None:
        self.queue.append(lambda: np.copyto(buffer.host, self.memory[buffer.device]))

    def synchronize(self) -> None:
        for work in self.queue:
            work()
        self.queue.clear()

    def record(self, work: Callable[[], None]) -> None:
        assert not self.queue, "capture begins on an idle stream"
        work()
        self.graph, self.queue = self.queue, []

    def replay(self) -> None:
        self.queue.extend(self.graph)

    def close(self) -> None:
        self.closed = True


@dataclass
class PretendedEngine:
    """y = 2 a + b on the pretended GPU, in TensorRT's words."""

    gpu: PretendedGpu
    addresses: dict[str, int] = field(default_factory=dict)
    starts: int = 0
    works: bool = True
    tensors = {"a": (1, 3), "b": (2, 3), "y": (2, 3)}
    num_io_tensors = 3

    def get_tensor_name(self, index: int) -> str:
        return list(self.tensors)[index]

    def get_tensor_mode(self, name: str) -> str:
        return "out" if name == "y" else "in"

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self.tensors[name]

    def get_tensor_dtype(self, name: str) -> type:
        return np.float32

    def create_execution_context(self) -> PretendedEngine:
        return self

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        assert stream == self.gpu.stream
        self.starts += 1
        a, b, y = (self.gpu.memory[self.addresses[name]] for name in "aby")
        self.gpu.queue.append(lambda: np.copyto(y, 2 * a + b))
        return self.works


TRT: Any = SimpleNamespace(TensorIOMode=SimpleNamespace(INPUT="in"), nptype=lambda kind: kind)


def test_a_frame_goes_up_through_and_down_again_with_and_without_a_graph() -> None:
    gpu = PretendedGpu()
    raw = PretendedEngine(gpu)
    engine = TensorRtEngine(raw, gpu, "pretended", TRT)
    assert [str(spec) for spec in (*engine.inputs, *engine.outputs)] == [
        "'a' (1, 3) float32", "'b' (2, 3) float32", "'y' (2, 3) float32",
    ]  # fmt: skip
    random, answers = np.random.default_rng(1), []
    for frame in range(4):
        if frame == 2:
            engine.warm_up()
            started = raw.starts
        a, b = random.random((1, 3), np.float32), random.random((2, 3), np.float32)
        answers.append((engine.infer({"a": a, "b": b})["y"], 2 * a + b))
    for answer, expected in answers:  # also the old ones: the buffers were used again meanwhile
        np.testing.assert_array_equal(answer, expected)
    assert raw.starts == started, "a recorded frame is launched as one graph"
    with pytest.raises(ShapeError):
        engine.infer({"a": np.zeros((1, 4), np.float32), "b": b})
    engine.close()
    assert gpu.closed


def test_a_start_that_fails_is_an_error() -> None:
    gpu = PretendedGpu()
    engine = TensorRtEngine(PretendedEngine(gpu, works=False), gpu, "pretended", TRT)
    with pytest.raises(EngineError, match="pretended did not start"):
        engine.warm_up()


def test_networks_work_side_by_side_and_the_cpu_beside_them(save_network: Callable[..., Path]) -> None:
    order: list[str] = []

    class Watched(PretendedGpu):
        def replay(self) -> None:
            order.append("start")
            super().replay()

        def synchronize(self) -> None:
            order.append("wait")
            super().synchronize()

    class OnCpu(OnnxEngine):
        def infer(self, tensors: Tensors) -> dict[str, np.ndarray]:
            order.append("cpu")
            return super().infer(tensors)

    engines: list[Any] = []
    for _ in range(2):
        gpu = Watched()
        engines.append(TensorRtEngine(PretendedEngine(gpu), gpu, "pretended", TRT))
        engines[-1].warm_up()
    engines.insert(1, OnCpu(save_network(batch=2)))
    order.clear()
    a, b = np.ones((1, 3), np.float32), np.arange(6, dtype=np.float32).reshape(2, 3)
    jobs = [(engine, {"a": scale * a, "b": b}) for scale, engine in enumerate(engines)]
    for scale, outputs in enumerate(infer_side_by_side(*jobs)):
        np.testing.assert_array_equal(outputs["y"], 2 * scale * a + b)
    assert order == ["start", "start", "cpu", "wait", "wait"]
    with pytest.raises(ShapeError):  # of the one on the CPU
        infer_side_by_side(jobs[0], (engines[1], {"a": a}))
    np.testing.assert_array_equal(engines[0].infer({"a": 5 * a, "b": b})["y"], 10 * a + b)
    assert order[-5:] == ["start", "cpu", "wait", "start", "wait"], "what was begun is waited for after an error too"
