"""What every inference engine promises, so that ONNX Runtime, TensorRT and OpenVINO can take each other's place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from physhmr.errors import EngineError, NonFiniteError, ShapeError, UnknownNameError

Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class TensorSpec:
    """Name, shape and type that a network declares for one of its inputs or outputs."""

    name: str
    shape: tuple[int | None, ...]
    """None stands for a free dimension."""
    dtype: np.dtype[Any]

    def admits(self, tensor: NDArray[Any]) -> bool:
        """Return whether `tensor` has this type and shape."""
        return (
            tensor.dtype == self.dtype
            and tensor.ndim == len(self.shape)
            and all(want in (None, got) for want, got in zip(self.shape, tensor.shape, strict=True))
        )

    def __str__(self) -> str:
        sizes = ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"'{self.name}' ({sizes}) {self.dtype}"


def tensor_spec(name: str, *shape: int | None) -> TensorSpec:
    """Return the spec of a float32 tensor."""
    return TensorSpec(name, shape, np.dtype(np.float32))


class InferenceEngine(Protocol):
    """One loaded network. Not thread-safe: each thread that infers owns its engine."""

    @property
    def name(self) -> str:
        """Library, device and precision, for people: `onnx on cpu, fp32`."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What `infer` needs, all of it."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What `infer` returns."""

    def warm_up(self) -> None:
        """Run once on zeros, so that the first real call is as fast as the others."""

    def infer(self, tensors: Tensors) -> dict[str, NDArray[Any]]:
        """Run the network on one tensor per declared input; raises as `check_tensors` does."""

    def close(self) -> None:
        """Free the network; `infer` must not be called afterwards."""


def check_tensors(specs: tuple[TensorSpec, ...], tensors: Tensors) -> None:
    """Compare tensors with what a network declares.

    Raises `UnknownNameError` for a name that is not declared, `ShapeError` for a missing tensor, a
    wrong shape or type, and `NonFiniteError` for NaN or infinity.
    """
    names = [spec.name for spec in specs]
    for name in tensors:
        if name not in names:
            raise UnknownNameError("network input", name, names)
    # A sum is far cheaper than a mask over a whole image, and NaN or inf always reach it.
    with np.errstate(invalid="ignore"):
        for spec in specs:
            tensor = tensors.get(spec.name)
            if tensor is None or not spec.admits(tensor):
                got = "nothing" if tensor is None else f"{tensor.shape} {tensor.dtype}"
                raise ShapeError(f"network input '{spec.name}'", f"{spec.shape} {spec.dtype}", got)
            if spec.dtype.kind == "f" and not math.isfinite(tensor.sum(dtype=np.float64)):
                raise NonFiniteError(f"network input '{spec.name}'", int((~np.isfinite(tensor)).sum()))


def check_declared(what: str, expected: Sequence[TensorSpec], declared: Sequence[TensorSpec]) -> None:
    """Compare the tensors that a network declares with those its user expects; more of them is no mistake.

    A free dimension admits every length, on either side. Raises `EngineError`, naming `what` and the first
    tensor that is missing or different.
    """
    found = {spec.name: spec for spec in declared}
    for spec in expected:
        if spec.name not in found:
            raise EngineError(f"{what} has no tensor {spec}; it has {', '.join(map(str, declared))}")
        if not _agree(spec, found[spec.name]):
            raise EngineError(f"{what} declares {found[spec.name]}, expected {spec}")


def _agree(one: TensorSpec, other: TensorSpec) -> bool:
    if one.dtype != other.dtype or len(one.shape) != len(other.shape):
        return False
    return all(a == b or None in (a, b) for a, b in zip(one.shape, other.shape, strict=True))


def zeros_for(specs: tuple[TensorSpec, ...]) -> dict[str, NDArray[Any]]:
    """Return one zero tensor per spec; a free dimension gets length 1."""
    return {spec.name: np.zeros([size or 1 for size in spec.shape], spec.dtype) for spec in specs}
