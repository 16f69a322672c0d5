"""TensorRT 10 (`tensorrt`) and TensorRT for RTX (`tensorrt_rtx`), which share one Python interface.

TensorRT compiles on the GPU that will run the engine. TensorRT-RTX compiles anywhere, without a GPU too, for GPUs
from Ampere on except those of data centres (sm_90, sm_100), and finishes on the GPU at the first start.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physhmr.errors import EngineError
from physhmr.inference.cuda import Cuda
from physhmr.inference.engine import Tensors, TensorSpec, check_tensors, zeros_for
from physhmr.inference.nvidia import find_gpu
from physhmr.inference.precision import model_at

_log = logging.getLogger(__name__)
MODULES = {"tensorrt": ("tensorrt",), "tensorrt_rtx": ("tensorrt_rtx", "tensorrt_rtx_bindings")}
"""Library -> names under which its Python module is installed."""
RTX_DEVICE = "rtx sm80-89 sm120"
"""What an RTX engine is for: any of these, so that it can be built elsewhere."""
_DEFECTS = {1: "another version", 2: "another GPU generation", 4: "a newer driver", 8: "a newer CUDA",
            16: "more GPU memory", 32: "a malformed file", 64: "a CUDA error"}  # fmt: skip


class TensorRtLibrary:
    """Compiles for NVIDIA GPUs; an `EngineLibrary`."""

    def __init__(self, kind: str) -> None:
        """Use `tensorrt` or `tensorrt_rtx`; raises `EngineError` if it is not installed."""
        self._kind = kind
        self._trt, self._logger = _load(kind)

    @property
    def name(self) -> str:
        """Library and version."""
        return f"{self._kind} {self._trt.__version__}"

    @property
    def device(self) -> str:
        """The GPU, or for RTX all that its engines run on; raises `EngineError` for TensorRT without one."""
        if self._kind == "tensorrt_rtx":
            return RTX_DEVICE
        gpu = find_gpu()
        if gpu is None:
            raise EngineError("TensorRT compiles on the GPU that it runs on; without one choose tensorrt_rtx")
        return str(gpu)

    def build(self, model: Path, precision: str) -> bytes:
        """Compile `model`; a free dimension gets length 1. Raises `EngineError` with what TensorRT says."""
        trt = self._trt
        self._logger.errors.clear()
        builder = trt.Builder(self._logger)
        network = builder.create_network(_strongly_typed(trt))
        parser = trt.OnnxParser(network, self._logger)
        if not parser.parse(model_at(model, precision)):
            said = "; ".join(str(parser.get_error(index)) for index in range(parser.num_errors))
            raise EngineError(f"{self.name} cannot read {model}: {said}")
        plan = builder.build_serialized_network(network, _settings(trt, builder, network))
        if plan is None:
            raise EngineError(f"{self.name} cannot compile {model}: {self._logger.said()}")
        return bytes(plan)

    def check(self, plan: bytes) -> None:
        """Let the library look at the plan's header; raises `EngineError` naming what does not fit."""
        runtime = self._trt.Runtime(self._logger)
        if not hasattr(runtime, "get_engine_validity"):  # TensorRT 10: only loading tells
            self._deserialized(runtime, plan)
            return
        _, defects = runtime.get_engine_validity(plan)
        if defects:
            needs = ", ".join(text for bit, text in _DEFECTS.items() if defects & bit)
            raise EngineError(f"{self.name} does not take this engine: it is of, or needs, {needs}")

    def open(self, plan: bytes, precision: str) -> TensorRtEngine:
        """Load a plan onto the GPU; raises `EngineError` where that fails."""
        runtime = self._trt.Runtime(self._logger)
        engine = self._deserialized(runtime, plan)
        return TensorRtEngine(engine, Cuda(), f"{self._kind} on cuda, {precision}", self._trt, runtime)

    def _deserialized(self, runtime: Any, plan: bytes) -> Any:
        self._logger.errors.clear()
        engine = runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise EngineError(f"{self.name} cannot load this engine: {self._logger.said()}")
        return engine


class TensorRtEngine:
    """A network on the GPU: page-locked buffers, one stream, and one graph launch a frame; an `InferenceEngine`."""

    def __init__(self, engine: Any, cuda: Cuda, name: str, trt: Any, runtime: Any = None) -> None:
        """Use a deserialized engine whose shapes are all fixed, and its `runtime`, which has to outlive it."""
        self.name, self._cuda, self._engine, self._runtime = name, cuda, engine, runtime
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        inputs = {one for one in names if engine.get_tensor_mode(one) == trt.TensorIOMode.INPUT}
        specs = [_spec(trt, engine, one) for one in names]
        self.inputs = tuple(spec for spec in specs if spec.name in inputs)
        self.outputs = tuple(spec for spec in specs if spec.name not in inputs)
        self._buffers = {spec.name: cuda.buffer(spec) for spec in specs}
        self._context = engine.create_execution_context()
        for spec in specs:
            self._context.set_tensor_address(spec.name, self._buffers[spec.name].device)
        self._recorded = False

    def warm_up(self) -> None:
        """Run once on zeros, then keep the launch as a graph."""
        self.infer(zeros_for(self.inputs))
        if not self._recorded:
            self._cuda.record(self._queue)
            self._recorded = True
        self.infer(zeros_for(self.inputs))

    def infer(self, tensors: Tensors) -> dict[str, NDArray[Any]]:
        """Run the network; one tensor per declared input, all outputs by name."""
        return self.start(tensors)()

    def start(self, tensors: Tensors) -> Callable[[], dict[str, NDArray[Any]]]:
        """Begin as `infer` does, and return what waits for the outputs; call that before the next start."""
        check_tensors(self.inputs, tensors)
        for spec in self.inputs:
            np.copyto(self._buffers[spec.name].host, tensors[spec.name])
        if self._recorded:
            self._cuda.replay()
        else:
            self._queue()
        return self._finish

    def close(self) -> None:
        """Free GPU memory, graph and stream."""
        del self._context, self._engine, self._runtime
        self._cuda.close()

    def _finish(self) -> dict[str, NDArray[Any]]:
        self._cuda.synchronize()
        # Copies: the buffers are written again by the next frame.
        return {spec.name: self._buffers[spec.name].host.copy() for spec in self.outputs}

    def _queue(self) -> None:
        for spec in self.inputs:
            self._cuda.upload(self._buffers[spec.name])
        if not self._context.execute_async_v3(self._cuda.stream):
            raise EngineError(f"{self.name} did not start; its log says why")
        for spec in self.outputs:
            self._cuda.download(self._buffers[spec.name])


def installed(kind: str) -> bool:
    """Return whether `tensorrt` or `tensorrt_rtx` can be imported."""
    return any(importlib.util.find_spec(name) for name in MODULES[kind])


@functools.cache
def _load(kind: str) -> tuple[Any, Any]:
    """The module and its logger; one logger for the process, as TensorRT keeps the first that it is given."""
    for name in MODULES[kind]:
        try:
            trt = importlib.import_module(name)
        except ImportError:
            continue
        return trt, _logger(trt)
    raise EngineError(f"{kind} is not installed; pip install 'physhmr[{kind.replace('_', '-')}]'")


def _logger(trt: Any) -> Any:
    class Logger(trt.ILogger):
        """Passes warnings on and keeps errors for the message of an exception."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR):
                self.errors.append(message)
            elif severity == trt.ILogger.Severity.WARNING:
                _log.debug(message)

        def said(self) -> str:
            return "; ".join(self.errors[-2:]) or "it gave no reason"

    return Logger()


def _strongly_typed(trt: Any) -> int:
    """The flag that makes TensorRT take the file's precisions as they are, which needs none where it always does."""
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _settings(trt: Any, builder: Any, network: Any) -> Any:
    """Builder settings: true fp32 where the network says so, free dimensions fixed, progress told."""
    config, profile = builder.create_builder_config(), builder.create_optimization_profile()
    config.clear_flag(trt.BuilderFlag.TF32)
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        fixed = tuple(max(size, 1) for size in tensor.shape)
        profile.set_shape(tensor.name, fixed, fixed, fixed)
    config.add_optimization_profile(profile)
    config.progress_monitor = _monitor(trt)
    return config


def _monitor(trt: Any) -> Any:
    class Monitor(trt.IProgressMonitor):
        """Tells of the outermost phases of a build."""

        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}

        def phase_start(self, phase: str, parent: str | None, steps: int) -> None:
            if parent is None:
                self._steps[phase] = steps

        def phase_finish(self, phase: str) -> None:
            self._steps.pop(phase, None)

        def step_complete(self, phase: str, step: int) -> bool:
            if phase in self._steps:
                _log.info("  %s: %d of %d", phase, step + 1, self._steps[phase])
            return True  # go on

    return Monitor()


def _spec(trt: Any, engine: Any, name: str) -> TensorSpec:
    shape = tuple(size if size > 0 else 1 for size in engine.get_tensor_shape(name))
    return TensorSpec(name, shape, np.dtype(trt.nptype(engine.get_tensor_dtype(name))))
