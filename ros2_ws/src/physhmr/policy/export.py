"""Policies as ONNX files: kinematics, observation, normaliser, network and PD targets inside; encoders likewise.

The file says in its metadata what it was made for; `policy.runtime` refuses a file that does not fit.
"""

from __future__ import annotations

import io
import json
from dataclasses import fields
from pathlib import Path

import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from torch import Tensor, nn

from physhmr.body.keypoints import keypoint_points
from physhmr.body.skeleton import Skeleton
from physhmr.errors import ModelFileError
from physhmr.policy.action import on_all_hinges, residual_target
from physhmr.policy.contract import metadata
from physhmr.policy.kinematics import Kinematics, PlacedPoints
from physhmr.policy.motion_encoder import Motion, MotionEncoder, Sight, features, motion_of, to_world, view_rotation
from physhmr.policy.observation import expert_observation, ray_observation
from physhmr.types import NQ, NUM_KEYPOINTS, NV

OPSET = 18
_NETWORK = "network."
_MEAN = "obs_normalizer._mean"
DIVISOR = "obs_normalizer.divisor"
"""What an exported normaliser divides by: the deviation of its observations and a little more."""
NOISE = "distribution.log_std_param"
"""Logarithm of the deviations of the actions while training; a file tells the deviations as `EXPLORATION`."""
EXPLORATION = "exploration"


class ExpertModule(nn.Module):
    """State and reference in, PD targets out."""

    def __init__(self, skeleton: Skeleton, network: nn.Module) -> None:
        """`network` maps the (1, 580) observation, not normalised, to the (1, 69) mean action."""
        super().__init__()
        self.kinematics = Kinematics(skeleton)
        self.network = network

    def forward(self, qpos: Tensor, qvel: Tensor, qpos_ref: Tensor, qvel_ref: Tensor) -> Tensor:
        """(1, 76), (1, 75), (1, 76), (1, 75) to (1, 69) PD targets, rad."""
        # One batch of two: half the nodes, two thirds of the time.
        both = self.kinematics(torch.cat([qpos, qpos_ref]), torch.cat([qvel, qvel_ref]))
        body, reference = both[:1], both[1:]
        observation = expert_observation(body, reference, qpos, qpos_ref, qvel_ref)
        return residual_target(on_all_hinges(self.network(observation)), qpos_ref[:, 7:], qvel_ref[:, 6:])


class VisionModule(nn.Module):
    """State, what the encoder says and the rays themselves in, PD targets out."""

    def __init__(self, skeleton: Skeleton, network: nn.Module) -> None:
        """`network` maps the (1, 664) observation, not normalised, to the (1, 19) mean action."""
        super().__init__()
        self.kinematics = Kinematics(skeleton)
        self.keypoints = PlacedPoints(keypoint_points(skeleton))
        self.network = network

    def forward(
        self, qpos: Tensor, qvel: Tensor, qpos_ref: Tensor, qvel_ref: Tensor,
        origin_w: Tensor, dir_w: Tensor, score: Tensor,
    ) -> Tensor:  # fmt: skip
        """(1, 76), (1, 75), (1, 76), (1, 75), (1, 21, 3), (1, 21, 3), (1, 21) to (1, 69) PD targets, rad."""
        both = self.kinematics(torch.cat([qpos, qpos_ref]), torch.cat([qvel, qvel_ref]))
        body, reference = both[:1], both[1:]
        told = expert_observation(body, reference, qpos, qpos_ref, qvel_ref)
        seen = ray_observation(body, self.keypoints(body), origin_w, dir_w, score)
        action = self.network(torch.cat([told, seen], -1))
        return residual_target(on_all_hinges(action), qpos_ref[:, 7:], qvel_ref[:, 6:])


class EncoderModule(nn.Module):
    """One frame and the token before it in; the token after it and the motion at the next control step out."""

    def __init__(self, encoder: MotionEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(
        self, origin_w: Tensor, dir_w: Tensor, score: Tensor, landmarks_w: Tensor, token: Tensor
    ) -> tuple[Tensor, ...]:
        """(1, 3), (1, 21, 3), (1, 21), (1, 21, 3), (1, H) to (1, H) and the fields of `Motion`, in the world."""
        sight = Sight(origin_w, dir_w, score, landmarks_w)
        R_wv = view_rotation(sight)
        told, after = self.encoder(features(sight, R_wv)[None], token[None])
        motion = to_world(motion_of(told[0]), R_wv, origin_w)
        return after[0], *(getattr(motion, part.name) for part in fields(Motion))


def export_expert(network: nn.Module, skeleton: Skeleton, path: Path, provenance: dict[str, str]) -> None:
    """Write `network` as an ONNX file to `path`; `provenance` (source commit, training data, steps) goes along."""
    example = {"qpos": torch.zeros(1, NQ), "qvel": torch.zeros(1, NV)}
    example |= {f"{name}_ref": value.clone() for name, value in example.items()}
    example["qpos"][:, 3] = example["qpos_ref"][:, 3] = 1.0
    facts = metadata(skeleton, "tracking_expert", "proprioception(358) tracking(222)")
    _export(ExpertModule(skeleton, network), example, ["target"], path, facts | provenance)


def export_vision(network: nn.Module, skeleton: Skeleton, path: Path, provenance: dict[str, str]) -> None:
    """Write the vision policy's `network` as an ONNX file to `path`, with `provenance` as `export_expert` does."""
    example = {"qpos": torch.zeros(1, NQ), "qvel": torch.zeros(1, NV)}
    example |= {f"{name}_ref": value.clone() for name, value in example.items()}
    example["qpos"][:, 3] = example["qpos_ref"][:, 3] = 1.0
    rays = torch.ones(1, NUM_KEYPOINTS, 3)
    example |= {"origin_w": rays, "dir_w": rays / 3**0.5}
    example |= {"score": torch.ones(1, NUM_KEYPOINTS)}
    facts = metadata(skeleton, "vision_policy", "proprioception(358) tracking(222) rays(84)")
    _export(VisionModule(skeleton, network), example, ["target"], path, facts | provenance)


def export_encoder(encoder: MotionEncoder, skeleton: Skeleton, path: Path, provenance: dict[str, str]) -> None:
    """Write `encoder` as an ONNX file to `path`, with `provenance` as `export_expert` does."""
    row = torch.zeros(1, NUM_KEYPOINTS, 3)
    example = {
        "origin_w": row[:, 0], "dir_w": row + torch.tensor([1.0, 0.0, 0.0]), "score": torch.ones(1, NUM_KEYPOINTS),
        "landmarks_w": row, "token": encoder.start(1)[0],
    }  # fmt: skip
    outputs = ["token_after", *(part.name for part in fields(Motion))]
    facts = metadata(skeleton, "motion_encoder", "view-frame rays(63) landmarks(63) scores(21) camera height(1)")
    _export(EncoderModule(encoder), example, outputs, path, facts | provenance)


def exported_network(path: Path) -> tuple[dict[str, Tensor], int]:
    """State dict of the normaliser and network inside a policy file, and the iteration that it was exported at.

    The normaliser is told by its mean and by `DIVISOR`; with `NOISE`, where the file knows it. Training goes on from
    what is shipped where its checkpoints are gone. Raises `ModelFileError` for another file.
    """
    try:
        nodes, facts, values = _read(path)
        state = {name.removeprefix(_NETWORK): row for name, row in values.items() if name.startswith(_NETWORK)}
        # Export folds the normaliser's deviation into a nameless constant: what (observation - mean) is divided by.
        centred = next(node.output[0] for node in nodes if _NETWORK + _MEAN in node.input)
        divisions = (node.input for node in nodes if node.op_type == "Div")
        nameless = next(divisor for dividend, divisor in divisions if dividend == centred)
        if EXPLORATION in facts:
            state[NOISE] = torch.tensor(json.loads(facts[EXPLORATION])).log()
        return state | {DIVISOR: values[nameless]}, int(facts["iteration"])
    except (OSError, ValueError, KeyError, StopIteration, DecodeError) as error:
        raise ModelFileError(f"{path} holds no policy that `physhmr export` wrote: {error!r}") from error


def exported_encoder(path: Path) -> tuple[MotionEncoder, int]:
    """The encoder inside a file of `export_encoder`, and the iteration that it was exported at.

    Raises `ModelFileError` for another file.
    """
    try:
        nodes, facts, values = _read(path)
        inputs = [(node.op_type, list(node.input)) for node in nodes]
        (unit,) = (names for kind, names in inputs if kind == "GRU")
        # Export names biases, not the matrices that it turns over: embed, tell.0, tell.2, in this order.
        turned = [values[names[1]].T for kind, names in inputs if kind == "MatMul" and names[1] in values]
        state = {name.removeprefix("encoder."): row for name, row in values.items() if name.startswith("encoder.")}
        state |= dict(zip(("embed.0.weight", "tell.0.weight", "tell.2.weight"), turned, strict=True))
        entering, kept, biases = (_torch_gates(values[name][0]) for name in unit[1:4])
        state |= {"memory.weight_ih_l0": entering, "memory.weight_hh_l0": kept}
        state |= dict(zip(("memory.bias_ih_l0", "memory.bias_hh_l0"), biases.chunk(2), strict=True))
        encoder = MotionEncoder(kept.shape[1])
        encoder.load_state_dict(state)
        return encoder, int(facts["iteration"])
    except (OSError, ValueError, KeyError, RuntimeError, DecodeError) as error:
        raise ModelFileError(f"{path} holds no encoder that `physhmr export` wrote: {error!r}") from error


def _read(path: Path) -> tuple[list[onnx.NodeProto], dict[str, str], dict[str, Tensor]]:
    """What an exported file consists of: its nodes, the facts in its metadata, its weights by name."""
    model = onnx.load(str(path))
    facts = {prop.key: prop.value for prop in model.metadata_props}
    values = {row.name: torch.tensor(numpy_helper.to_array(row)) for row in model.graph.initializer}
    return list(model.graph.node), facts, values


def _torch_gates(rows: Tensor) -> Tensor:
    """Rows of a recurrent unit's gates: ONNX has update before reset, torch the other way round; biases come twice."""
    parts = rows.chunk(6 if rows.ndim == 1 else 3)
    order = (1, 0, 2, 4, 3, 5)[: len(parts)]
    return torch.cat([parts[index] for index in order])


def _export(
    module: nn.Module, example: dict[str, Tensor], outputs: list[str], path: Path, facts: dict[str, str]
) -> None:
    stream = io.BytesIO()
    torch.onnx.export(
        module.eval(), tuple(example.values()), stream, input_names=list(example), output_names=outputs,
        opset_version=OPSET, dynamo=False,
    )  # fmt: skip
    model = onnx.load_from_string(stream.getvalue())
    onnx.helper.set_model_props(model, facts)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
