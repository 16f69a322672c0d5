"""Memory, stream and graph of one GPU network, through NVIDIA's own CUDA bindings."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physhmr.errors import EngineError
from physhmr.inference.engine import TensorSpec


@dataclass(frozen=True)
class Buffer:
    """One tensor on both sides."""

    host: NDArray[Any]
    """Page-locked, so that copies need no CPU and run beside other work."""
    device: int
    """Address on the GPU."""


class Cuda:
    """One stream with its buffers; everything is freed by `close`."""

    def __init__(self) -> None:
        """Make a stream; raises `EngineError` without bindings, driver or GPU."""
        try:
            from cuda.bindings import runtime
        except ImportError as error:
            raise EngineError("CUDA's Python bindings are missing; pip install 'physhmr[tensorrt-rtx]'") from error
        self._cudart = runtime
        self._buffers: list[Buffer] = []
        self._graph: Any = None
        self._stream = self._call(runtime.cudaStreamCreate())

    @property
    def stream(self) -> int:
        """The stream's handle."""
        return int(self._stream)

    def buffer(self, spec: TensorSpec) -> Buffer:
        """Return memory for one tensor of fixed shape on both sides."""
        shape = tuple(size or 1 for size in spec.shape)
        size = max(int(np.prod(shape)) * spec.dtype.itemsize, 1)
        address = int(self._call(self._cudart.cudaHostAlloc(size, self._cudart.cudaHostAllocDefault)))
        host = np.frombuffer(memoryview((ctypes.c_byte * size).from_address(address)), spec.dtype).reshape(shape)
        self._buffers.append(Buffer(host, int(self._call(self._cudart.cudaMalloc(size)))))
        return self._buffers[-1]

    def upload(self, buffer: Buffer) -> None:
        """Queue the copy from host to device."""
        self._copy(buffer.device, buffer.host.ctypes.data, buffer.host.nbytes, "cudaMemcpyHostToDevice")

    def download(self, buffer: Buffer) -> None:
        """Queue the copy from device to host."""
        self._copy(buffer.host.ctypes.data, buffer.device, buffer.host.nbytes, "cudaMemcpyDeviceToHost")

    def synchronize(self) -> None:
        """Wait for everything that was queued."""
        self._call(self._cudart.cudaStreamSynchronize(self._stream))

    def record(self, work: Callable[[], None]) -> None:
        """Keep what `work` queues as a graph, for `replay`; its memory and shapes are fixed from now on."""
        mode = self._cudart.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._call(self._cudart.cudaStreamBeginCapture(self._stream, mode))
        work()
        graph = self._call(self._cudart.cudaStreamEndCapture(self._stream))
        self._graph = self._call(self._cudart.cudaGraphInstantiate(graph, 0))
        self._call(self._cudart.cudaGraphDestroy(graph))

    def replay(self) -> None:
        """Queue the recorded graph: one launch instead of one per kernel."""
        self._call(self._cudart.cudaGraphLaunch(self._graph, self._stream))

    def close(self) -> None:
        """Free graph, buffers and stream."""
        if self._graph is not None:
            self._call(self._cudart.cudaGraphExecDestroy(self._graph))
        for buffer in self._buffers:
            self._call(self._cudart.cudaFree(buffer.device))
            self._call(self._cudart.cudaFreeHost(buffer.host.ctypes.data))
        self._call(self._cudart.cudaStreamDestroy(self._stream))
        self._buffers, self._graph = [], None

    def _copy(self, target: int, source: int, size: int, kind: str) -> None:
        direction = getattr(self._cudart.cudaMemcpyKind, kind)
        self._call(self._cudart.cudaMemcpyAsync(target, source, size, direction, self._stream))

    def _call(self, answer: tuple[Any, ...]) -> Any:
        """The value of a CUDA call, whose first answer is its status."""
        status, *values = answer
        if int(status):
            raise EngineError(f"CUDA: {getattr(status, 'name', status)}; check driver and GPU with nvidia-smi")
        return values[0] if values else None
