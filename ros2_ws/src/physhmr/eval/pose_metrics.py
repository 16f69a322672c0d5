"""Accuracy of estimated joints against the truth, as defined in the field.

Joints are (T, J, 3) m in the world (z up), one frame per row, frames `1 / fps` apart. Errors are means over
frames and joints. Definitions: MPJPE and PA-MPJPE of Human3.6M's protocols 1 and 2; WA-MPJPE100 and
W-MPJPE100 of SLAHMR (arXiv 2302.12827); RTE, Accel and jitter as WHAM and GVHMR compute them; success and
G-MPJPE of PHC (arXiv 2305.06456).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from physhmr.errors import ShapeError
from physhmr.eval.alignment import check_pair, umeyama
from physhmr.types import Array

CHUNK = 100
"""Frames of a chunk of WA-MPJPE100 and W-MPJPE100."""
SUCCESS_DISTANCE = 0.5
"""m; the mean body distance that a successful episode never passes."""
_MM = 1000.0


def g_mpjpe(estimate: Array, truth: Array) -> float:
    """Return the mean joint distance without any alignment, mm."""
    return _MM * float(_distance(estimate, truth).mean())


def mpjpe(estimate: Array, truth: Array, root: Sequence[int]) -> float:
    """Return the mean joint distance after moving both roots to the origin, mm.

    The root is the mean of the joints `root`, such as both hips.
    """
    return g_mpjpe(_rootless(estimate, root), _rootless(truth, root))


def pa_mpjpe(estimate: Array, truth: Array) -> float:
    """Return the mean joint distance after the best similarity of each frame, mm."""
    return g_mpjpe(umeyama(estimate, truth)(estimate), truth)


def wa_mpjpe_100(estimate: Array, truth: Array) -> float:
    """Return the mean joint distance after the best similarity of each chunk of 100 frames, mm."""
    return _chunked(estimate, truth, CHUNK)


def w_mpjpe_100(estimate: Array, truth: Array) -> float:
    """Return the mean joint distance after the similarity of each chunk's first two frames, mm."""
    return _chunked(estimate, truth, 2)


def rte(root_estimate: Array, root_truth: Array) -> float:
    """Return the mean error of the root path (T, 3) m after a rigid alignment, % of the true path's length.

    NaN where the true root does not move: the ratio has no meaning there.
    """
    check_pair(root_estimate, root_truth)
    length = np.linalg.norm(np.diff(root_truth, axis=0), axis=-1).sum()
    if length == 0.0:
        return float("nan")
    aligned = umeyama(root_estimate, root_truth, with_scale=False)(root_estimate)
    return 100.0 * float(np.linalg.norm(aligned - root_truth, axis=-1).mean() / length)


def accel(estimate: Array, truth: Array, fps: float) -> float:
    """Return the mean difference of the joint accelerations (second differences), m/s^2."""
    _require_frames(estimate, 3)
    return fps**2 * float(_distance(np.diff(estimate, 2, axis=0), np.diff(truth, 2, axis=0)).mean())


def jitter(joints: Array, fps: float) -> float:
    """Return the mean third difference of the joints, 10 m/s^3; needs no truth."""
    _require_frames(joints, 4)
    return fps**3 / 10.0 * float(np.linalg.norm(np.diff(joints, 3, axis=0), axis=-1).mean())


def success(estimate: Array, truth: Array, limit: float = SUCCESS_DISTANCE) -> bool:
    """Return whether the mean body distance of no frame passes `limit` m; bodies (T, B, 3) m."""
    return bool((_distance(estimate, truth).mean(-1) <= limit).all())


def _distance(estimate: Array, truth: Array) -> Array:
    """(..., J) m."""
    check_pair(estimate, truth)
    return np.linalg.norm(estimate - truth, axis=-1)


def _rootless(joints: Array, root: Sequence[int]) -> Array:
    return joints - joints[:, list(root)].mean(1, keepdims=True)


def _chunked(estimate: Array, truth: Array, aligned_frames: int) -> float:
    """Align each chunk by its first `aligned_frames` frames; the mean is over all frames, not over chunks."""
    check_pair(estimate, truth)
    _require_frames(estimate, 2)
    moved = [
        umeyama(estimate[part][:aligned_frames].reshape(-1, 3), truth[part][:aligned_frames].reshape(-1, 3))(
            estimate[part].reshape(-1, 3)
        )
        for part in _chunks(len(estimate))
    ]
    return g_mpjpe(np.concatenate(moved), truth.reshape(-1, 3))


def _chunks(frames: int) -> Iterator[slice]:
    """Chunks of 100 frames; what is left is a shorter one, or joins the last chunk if it is a single frame."""
    starts = [start for start in range(0, frames, CHUNK) if start == 0 or frames - start >= 2]
    for start, end in zip(starts, [*starts[1:], frames], strict=True):
        yield slice(start, end)


def _require_frames(joints: Array, count: int) -> None:
    if np.ndim(joints) != 3 or len(joints) < count:
        raise ShapeError("joints", f"(T >= {count}, J, 3)", np.shape(joints))
