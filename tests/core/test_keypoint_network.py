"""Top-down networks: what they say about a crop comes back to the image, and ViTPose runs from a user's checkpoint."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physhmr.cli import main
from physhmr.config import PerceptionConfig
from physhmr.errors import ConfigError, ModelFileError
from physhmr.geometry.camera import camera_from_fov
from physhmr.inference.choose import Choice
from physhmr.inference.engine import TensorSpec, tensor_spec
from physhmr.inference.model_files import find_model, known_models, models_dir
from physhmr.inference.onnx import OnnxEngine
from physhmr.perception import PerceptionPipeline
from physhmr.types import KEYPOINTS, Frame, Keypoints2d
from physhmr.vision.joint_sets import JOINT_SETS, JointSet
from physhmr.vision.keypoint_network import (
    MULTIPOSE,
    KeypointNetwork,
    KeypointSpec,
    crop_affine,
    decode_heatmaps,
    decode_simcc,
    keypoint_spec,
)
from physhmr.vision.preprocess import apply_affine
from physhmr.vision.refined_pose import MIN_SCORE, STAGE, RefinedPose, load_keypoint_model

WIDTH, HEIGHT = 192, 256
SECOND = Choice("other", "slow", degraded=True)
LOW, HIGH = np.array([300.0, 120.0]), np.array([420.0, 460.0])


def bells(peaks: np.ndarray, width: int = 48, height: int = 64, height_of: float = 0.8) -> np.ndarray:
    """Heatmaps (1, J, H, W) with a bell of two cells around each of the peaks (J, 2) in cells."""
    x, y = np.arange(width), np.arange(height)[:, None]
    maps = [np.exp(-((x - px) ** 2 + (y - py) ** 2) / 8.0) for px, py in peaks]
    return height_of * np.array(maps, np.float32)[None]


@given(st.lists(st.tuples(st.floats(3, 44), st.floats(3, 60)), min_size=1, max_size=4))
def test_a_peak_is_found_between_the_cells(peaks: list[tuple[float, float]]) -> None:
    xy, score = decode_heatmaps([bells(np.array(peaks))], (WIDTH, HEIGHT))
    np.testing.assert_allclose(xy * [47, 63], peaks, atol=0.02)
    assert (score <= 0.8 + 1e-6).all() and (score > 0.7).all()


@pytest.mark.parametrize("empty", [0.0, 1e-9])
def test_a_flat_map_gives_a_finite_place_and_no_score(empty: float) -> None:
    xy, score = decode_heatmaps([np.full((1, 3, 64, 48), empty, np.float32)], (WIDTH, HEIGHT))
    assert np.isfinite(xy).all()
    assert (score < MIN_SCORE).all()


@given(st.integers(0, 2 * WIDTH - 1), st.integers(0, 2 * HEIGHT - 1), st.floats(0.1, 1), st.floats(0.1, 1))
def test_simcc_takes_the_maximum_of_each_axis_and_the_weaker_score(x: int, y: int, one: float, other: float) -> None:
    axes = [np.zeros((1, 1, 2 * size), np.float32) for size in (WIDTH, HEIGHT)]
    axes[0][0, 0, x], axes[1][0, 0, y] = one, other
    xy, score = decode_simcc(list(axes), (WIDTH, HEIGHT))
    np.testing.assert_allclose(xy[0] * [WIDTH - 1, HEIGHT - 1], [x / 2, y / 2])
    assert score[0] == pytest.approx(min(one, other))


@given(st.floats(1, 900), st.floats(1, 900), st.floats(0.3, 3), st.floats(1, 2))
def test_the_crop_holds_the_box_has_the_aspect_and_is_no_larger_than_needed(
    width: float, height: float, aspect: float, padding: float
) -> None:
    low = np.array([10.0, -20.0])
    to_image = crop_affine(low, low + np.array([width, height]), aspect, padding)
    size = to_image[[0, 1], [0, 1]]
    assert size[0] / size[1] == pytest.approx(aspect)
    assert (size >= padding * np.array([width, height]) * (1 - 1e-9)).all()
    assert np.isclose(size, padding * np.array([width, height])).any()
    np.testing.assert_allclose(apply_affine(to_image, np.array([0.5, 0.5])), low + 0.5 * np.array([width, height]))


class Lamp:
    """An engine that sees every joint where its crop is brightest."""

    name = "lamp"
    inputs: tuple[TensorSpec, ...] = (tensor_spec("image", 1, 3, HEIGHT, WIDTH),)
    outputs: tuple[TensorSpec, ...] = (tensor_spec("heatmaps", 1, 17, 64, 48),)

    def __init__(self, score: float = 0.8) -> None:
        self.score, self.closed = score, False
        self.seen = np.zeros(0)

    def warm_up(self) -> None:
        self.infer({"image": np.zeros((1, 3, HEIGHT, WIDTH), np.float32)})

    def infer(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.seen = tensors["image"]
        light = self.seen[0].sum(0) - self.seen[0].sum(0).min()
        weight = light / max(light.sum(), 1e-9)
        center = [(weight * np.arange(WIDTH)).sum(), (weight * np.arange(HEIGHT)[:, None]).sum()]
        cells = np.array(center) / [WIDTH - 1, HEIGHT - 1] * [47, 63]
        return {"heatmaps": bells(np.tile(cells, (17, 1)), height_of=self.score)}

    def close(self) -> None:
        self.closed = True


@given(st.floats(310, 410), st.floats(130, 450))
def test_what_is_seen_in_the_crop_comes_back_to_its_place_in_the_image(x: float, y: float) -> None:
    column, row = np.arange(640), np.arange(480)[:, None]
    light = 255 * np.exp(-((column - x) ** 2 + (row - y) ** 2) / 50.0)
    image = np.repeat(light[..., None], 3, -1).round().astype(np.uint8)
    xy, score = KeypointNetwork(Lamp(), KeypointSpec("coco17", "heatmap")).look(image, LOW, HIGH)
    np.testing.assert_allclose(xy, np.tile([x, y], (17, 1)), atol=0.5)
    assert (score > 0.7).all()


def test_the_image_is_normalised_as_the_manifest_says() -> None:
    engine = Lamp()
    spec = KeypointSpec("coco17", "heatmap", mean=(0.1, 0.2, 0.3), std=(0.5, 1.0, 2.0))
    KeypointNetwork(engine, spec).look(np.full((480, 640, 3), (51, 102, 204), np.uint8), LOW, HIGH)
    middle = engine.seen[0, :, HEIGHT // 2, WIDTH // 2]
    np.testing.assert_allclose(middle, [(0.2 - 0.1) / 0.5, (0.4 - 0.2) / 1.0, (0.8 - 0.3) / 2.0], rtol=1e-5)


@pytest.mark.parametrize("name", JOINT_SETS)
def test_joint_sets_are_symmetric(name: str) -> None:
    joints = JOINT_SETS[name]
    assert len(set(joints.names)) == len(joints.names) == int(name.lstrip("abcdefghijklmnopqrstuvwxyz"))
    partner = dict(joints.flip_pairs) | {right: left for left, right in joints.flip_pairs}
    for keypoint, rows in joints.rows.items():
        mirrored = {"L_": "R_", "R_": "L_"}.get(keypoint[:2], keypoint[:2]) + keypoint[2:]
        assert joints.rows[mirrored] == tuple(partner.get(row, row) for row in rows)


def test_impossible_entries_are_refused() -> None:
    with pytest.raises(ConfigError, match="rows of Nose"):
        JointSet(("nose",), {"Nose": (1,)})
    with pytest.raises(ModelFileError, match="joints"):
        keypoint_spec({"joints": "coco18", "decoder": "heatmap"})
    with pytest.raises(ModelFileError, match="malformed"):
        keypoint_spec({"joints": "coco17", "colour": "bgr"})
    engine = Lamp()
    with pytest.raises(ModelFileError, match=r"simcc network of 17 joints tells 2 x \(1, 17, \.\.\.\)"):
        KeypointNetwork(engine, KeypointSpec("coco17", "simcc"))
    with pytest.raises(ModelFileError, match="of 26 joints"):
        KeypointNetwork(engine, KeypointSpec("halpe26", "heatmap"))
    engine.inputs = (tensor_spec("image", 1, HEIGHT, WIDTH, 3),)
    with pytest.raises(ModelFileError, match="takes one image"):
        KeypointNetwork(engine, KeypointSpec("coco17", "heatmap"))


def test_every_keypoint_network_of_the_manifest_is_well_described() -> None:
    networks = {name: entry for name, (_, entry) in known_models(models_dir()).items() if entry.keypoints}
    assert len(networks) >= 12
    for entry in networks.values():
        spec = keypoint_spec(entry.keypoints or {})
        assert entry.licence and entry.source and entry.get
        assert entry.input_shape[:2] == (1, 3) or spec.decoder == MULTIPOSE


class Standing:
    """A `BlazePose` that sees all keypoints on a diagonal."""

    choice = Choice("test", "given")
    stage_ms = {"find": 1.0}
    xy = np.linspace(LOW, HIGH, len(KEYPOINTS))
    found = True

    def step(self, frame: Frame) -> Keypoints2d | None:
        score = np.full(len(KEYPOINTS), 0.5)
        return Keypoints2d(frame.stamp_ns, self.xy, score, np.ones((21, 3))) if self.found else None

    def reset(self) -> None: ...

    def close(self) -> None: ...


@pytest.mark.parametrize("score", [0.9, 0.1])
def test_surer_joints_are_moved_and_the_others_stay(score: float) -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    image[300, 350] = 255
    engine, standing = Lamp(score), Standing()
    pose = RefinedPose(standing, KeypointNetwork(engine, KeypointSpec("coco17", "heatmap")), None, SECOND)  # type: ignore[arg-type]
    seen = pose.step(Frame(image, 0, camera_from_fov(640, 480, 1.0)))
    assert seen is not None
    known = np.array([name in JOINT_SETS["coco17"].rows for name in KEYPOINTS])
    np.testing.assert_array_equal(seen.xy[~known], standing.xy[~known])
    if score > MIN_SCORE:
        np.testing.assert_allclose(seen.xy[known], np.tile([350.0, 300.0], (known.sum(), 1)), atol=1.0)
        np.testing.assert_allclose(seen.score[known], score, atol=0.05)
    else:
        np.testing.assert_array_equal(seen.xy, standing.xy)
    np.testing.assert_array_equal(seen.landmarks_c, np.ones((21, 3)))
    assert pose.stage_ms["find"] == 1.0 and pose.stage_ms[STAGE] > 0
    standing.found = False
    assert pose.step(Frame(image, 1, camera_from_fov(640, 480, 1.0))) is None
    assert pose.stage_ms[STAGE] == 0.0
    assert pose.choice == Choice("test, other", "given; slow", degraded=True)
    pose.close()
    assert engine.closed


def test_what_is_no_keypoint_network_cannot_refine() -> None:
    from physhmr.vision.blazepose import BlazePoseConfig

    with pytest.raises(ModelFileError, match="'expert' is no keypoint network"):
        load_keypoint_model(BlazePoseConfig(), "expert")


def small_vitpose(kind: str, **size: int):
    """A ViTPose of two layers with random weights, always the same: `simple`, `classic` or `plus` with its experts."""
    transformers = pytest.importorskip("transformers", reason="needs the vitpose extra")
    torch = pytest.importorskip("torch", reason="needs the vitpose extra")
    torch.manual_seed(0)
    backbone = transformers.VitPoseBackboneConfig(
        num_hidden_layers=2, image_size=[256, 192], out_indices=[2], num_experts=6 if kind == "plus" else 1, **size
    )
    config = transformers.VitPoseConfig(backbone_config=backbone, num_labels=17, use_simple_decoder=kind == "simple")
    return transformers.VitPoseForPoseEstimation(config)


@pytest.fixture(params=["simple", "plus"])
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A small ViTPose, or ViTPose+ with its experts, of random weights, as transformers saves one."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    model = small_vitpose(request.param, hidden_size=32, num_attention_heads=2, part_features=8)
    model.save_pretrained(tmp_path / "vitpose")
    return tmp_path / "vitpose"


def test_the_node_runs_with_the_vitpose_of_a_users_checkpoint(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "add", "vitpose_small", str(checkpoint)]) == 2
    assert "licence of vitpose_small: Apache-2.0" in capsys.readouterr().out
    assert main(["models", "add", "vitpose_small", str(checkpoint), "--accept-licence"]) == 0
    perception = PerceptionPipeline(PerceptionConfig(refine="vitpose_small", person_height=1.65))
    capture, seen = cv2.VideoCapture(str(models_dir() / "clips/walk.mp4")), 0
    for index in range(8):
        image = cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB)
        perception.step(Frame(image, index * 33_333_333, camera_from_fov(image.shape[1], image.shape[0], 1.0)))
        if perception.keypoints is not None:
            seen += 1
            assert perception.stage_ms[STAGE] > 0
    perception.close()
    assert seen > 3


def test_vitposes_own_processor_finds_the_same_places() -> None:
    processors = pytest.importorskip(
        "transformers.models.vitpose.image_processing_pil_vitpose", reason="needs the vitpose extra"
    )
    torch = pytest.importorskip("torch", reason="needs the vitpose extra")
    from types import SimpleNamespace

    peaks = np.random.default_rng(2).uniform([5, 5], [42, 58], (17, 2))
    heatmaps = bells(peaks)
    box = [LOW[0], LOW[1], *(HIGH - LOW)]
    (person,), = processors.VitPoseImageProcessorPil().post_process_pose_estimation(
        SimpleNamespace(heatmaps=torch.from_numpy(heatmaps)), boxes=[[box]]
    )  # fmt: skip
    xy, _ = decode_heatmaps([heatmaps], (WIDTH, HEIGHT))
    ours = apply_affine(crop_affine(LOW, HIGH, WIDTH / HEIGHT, 1.25), xy)
    np.testing.assert_allclose(ours, person["keypoints"].numpy(), atol=0.7)


def test_checkpoints_that_do_not_fit_are_refused(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from physhmr.vision.vitpose import convert_vitpose

    with pytest.raises(ModelFileError, match="tells 17 joints, wholebody133 are 133"):
        convert_vitpose(checkpoint, tmp_path / "out.onnx", "wholebody133")
    with pytest.raises(ModelFileError, match="holds no ViTPose checkpoint"):
        convert_vitpose(tmp_path / "nowhere", tmp_path / "out.onnx")
    weights = checkpoint / "model.safetensors"
    safetensors = pytest.importorskip("safetensors.numpy", reason="needs the vitpose extra")
    tensors = safetensors.load_file(weights)
    lost = next(name for name in tensors if "attention" in name)
    safetensors.save_file({name: value for name, value in tensors.items() if name != lost}, weights, {"format": "pt"})
    with pytest.raises(ModelFileError, match=f"lacks weights of a ViTPose, such as {lost}"):
        convert_vitpose(checkpoint, tmp_path / "out.onnx")
    assert main(["models", "add", "rtmpose_m", str(checkpoint), "--accept-licence"]) == 2
    assert "only a ViTPose or HMR2 is converted" in capsys.readouterr().err


def official_name(ours: str) -> str:
    """The name that ViTPose's authors gave a parameter, as their model files list it."""
    for one, other in (
        ("backbone.embeddings.position_embeddings", "backbone.pos_embed"),
        ("backbone.embeddings.patch_embeddings.projection", "backbone.patch_embed.proj"),
        ("backbone.layernorm", "backbone.last_norm"), ("backbone.encoder.layer", "backbone.blocks"),
        ("layernorm_before", "norm1"), ("layernorm_after", "norm2"), ("attention.output.dense", "attn.proj"),
        ("head.deconv1", "keypoint_head.deconv_layers.0"), ("head.batchnorm1", "keypoint_head.deconv_layers.1"),
        ("head.deconv2", "keypoint_head.deconv_layers.3"), ("head.batchnorm2", "keypoint_head.deconv_layers.4"),
        ("head.conv", "keypoint_head.final_layer"),
    ):  # fmt: skip
        ours = ours.replace(one, other)
    return ours


def official_weights(ours: dict) -> dict:
    """The same parameters as ViTPose's authors keep them: queries, keys and values are one."""
    import torch

    weights = {}
    for name, value in ours.items():
        if "attention.attention.query" in name:
            parts = [ours[name.replace("query", part)] for part in ("query", "key", "value")]
            weights[official_name(name.replace("attention.attention.query", "attn.qkv"))] = torch.cat(parts)
        elif "attention.attention" not in name:
            weights[official_name(name)] = value
    return weights


@pytest.fixture(params=["simple", "classic", "plus"])
def official(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest):
    """A ViTPose-S of two layers with random weights in its authors' format, and what it says about a picture."""
    torch = pytest.importorskip("torch", reason="needs the vitpose extra")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    model = small_vitpose(request.param, hidden_size=384, num_attention_heads=12, part_features=96).eval()
    weights = {"backbone.cls_token": torch.zeros(1, 1, 384), **official_weights(model.state_dict())}
    file, image = tmp_path / "vitpose.pth", torch.randn(1, 3, 256, 192)
    torch.save({"state_dict": weights, "meta": {"epoch": 210}}, file)
    with torch.no_grad():
        told = model(image, dataset_index=torch.zeros(1, dtype=torch.long) if request.param == "plus" else None)
    return file, weights, image.numpy(), told.heatmaps.numpy()


def test_a_checkpoint_of_vitposes_authors_says_the_same(official: tuple) -> None:
    file, weights, image, told = official
    assert "backbone.blocks.1.attn.qkv.weight" in weights and "keypoint_head.final_layer.weight" in weights
    assert main(["models", "add", "vitpose_small", str(file), "--accept-licence"]) == 0
    found = OnnxEngine(find_model("vitpose_small")).infer({"image": image})["heatmaps"]
    np.testing.assert_allclose(found, told, atol=1e-4)
    assert np.abs(told).max() > 1e-2


def test_checkpoints_of_vitposes_authors_that_do_not_fit_are_refused(official: tuple, tmp_path: Path) -> None:
    import torch

    from physhmr.vision.vitpose import convert_vitpose

    file, weights, _, _ = official
    target = tmp_path / "out.onnx"
    for change, message in (
        ({"backbone.blocks.0.norm1.weight": None}, "does not fit into a ViTPose"),
        ({"neck.weight": torch.zeros(1)}, "'neck.weight' is no parameter of a ViTPose"),
        ({"backbone.pos_embed": torch.zeros(1, 433, 384)}, "433 places of 384 numbers; wanted are 193"),
        ({"backbone.pos_embed": None}, "no 'backbone.pos_embed'"),
        ({"keypoint_head.final_layer.weight": None}, "it tells no joints"),
    ):
        changed = {name: value for name, value in (weights | change).items() if value is not None}
        torch.save({"state_dict": changed}, file)
        with pytest.raises(ModelFileError, match=message):
            convert_vitpose(file, target)
    torch.save({"state_dict": weights, "run": Standing()}, file)  # a pickle that asks for a class
    with pytest.raises(ModelFileError, match="no checkpoint that can be read safely"):
        convert_vitpose(file, target)
    file.write_bytes(b"not a checkpoint")
    with pytest.raises(ModelFileError, match="no checkpoint that can be read safely"):
        convert_vitpose(file, target)
    assert not target.exists()


def test_hmr2s_encoder_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ViTPose without head, among the parameters of its other parts, with random weights."""
    transformers = pytest.importorskip("transformers", reason="needs the vitpose extra")
    torch = pytest.importorskip("torch", reason="needs the vitpose extra")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    torch.manual_seed(0)
    config = transformers.VitPoseBackboneConfig(
        hidden_size=384, num_hidden_layers=2, num_attention_heads=12, image_size=[256, 192], out_indices=[2]
    )
    model = transformers.VitPoseBackbone(config).eval()
    ours = {f"backbone.{name}": value for name, value in model.state_dict().items()}
    weights = {"smpl_head.decpose.weight": torch.zeros(3), "backbone.cls_token": torch.zeros(1, 1, 384)}
    for name, value in official_weights(ours).items():
        weights[name] = value
    torch.save({"state_dict": weights, "epoch": 35}, tmp_path / "hmr2.ckpt")
    assert main(["models", "add", "hmr2_vit_huge", str(tmp_path / "hmr2.ckpt"), "--accept-licence"]) == 0
    image = torch.randn(1, 3, 256, 192)
    with torch.no_grad():
        told = model(image).feature_maps[-1].numpy()
    found = OnnxEngine(find_model("hmr2_vit_huge")).infer({"image": image.numpy()})["tokens"]
    assert found.shape == (1, 16 * 12, 384)
    np.testing.assert_allclose(found, told, atol=1e-4)
