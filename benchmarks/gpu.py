"""Networks on a GPU: every engine that is installed against torch and ONNX Runtime, in one run, checked by itself.

    python benchmarks/gpu.py --out benchmarks/results/gpu-<device>.json      # needs an NVIDIA GPU
    python benchmarks/gpu.py --device cpu --frames 5                         # that the script works: small networks

Needs the extras vitpose and train, and tensorrt or tensorrt-rtx, or onnxruntime-gpu. Transformers have random weights
of a fixed seed: their speed does not depend on them. A frame is measured from numpy to numpy, with both copies. What
an engine says is compared with ONNX Runtime's fp32 on the CPU; an engine that is too far away is reported as wrong,
not as fast, and the script ends with code 1. `blazepose_full_640x480` takes the whole picture and crops it itself. The
bars are those of a frame that needs two networks: in turn, and side by side on streams of their own.

From camera to joint state: benchmarks/latency.py --parameter perception:engine:=tensorrt
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import transformers
from torch import Tensor, nn

from physhmr.errors import PhyshmrError
from physhmr.eval.provenance import provenance
from physhmr.inference.choose import PRECISION_OF, EngineConfig, open_engines, ready
from physhmr.inference.engine import InferenceEngine, tensor_spec
from physhmr.inference.image_front import TO_IMAGE, with_image_front
from physhmr.inference.model_files import find_model
from physhmr.inference.nvidia import find_gpu
from physhmr.inference.onnx import OnnxEngine
from physhmr.inference.side_by_side import infer_side_by_side
from physhmr.inference.torch import TorchEngine
from physhmr.inference.torch_onnx import export_onnx
from physhmr.vision.landmarks import FRONT

LIMITS = {"fp32": 2e-3, "fp16": 3e-2, "bf16": 1e-1}
"""Largest root mean square difference to ONNX Runtime's fp32, as a share of the output's own root mean square."""
NOTHING = 1e-3
"""An output smaller than this is judged by its own difference: that noise shows nobody is 0 to all."""
BARS_MS = {("dinov2_s", "blazepose_full"): 4.0, ("vit_h", "vitpose_h"): 15.0}
"""Networks of one frame -> what it may take."""
ENGINES = {"cuda": ("tensorrt", "tensorrt_rtx", "onnx_cuda", "onnx_tensorrt"), "cpu": ("onnx", "openvino")}
WARM_UP = 10


@dataclass(frozen=True)
class Network:
    """One network to run: as a file, and as a module where there is one."""

    name: str
    file: Path
    shape: tuple[int, ...]
    module: nn.Module | None = None


class Only(nn.Module):
    """A model of transformers with one tensor in and one out."""

    def __init__(self, model: nn.Module, output: str) -> None:
        """Give on the field `output` of what `model` returns."""
        super().__init__()
        self.model, self.output = model, output

    def forward(self, image: Tensor) -> Tensor:
        """(1, 3, H, W) -> the field."""
        return getattr(self.model(image), self.output)


def transformer(kind: str, width: int, layers: int, heads: int) -> tuple[Only, tuple[int, ...]]:
    """Return a model of random weights and its input's shape."""
    torch.manual_seed(0)
    size = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads}
    if kind == "dinov2":
        config = transformers.Dinov2Config(**size, image_size=224, patch_size=14)
        return Only(transformers.Dinov2Model(config), "last_hidden_state"), (1, 3, 224, 224)
    if kind == "vit":
        config = transformers.ViTConfig(**size, intermediate_size=4 * width, image_size=[256, 192], patch_size=16)
        return Only(transformers.ViTModel(config, add_pooling_layer=False), "last_hidden_state"), (1, 3, 256, 192)
    backbone = transformers.VitPoseBackboneConfig(**size, image_size=[256, 192], out_indices=[layers])
    config = transformers.VitPoseConfig(backbone_config=backbone, num_labels=17)
    return Only(transformers.VitPoseForPoseEstimation(config), "heatmaps"), (1, 3, 256, 192)


def networks(folder: Path, small: bool) -> list[Network]:
    """Make the files to run; `small` ones have a tenth of the layers."""
    sizes = {
        "dinov2_s": ("dinov2", 384, 12, 6), "vitpose_s": ("vitpose", 384, 12, 6),
        "vit_h": ("vit", 1280, 32, 16), "vitpose_h": ("vitpose", 1280, 32, 16),
    }  # fmt: skip
    model = find_model("blazepose_full")
    cropping = folder / "blazepose_full_640x480.onnx"
    cropping.write_bytes(with_image_front(model, FRONT, 480, 640))
    found = [Network("blazepose_full", model, (1, 256, 256, 3)), Network(cropping.stem, cropping, (480, 640, 3))]
    for name, (kind, width, layers, heads) in sizes.items():
        module, shape = transformer(kind, width if not small else 96, max(layers // 10, 1) if small else layers, heads)
        file = export_onnx(module, {"image": torch.randn(shape)}, ["tokens"], folder / f"{name}.onnx")
        found.append(Network(name, file, shape, module))
    return found


def ways(network: Network, device: str, cache: Path) -> Iterator[tuple[str, str, Callable[[], InferenceEngine]]]:
    """Yield name, precision and maker of every engine that can run the network here."""
    for name in (one for one in ENGINES[device] if one in ready()):
        for precision in PRECISION_OF[name] if network.module else set(PRECISION_OF[name]) - {"bf16"}:
            config = EngineConfig(name, precision, cache=cache)
            yield name, precision, lambda config=config: open_engines([network.file], config)[0][0]
    if network.module is None:
        return
    for precision in ("fp32", "fp16") if device == "cuda" else ("fp32",):
        for compiled in (False, True) if device == "cuda" else (False,):
            name = "torch.compile" if compiled else "torch"
            yield (
                name,
                precision,
                lambda p=precision, c=compiled: TorchEngine(
                    network.module, [tensor_spec("image", *network.shape)], ["tokens"], device, p, c
                ),
            )


def measure(network: Network, device: str, frames: int, cache: Path) -> list[dict]:
    """Run one network on every engine."""
    truth_engine = OnnxEngine(network.file)
    given = _given(truth_engine)
    truth = truth_engine.infer(given)
    rows = []
    for name, precision, make in ways(network, device, cache):
        row = {"network": network.name, "engine": name, "precision": precision}
        try:
            start = time.perf_counter()
            engine = make()
            row["load_s"] = time.perf_counter() - start
            row |= _run(engine, given, truth, frames, LIMITS[precision])
            engine.close()
        except PhyshmrError as error:
            row["error"] = str(error)
        rows.append(row)
        print("  ".join(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()))
    return rows


def _given(engine: InferenceEngine) -> dict[str, np.ndarray]:
    """Noise for each input; the place of a crop in its picture is its upper left corner."""
    random, tensors = np.random.default_rng(0), {}
    for spec in engine.inputs:
        shape = tuple(size or 1 for size in spec.shape)
        noise = random.integers(0, 255, shape, np.uint8) if spec.dtype == np.uint8 else random.random(shape, np.float32)
        tensors[spec.name] = np.eye(2, 3, dtype=np.float32) if spec.name == TO_IMAGE else noise
    return tensors


def _run(engine: InferenceEngine, given: dict[str, np.ndarray], truth: dict, frames: int, limit: float) -> dict:
    for _ in range(WARM_UP):
        engine.warm_up()
    times = []
    for _ in range(frames):
        start = time.perf_counter()
        found = engine.infer(given)
        times.append(1e3 * (time.perf_counter() - start))
    apart = max(float(_rms(found[name] - truth[name]) / max(_rms(truth[name]), NOTHING)) for name in truth)
    p50, p99 = np.percentile(times, [50, 99])
    return {"ms_p50": float(p50), "ms_p99": float(p99), "difference": apart, "right": bool(apart <= limit)}


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def pairs(networks: list[Network], device: str, frames: int, cache: Path) -> list[dict]:
    """Run the two networks of a frame side by side, on each engine that has both."""
    rows = []
    for names in BARS_MS:
        pair = [one for one in networks if one.name in names]
        for name in (one for one in ENGINES[device] if one in ready()):
            for precision in set(PRECISION_OF[name]) - {"bf16"}:
                row = {"networks": names, "engine": name, "precision": precision}
                try:
                    engines, _ = open_engines([one.file for one in pair], EngineConfig(name, precision, cache=cache))
                    row |= _together(engines, frames)
                except PhyshmrError as error:
                    row["error"] = str(error)
                rows.append(row)
                print("  ".join(map(str, row.values())))
    return rows


def _together(engines: list[InferenceEngine], frames: int) -> dict:
    jobs = [(engine, _given(engine)) for engine in engines]
    for engine in engines:
        engine.warm_up()
    times = []
    for _ in range(WARM_UP + frames):
        start = time.perf_counter()
        infer_side_by_side(*jobs)
        times.append(1e3 * (time.perf_counter() - start))
    for engine in engines:
        engine.close()
    p50, p99 = np.percentile(times[WARM_UP:], [50, 99])
    return {"side_by_side_ms_p50": float(p50), "side_by_side_ms_p99": float(p99)}


def bars(rows: list[dict]) -> list[dict]:
    """Compare the fastest right engine of each pair of networks with its bar."""
    judged = []
    for pair, bar in BARS_MS.items():
        ways = {(row["engine"], row["precision"]) for row in rows}
        sums = {}
        for way in ways:
            mine = [r for r in rows if (r["engine"], r["precision"]) == way and r["network"] in pair and r.get("right")]
            if len(mine) == len(pair):
                sums[way] = sum(row["ms_p50"] for row in mine)
        best = min(sums, key=sums.__getitem__, default=None)
        took = None if best is None else sums[best]
        judged.append(
            {"networks": pair, "bar_ms": bar, "best": best, "ms": took, "met": took is not None and took <= bar}
        )
    return judged


def main() -> int:
    """Measure, print, write; 1 if an engine is wrong or fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=ENGINES, default="cuda")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    gpu = find_gpu()
    if options.device == "cuda" and gpu is None:
        print("no NVIDIA GPU here; --device cpu shows that the script works", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        made = networks(Path(folder), small=options.device == "cpu")
        rows = [row for network in made for row in measure(network, options.device, options.frames, Path(folder))]
        together = pairs(made, options.device, options.frames, Path(folder))
    judged = bars(rows) if options.device == "cuda" else []
    for row in judged:
        print(row)
    if options.out:
        origin = provenance([find_model("blazepose_full")]).as_dict()
        text = {"provenance": origin, "device": str(gpu) if options.device == "cuda" else "cpu, small networks",
                "torch": torch.__version__, "bars": judged, "rows": rows, "side_by_side": together}  # fmt: skip
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(text, indent=1) + "\n")
    return int(not all(row.get("right") for row in rows))


if __name__ == "__main__":
    sys.exit(main())
