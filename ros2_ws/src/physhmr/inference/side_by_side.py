"""Several networks at once: what a GPU does is begun before anybody waits for it, each network on its own stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from physhmr.inference.engine import InferenceEngine, Tensors

Outputs = dict[str, NDArray[Any]]


@runtime_checkable
class StartingEngine(Protocol):
    """An engine that works beside the CPU."""

    def start(self, tensors: Tensors) -> Callable[[], Outputs]:
        """Begin as `infer` does, and return what waits for the outputs; call that before the next start."""


def infer_side_by_side(*jobs: tuple[InferenceEngine, Tensors]) -> list[Outputs]:
    """Run each engine on its tensors and return their outputs in order; raises as `InferenceEngine.infer` does.

    Engines that start are begun first; the CPU computes the others in the meantime. No engine may come twice.
    """
    begun: dict[int, Callable[[], Outputs]] = {}
    try:
        for index, (engine, tensors) in enumerate(jobs):
            if isinstance(engine, StartingEngine):
                begun[index] = engine.start(tensors)
        done = {i: engine.infer(tensors) for i, (engine, tensors) in enumerate(jobs) if i not in begun}
        return [done[index] if index in done else begun.pop(index)() for index in range(len(jobs))]
    finally:
        for finish in begun.values():  # after an error: what was begun must end before its buffers are used again
            finish()
