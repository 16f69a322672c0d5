"""Top-down keypoint networks: one upright crop in, the joints of a `JointSet` out (ViTPose, RTMPose, RTMW, ...).

The crop's border pixels lie on the border of the box, as in unbiased data processing (Huang et al., CVPR 2020), and
a heatmap's peak is found between its cells by the second-order expansion of its logarithm (Zhang et al., CVPR 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from physhmr.errors import ConfigError, ModelFileError
from physhmr.inference.engine import InferenceEngine, TensorSpec
from physhmr.types import Array
from physhmr.vision.joint_sets import JOINT_SETS, JointSet
from physhmr.vision.preprocess import IMAGENET_MEAN, IMAGENET_STD, Normaliser, apply_affine

_BLUR = 0.8
"""Cells: a network's heatmaps are smoothed before their peak is expanded."""
_SIMCC_STEPS = 2.0
"""SimCC's bins per pixel."""
MULTIPOSE = "multipose"
"""Decoder of `physhmr.vision.multipose`, whose networks look at pictures, not at people."""


@dataclass(frozen=True)
class KeypointSpec:
    """What the manifest says about a keypoint network."""

    joints: str
    """A key of `JOINT_SETS`."""
    decoder: str
    """`heatmap` (1, J, H, W); `simcc`: two outputs (1, J, bins) for x and y; `multipose`: six people in a picture."""
    mean: tuple[float, float, float] = IMAGENET_MEAN
    """RGB in [0, 1], taken off the image; ImageNet's unless the manifest says otherwise."""
    std: tuple[float, float, float] = IMAGENET_STD
    padding: float = 1.25
    """Size of the crop over that of the person's box."""

    def __post_init__(self) -> None:
        if self.joints not in JOINT_SETS:
            raise ConfigError("joints", f"must be one of {', '.join(JOINT_SETS)}", self.joints)
        if self.decoder not in (*DECODERS, MULTIPOSE):
            raise ConfigError("decoder", f"must be one of {', '.join((*DECODERS, MULTIPOSE))}", self.decoder)


class KeypointNetwork:
    """Sees the joints of the person in a box."""

    def __init__(self, engine: InferenceEngine, spec: KeypointSpec) -> None:
        """Use `engine`; raises `ModelFileError` if its tensors are not those of such a network."""
        if spec.decoder == MULTIPOSE:
            raise ModelFileError("this network sees several people in a picture: choose it as `perception.detector`")
        self._engine, self._spec = engine, spec
        self.joints: JointSet = JOINT_SETS[spec.joints]
        self.size = _input_size(engine.inputs)
        self._normalise = Normaliser(spec.mean, spec.std)
        _check_outputs(engine.outputs, len(self.joints.names), spec.decoder)

    def look(self, image: NDArray[np.uint8], low: Array, high: Array) -> tuple[Array, Array]:
        """Return the joints (J, 2) px and their scores (J,) of the person within `low` to `high` (2,) px."""
        width, height = self.size
        to_image = crop_affine(low, high, width / height, self._spec.padding)
        outputs = self._engine.infer({self._engine.inputs[0].name: self._tensor(image, to_image)})
        xy, score = DECODERS[self._spec.decoder]([outputs[one.name] for one in self._engine.outputs], self.size)
        return apply_affine(to_image, xy), np.clip(score, 0.0, 1.0)

    def warm_up(self) -> None:
        """Run once on zeros."""
        self._engine.warm_up()

    def close(self) -> None:
        """Free the network."""
        self._engine.close()

    def _tensor(self, image: NDArray[np.uint8], to_image: Array) -> NDArray[np.float32]:
        width, height = self.size
        pixels = to_image.copy()
        pixels[:, :2] /= np.array([width - 1, height - 1])
        crop = cv2.warpAffine(image, pixels, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        return self._normalise(crop)


def keypoint_spec(keypoints: Mapping[str, Any]) -> KeypointSpec:
    """Return the spec of a manifest entry's `keypoints`; raises `ModelFileError` for one that is malformed."""
    try:
        values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in keypoints.items()}
        return KeypointSpec(**values)
    except (TypeError, ConfigError) as error:
        raise ModelFileError(f"the manifest's 'keypoints' are malformed: {error}") from error


def crop_affine(low: Array, high: Array, aspect: float, padding: float) -> Array:
    """Return the map (2, 3) from [0, 1]^2 of the crop to image pixels.

    The crop is the smallest upright one of `aspect` (width / height) around the box, enlarged by `padding`.
    """
    width, height = np.maximum(high - low, 1.0)
    width, height = padding * max(width, aspect * height), padding * max(height, width / aspect)
    center = 0.5 * (low + high)
    return np.array([[width, 0.0, center[0] - width / 2], [0.0, height, center[1] - height / 2]])


def decode_heatmaps(outputs: list[NDArray[Any]], size: tuple[int, int]) -> tuple[Array, Array]:
    """Return the peaks (J, 2) in [0, 1] of the crop and their heights (J,) of heatmaps (1, J, H, W)."""
    maps = outputs[0][0].astype(float)
    count, height, width = maps.shape
    flat = maps.reshape(count, -1)
    row, column = np.divmod(flat.argmax(1), width)
    smooth = np.array([cv2.GaussianBlur(one, (3, 3), _BLUR, borderType=cv2.BORDER_REFLECT) for one in maps])
    logs = np.pad(np.log(np.clip(smooth, 1e-3, 50.0)), ((0, 0), (1, 1), (1, 1)), mode="edge")
    window = np.array([logs[joint, r : r + 3, c : c + 3] for joint, (r, c) in enumerate(zip(row, column))])
    peaks = np.stack([column, row], 1) + _newton_step(window)
    return peaks / [width - 1, height - 1], flat.max(1)


def decode_simcc(outputs: list[NDArray[Any]], size: tuple[int, int]) -> tuple[Array, Array]:
    """Return the maxima (J, 2) in [0, 1] of the crop and the lower of their two values (J,) of SimCC's two axes."""
    axes = [output[0].astype(float) for output in outputs]
    xy = np.stack([axis.argmax(1) / _SIMCC_STEPS for axis in axes], 1)
    score = np.minimum(axes[0].max(1), axes[1].max(1))
    return xy / (np.array(size) - 1.0), score


DECODERS: dict[str, Callable[[list[NDArray[Any]], tuple[int, int]], tuple[Array, Array]]] = {
    "heatmap": decode_heatmaps,
    "simcc": decode_simcc,
}


def _newton_step(window: Array) -> Array:
    """From the middle of windows (J, 3, 3) to the top of the paraboloid through each, (J, 2), at most a cell."""
    dx = 0.5 * (window[:, 1, 2] - window[:, 1, 0])
    dy = 0.5 * (window[:, 2, 1] - window[:, 0, 1])
    dxx = window[:, 1, 2] - 2 * window[:, 1, 1] + window[:, 1, 0]
    dyy = window[:, 2, 1] - 2 * window[:, 1, 1] + window[:, 0, 1]
    dxy = 0.25 * (window[:, 2, 2] - window[:, 2, 0] - window[:, 0, 2] + window[:, 0, 0])
    determinant = dxx * dyy - dxy * dxy
    peaked = (dxx < 0) & (determinant > 1e-9)
    safe = np.where(peaked, determinant, 1.0)
    step = np.stack([-(dyy * dx - dxy * dy) / safe, -(dxx * dy - dxy * dx) / safe], 1)
    return np.where(peaked[:, None], np.clip(step, -1.0, 1.0), 0.0)


def _input_size(inputs: tuple[TensorSpec, ...]) -> tuple[int, int]:
    """(width, height) of the only input (1, 3, height, width)."""
    shape = inputs[0].shape
    if len(inputs) == 1 and len(shape) == 4 and shape[0] in (1, None) and shape[1] == 3 and shape[2] and shape[3]:
        return shape[3], shape[2]
    told = ", ".join(map(str, inputs))
    raise ModelFileError(f"a keypoint network takes one image (1, 3, height, width), not {told}")


def _check_outputs(outputs: tuple[TensorSpec, ...], joints: int, decoder: str) -> None:
    count, rank = (1, 4) if decoder == "heatmap" else (2, 3)
    fits = len(outputs) == count and all(len(one.shape) == rank and one.shape[1] in (joints, None) for one in outputs)
    if not fits:
        wanted, told = f"{count} x (1, {joints}, ...)", ", ".join(map(str, outputs))
        raise ModelFileError(f"a {decoder} network of {joints} joints tells {wanted}, not {told}")
