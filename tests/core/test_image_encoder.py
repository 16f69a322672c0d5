"""The transformer's tokens belong to the patches of the person's crop; DINOv2 runs where its user has it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from physhmr.errors import EngineError, ModelFileError, NonFiniteError
from physhmr.geometry.camera import camera_from_fov
from physhmr.inference.choose import EngineConfig, open_engines
from physhmr.inference.engine import tensor_spec
from physhmr.inference.model_files import find_model, models_dir
from physhmr.types import Frame, PersonBox
from physhmr.vision.blazepose import load_blazepose
from physhmr.vision.image_encoder import PATCHES, SIDE, WIDTH, ImageEncoder, ImageTokens
from physhmr.vision.preprocess import IMAGENET_MEAN, IMAGENET_STD, apply_affine, box_to_image

BOX = PersonBox(np.array([320.0, 200.0]), 224.0, 0.3, 1.0)


class Means:
    """An engine whose tokens hold the mean colour of the image and of each patch."""

    name = "means"
    inputs = (tensor_spec("image", 1, 3, SIDE, SIDE),)
    outputs = (tensor_spec("tokens", 1, 1 + PATCHES**2, WIDTH),)

    def infer(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        colour = np.moveaxis(tensors["image"][0], 0, -1) * IMAGENET_STD + IMAGENET_MEAN
        cell = SIDE // PATCHES
        patches = colour.reshape(PATCHES, cell, PATCHES, cell, 3).mean((1, 3)).reshape(-1, 3)
        rows = np.concatenate([patches.mean(0)[None], patches])
        return {"tokens": np.tile(rows.astype(np.float32), WIDTH // 3)[None]}

    def warm_up(self) -> None: ...

    def close(self) -> None: ...


def test_a_patch_is_where_its_part_of_the_box_is_in_the_image() -> None:
    row, column = 4, 11
    place = apply_affine(box_to_image(BOX), (np.array([column, row]) + 0.5) / PATCHES)
    image = np.full((480, 640, 3), (10, 20, 30), np.uint8)
    cv2.circle(image, tuple(place.round().astype(int).tolist()), 4, (255, 255, 255), -1)
    tokens = ImageEncoder(Means()).look(image, BOX)
    brightness = tokens.patches[..., :3].sum(-1)
    assert np.unravel_index(brightness.argmax(), brightness.shape) == (row, column)
    np.testing.assert_allclose(tokens.patches[0, 0, :3], np.array([10, 20, 30]) / 255, atol=1e-5)
    np.testing.assert_allclose(tokens.whole, tokens.patches.mean((0, 1)), atol=1e-5)


def test_another_network_and_broken_tokens_are_refused() -> None:
    (engine,), _ = open_engines([find_model("expert")], EngineConfig("onnx"))
    with pytest.raises(EngineError, match="the image encoder has no tensor 'image'"):
        ImageEncoder(engine)
    with pytest.raises(NonFiniteError, match="image tokens"):
        ImageTokens(np.full(WIDTH, np.nan, np.float32), np.zeros((PATCHES, PATCHES, WIDTH), np.float32))


def test_dinov2_finds_the_joints_of_one_crop_again_in_another() -> None:
    try:
        model = find_model("dinov2_small")
    except ModelFileError as missing:
        pytest.skip(str(missing))
    (engine,), _ = open_engines([model], EngineConfig("onnx"))
    encoder, pose, seen = ImageEncoder(engine), load_blazepose(), {}
    capture = cv2.VideoCapture(str(models_dir() / "clips/walk.mp4"))
    for index in range(100):
        image = cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB)
        keypoints = pose.step(Frame(image, index * 33_333_333, camera_from_fov(image.shape[1], image.shape[0], 1.0)))
        if keypoints is not None and index in (70, 85, 99):
            low, high = keypoints.xy.min(0), keypoints.xy.max(0)
            box = PersonBox((low + high) / 2, 1.2 * float((high - low).max()), 0.0, 1.0)
            cells = (keypoints.xy - box.center) / box.size * PATCHES + PATCHES / 2
            seen[index] = encoder.look(image, box).patches, cells
    far = [apart(seen[one], seen[other]) for one, other in ((70, 85), (85, 99), (70, 99))]
    assert np.median(far) < 2.5  # patches; by chance about 7


def apart(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """How far from its place in the other crop the most similar patch of each joint lies, in patches."""
    (patches, cells), (others, places) = one, other
    row, column = cells.astype(int).clip(0, PATCHES - 1)[:, ::-1].T
    best = (unit(patches[row, column]) @ unit(others.reshape(-1, WIDTH)).T).argmax(1)
    return np.linalg.norm(np.stack([best % PATCHES, best // PATCHES], 1) + 0.5 - places, axis=1)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)
