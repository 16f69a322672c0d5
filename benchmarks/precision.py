"""What other precisions of BlazePose cost in accuracy, and what they gain on this CPU, on the bundled walk.

    python benchmarks/precision.py --out benchmarks/results/precision.json

Needs the extras train and openvino. The loss of the fp16 network is that of TensorRT's input, computed on the CPU; int8
is ONNX Runtime's static quantisation of the convolutions, calibrated on every second frame of the very clip.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import openvino
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from physhmr.eval.clips import open_clip, real_clips
from physhmr.eval.provenance import provenance
from physhmr.inference.engine import Tensors
from physhmr.inference.folding import folded
from physhmr.inference.model_files import find_model
from physhmr.inference.onnx import OnnxEngine
from physhmr.inference.precision import model_at
from physhmr.types import PersonBox
from physhmr.vision.blazepose import load_blazepose
from physhmr.vision.image_encoder import encoder_input
from physhmr.vision.landmarks import NUM_LANDMARKS, SIDE, LandmarkNetwork, Landmarks, decode

Look = tuple[np.ndarray, PersonBox]
Infer = Callable[[np.ndarray], dict[str, np.ndarray]]


def looks() -> list[Look]:
    """Crops of the bundled walk with their boxes."""
    found: list[Look] = []
    crop = LandmarkNetwork.crop

    def remember(self: LandmarkNetwork, image: np.ndarray, box: PersonBox) -> Tensors:
        tensors = crop(self, image, box)
        found.append((tensors["input_1"], box))
        return tensors

    LandmarkNetwork.crop = remember  # type: ignore[method-assign]
    pose = load_blazepose()
    clip = next(clip for clip in real_clips(Path("nowhere")).clips if clip.name == "walk")
    for frame in open_clip(clip).frames:
        pose.step(frame)
    LandmarkNetwork.crop = crop  # type: ignore[method-assign]
    return found


def on_onnx(model: bytes, name: str = "input_1") -> Infer:
    """Run ONNX bytes on one thread of ONNX Runtime."""
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(model)
        file.flush()
        engine = OnnxEngine(Path(file.name))
    return lambda crop: engine.infer({name: crop})


def on_openvino(model: Path, hint: str) -> Infer:
    """Run an ONNX file on one thread of OpenVINO with an inference precision."""
    core = openvino.Core()
    options = {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    network = core.compile_model(core.read_model(str(model)), "CPU", options)
    request, names = network.create_infer_request(), [port.get_any_name() for port in network.outputs]
    return lambda crop: dict(zip(names, [value.copy() for value in request.infer([crop]).values()], strict=True))


class _Crops(CalibrationDataReader):
    def __init__(self, seen: list[Look]) -> None:
        self._crops = iter(crop for crop, _ in seen)

    def get_next(self) -> dict[str, Any] | None:
        """The next calibration input."""
        crop = next(self._crops, None)
        return None if crop is None else {"input_1": crop}


def quantised(model: Path, seen: list[Look]) -> bytes:
    """The network with its convolutions in int8, per channel."""
    with tempfile.TemporaryDirectory() as folder:
        ready, small = Path(folder, "ready.onnx"), Path(folder, "int8.onnx")
        plain = Path(folder, "folded.onnx")
        onnx.save(folded(onnx.load(str(model))), str(plain))  # the stored half floats become constants
        quant_pre_process(str(plain), str(ready))
        quantize_static(
            str(ready), str(small), _Crops(seen), quant_format=QuantFormat.QDQ, per_channel=True,
            op_types_to_quantize=["Conv"],
        )  # fmt: skip
        stream = io.BytesIO()
        onnx.save(onnx.load(str(small)), stream)
        return stream.getvalue()


def judge(infer: Infer, seen: list[Look], truth: list[Landmarks]) -> dict[str, float]:
    """Displacement of the landmarks, px of the crop and mm, and CPU time of a frame."""
    pixels, world, cpu = [], [], []
    for (crop, box), expected in zip(seen, truth, strict=True):
        start = time.process_time()
        outputs = infer(crop)
        cpu.append(1e3 * (time.process_time() - start))
        found = decode(outputs, box)
        away = np.linalg.norm(found.xy[:NUM_LANDMARKS] - expected.xy[:NUM_LANDMARKS], axis=1)
        pixels.append(away / box.size * SIDE)
        world.append(1e3 * np.linalg.norm(found.world_c - expected.world_c, axis=1))
    return {
        "px_p50": float(np.median(pixels)), "px_p99": float(np.quantile(pixels, 0.99)), "px_max": float(np.max(pixels)),
        "world_mm_p50": float(np.median(world)), "world_mm_p99": float(np.quantile(world, 0.99)),
        "cpu_ms_p50": float(np.median(cpu)),
    }  # fmt: skip


def judge_tokens(infer: Infer, images: list[np.ndarray], truth: list[np.ndarray]) -> dict[str, float]:
    """Cosine between the tokens of a transformer and the true ones, and CPU time of a frame."""
    cosine, cpu = [], []
    for image, expected in zip(images, truth, strict=True):
        start = time.process_time()
        (found,) = infer(image).values()
        cpu.append(1e3 * (time.process_time() - start))
        lengths = np.linalg.norm(found, axis=-1) * np.linalg.norm(expected, axis=-1)
        cosine.append((found * expected).sum(-1) / lengths)
    return {
        "cosine_p50": float(np.median(cosine)), "cosine_p1": float(np.quantile(cosine, 0.01)),
        "cosine_min": float(np.min(cosine)), "cpu_ms_p50": float(np.median(cpu)),
    }  # fmt: skip


def transformer(model: Path, seen: list[Look]) -> dict[str, dict[str, float]]:
    """The same for DINOv2's tokens of the crops; int8 quantises the weights, and activations as they come."""
    images = [encoder_input(np.round(255 * cv2.resize(crop[0], (224, 224))).astype(np.uint8)) for crop, _ in seen]
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder, "int8.onnx")
        quantize_dynamic(str(model), str(small), per_channel=True, op_types_to_quantize=["MatMul", "Gemm"])
        int8 = on_onnx(small.read_bytes(), "image")
    reference = on_onnx(model.read_bytes(), "image")
    truth = [reference(image)["tokens"] for image in images]
    ways = {
        "fp32, onnx": reference,
        "fp16, onnx": on_onnx(model_at(model, "fp16"), "image"),
        "fp32, openvino": on_openvino(model, "f32"),
        "bf16, openvino": on_openvino(model, "bf16"),
        "int8, onnx": int8,
    }
    return {name: judge_tokens(infer, images, truth) for name, infer in ways.items()}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="blazepose_full", help="or dinov2_small, if you have added it")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    model, seen = find_model(options.model), looks()[::2]
    rows = transformer(model, seen[::4]) if options.model.startswith("dinov2") else blazepose(model, seen)
    for name, row in rows.items():
        print(f"{name:<16}" + "  ".join(f"{key} {value:.4f}" for key, value in row.items()))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        text = {"provenance": provenance([model]).as_dict(), "frames": len(seen), "precisions": rows}
        options.out.write_text(json.dumps(text, indent=1) + "\n")


def blazepose(model: Path, seen: list[Look]) -> dict[str, dict[str, float]]:
    """Judge every way to run a landmark network."""
    reference = on_onnx(model.read_bytes())
    truth = [decode(reference(crop), box) for crop, box in seen]
    ways: dict[str, Infer] = {
        "fp32, onnx": reference,
        "fp16, onnx": on_onnx(model_at(model, "fp16")),
        "fp32, openvino": on_openvino(model, "f32"),
        "fp16, openvino": on_openvino(model, "f16"),
        "bf16, openvino": on_openvino(model, "bf16"),
        "int8, onnx": on_onnx(quantised(model, seen[::2])),
    }
    return {name: judge(infer, seen, truth) for name, infer in ways.items()}


if __name__ == "__main__":
    main()
