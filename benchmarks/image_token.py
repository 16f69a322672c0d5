"""What DINOv2's image token knows about the body beyond BlazePose: a linear probe with it and without.

    python benchmarks/image_token.py --clips FOLDER --out benchmarks/results/image-token.json

FOLDER holds pose2sim/ (four calibrated cameras, one man, 3-D truth); `dinov2_small` must be among the models. A ridge
regression predicts how BlazePose's landmarks err, from the landmarks and their scores, and from those and the class
token of the crop. It is judged on a camera, or on a second half of the clip, that it was not fitted to; its strength
is chosen on the fitted cameras alone. One man in 1.7 s is little: what it shows is no more than a direction.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from physhmr.eval.clips import RealClip, open_clip, real_clips, truth_at
from physhmr.eval.pose_metrics import mpjpe, pa_mpjpe
from physhmr.eval.provenance import provenance
from physhmr.inference.choose import EngineConfig, open_engines
from physhmr.inference.model_files import find_model
from physhmr.types import RAY_JOINTS, Array, PersonBox
from physhmr.vision.blazepose import load_blazepose
from physhmr.vision.image_encoder import ImageEncoder

STRENGTHS = 10.0 ** np.arange(0, 7)
HIPS = [RAY_JOINTS.index("L_Hip"), RAY_JOINTS.index("R_Hip")]
CROP = 1.2
"""Size of the encoder's crop over that of the keypoints' extent."""


@dataclass(frozen=True)
class Samples:
    """What one camera saw of the man, frame by frame."""

    landmarks: Array
    """(F, 12, 3) m about the hips, camera axes."""
    truth: Array
    """The same, by the authors' own triangulation."""
    seen: Array
    """(F, 21 + 36) scores and landmarks."""
    token: Array
    """(F, 384)."""

    def part(self, frames: slice) -> Samples:
        """Some of the frames."""
        return Samples(self.landmarks[frames], self.truth[frames], self.seen[frames], self.token[frames])

    def features(self, with_token: bool) -> Array:
        """(F, D)."""
        return np.concatenate([self.seen, self.token], 1) if with_token else self.seen


def joined(parts: list[Samples]) -> Samples:
    """All frames of several."""
    return Samples(*(np.concatenate([getattr(one, name) for one in parts]) for name in Samples.__dataclass_fields__))


def watch(clip: RealClip, encoder: ImageEncoder) -> Samples:
    """Look at each frame with BlazePose and with the encoder."""
    pose, stamps, rows = load_blazepose(), [], []
    count = len(RAY_JOINTS)
    for frame in open_clip(clip).frames:
        keypoints = pose.step(frame)
        if keypoints is None:
            continue
        low, high = keypoints.xy.min(0), keypoints.xy.max(0)
        box = PersonBox((low + high) / 2, CROP * float((high - low).max()), 0.0, 1.0)
        stamps.append(frame.stamp_ns)
        rows.append((about_hips(keypoints.landmarks_c[:count]), keypoints.score, encoder.look(frame.image, box).whole))
    pose.close()
    landmarks, scores, tokens = (np.array(column, float) for column in zip(*rows, strict=True))
    assert clip.truth is not None and clip.camera is not None and clip.camera.T_wc is not None
    truth_c = truth_at(clip.truth, RAY_JOINTS, np.array(stamps, float)) @ clip.camera.T_wc[:3, :3]
    return Samples(landmarks, about_hips(truth_c), np.c_[scores, landmarks.reshape(len(scores), -1)], tokens)


def about_hips(joints: Array) -> Array:
    """(..., 12, 3) with the middle of the hips at the origin."""
    return joints - joints[..., HIPS, :].mean(-2, keepdims=True)


def fitted(samples: Samples, with_token: bool, strength: float, others: Samples) -> Array:
    """Landmarks of `others`, corrected by what was learned from `samples`."""
    x, y = samples.features(with_token), (samples.truth - samples.landmarks).reshape(len(samples.truth), -1)
    mean, spread = x.mean(0), x.std(0) + 1e-6
    x, bias = (x - mean) / spread, y.mean(0)
    weights = np.linalg.solve(x.T @ x + strength * np.eye(x.shape[1]), x.T @ (y - bias))
    error = (others.features(with_token) - mean) / spread @ weights + bias
    return about_hips(others.landmarks + error.reshape(others.landmarks.shape))


def best_strength(parts: list[Samples], with_token: bool) -> float:
    """The one that does best on each part when fitted to the others."""

    def error(strength: float) -> float:
        return sum(
            mpjpe(fitted(joined(parts[:i] + parts[i + 1 :]), with_token, strength, part), part.truth, HIPS)
            for i, part in enumerate(parts)
        )

    return min(STRENGTHS, key=error)


def judge(parts: list[Samples], others: Samples) -> dict[str, dict[str, float]]:
    """mm on `others`: as they are, corrected without the token, and with it."""
    ways = {"as they are": others.landmarks}
    for name, with_token in (("corrected", False), ("corrected with the token", True)):
        ways[name] = fitted(joined(parts), with_token, best_strength(parts, with_token), others)
    return {
        name: {"mpjpe": mpjpe(found, others.truth, HIPS), "pa_mpjpe": pa_mpjpe(found, others.truth)}
        for name, found in ways.items()
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True, help="folder with pose2sim/")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    (engine,), _ = open_engines([find_model("dinov2_small")], EngineConfig("onnx"))
    encoder = ImageEncoder(engine)
    clips = [clip for clip in real_clips(options.clips).clips if clip.truth is not None]
    cameras = {clip.name: watch(clip, encoder) for clip in clips}
    rows = {
        f"{name}, fitted to the other cameras": judge([one for other, one in cameras.items() if other != name], samples)
        for name, samples in cameras.items()
    }
    halves = [
        (one.part(slice(0, len(one.truth) // 2)), one.part(slice(len(one.truth) // 2, None)))
        for one in cameras.values()
    ]
    rows["second half, fitted to the first of all cameras"] = judge(
        [one for one, _ in halves], joined([two for _, two in halves])
    )
    for name, ways in rows.items():
        print(
            name,
            *(f"\n  {way:<26}" + "  ".join(f"{k} {v:.1f} mm" for k, v in row.items()) for way, row in ways.items()),
        )
    if options.out:
        models = [find_model(name) for name in ("blazepose_full", "dinov2_small")]
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps({"provenance": provenance(models).as_dict(), "mm": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
