"""How steady the machine is by itself: the same work again and again with nothing else running."""

from __future__ import annotations

import time

import numpy as np

from physhmr.types import Array

REPEATS = 450
BEAT = 1 / 30
"""s, as the control steps: between two of them the machine idles."""


def fixed_work_ms() -> Array:
    """Return how long each of `REPEATS` runs of a fixed piece of work took, of 15 s; about as long as a control step.

    What neighbours on the same processor do to it, they do to every control step.
    """
    matrix, took = np.random.default_rng(0).random((300, 300)), []
    for beat in range(REPEATS):
        if beat:
            time.sleep(max(0.0, BEAT - took[-1] / 1e3))
        begin = time.perf_counter()
        for _ in range(4):
            np.sin(matrix)  # on one thread, whatever numpy was built with
        for _ in range(40):
            sum(range(1000))
        took.append(1e3 * (time.perf_counter() - begin))
    return np.array(took)
