"""`physhmr export`: a training checkpoint becomes the shipped policy file, its manifest entry and its card."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Annotated, Literal

import tyro

from physhmr.body.skeleton import Skeleton
from physhmr.errors import ModelFileError
from physhmr.inference.model_files import MANIFEST, models_dir


def main(
    what: Annotated[Literal["expert", "encoder", "vision"], tyro.conf.Positional],
    checkpoint: Path,
    trained_on: str = "",
    models: Path | None = None,
    average_with: Path | None = None,
) -> None:
    """Export the network of a checkpoint as <what>/<what>.onnx.

    Args:
        what: expert, encoder, or the vision policy that `physhmr train distill` and `refine` make.
        checkpoint: model_*.pt or encoder.pt that `physhmr train` wrote.
        trained_on: what motion and how many steps, for the card.
        models: directory of the manifest (default: the project's).
        average_with: another checkpoint, or exported file, of the same training: the mean of both is exported.
    """
    # Only this command and training need torch.
    from physhmr.policy.export import EXPLORATION, NOISE, export_encoder, export_expert, export_vision
    from physhmr.rl.encoder_training import load_encoder
    from physhmr.rl.runner import actor_of, average_of, policy_state

    if not checkpoint.is_file():
        raise ModelFileError(
            f"no checkpoint at {checkpoint}; `physhmr train` writes model_<iteration>.pt and encoder.pt"
        )
    directory = models or models_dir()
    path = directory / what / f"{what}.onnx"
    provenance = {"source_commit": _commit(), "trained_on": trained_on}
    if what == "encoder":
        network, iteration = load_encoder(checkpoint)
        if average_with is not None:
            other = load_encoder(average_with)[0].state_dict()
            network.load_state_dict(average_of(network.state_dict(), other, parts=("",)))
    else:
        state, iteration = policy_state(checkpoint)
        if average_with is not None:
            state = average_of(state, policy_state(average_with)[0])
        network, noise = actor_of(state), state.get(NOISE)
        provenance |= {} if noise is None else {EXPLORATION: json.dumps(noise.exp().tolist())}
    exports = {"expert": export_expert, "encoder": export_encoder, "vision": export_vision}
    exports[what](network, Skeleton(), path, provenance | {"iteration": str(iteration)})
    digest = _enter(directory, what, path, trained_on)
    print(f"wrote {path} (sha256 {digest[:12]}, iteration {iteration}) and its entry in {directory / MANIFEST}")


def _enter(directory: Path, name: str, path: Path, trained_on: str) -> str:
    """Replace or add the manifest's entry; return the file's SHA-256."""
    manifest = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    entry = {
        "name": name,
        "file": f"{name}/{path.name}",
        "sha256": digest,
        "licence": "Apache-2.0",
        "source": f"trained by this project with `physhmr train`; {trained_on}".rstrip("; "),
        "input_shape": [1, 21, 3] if name == "encoder" else [1, 76],
    }
    manifest["models"] = [model for model in manifest["models"] if model["name"] != name] + [entry]
    (directory / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return digest


def _commit() -> str:
    found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"
