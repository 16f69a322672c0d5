"""The tracking expert as one ONNX file: kinematics, observation, normaliser, network and PD targets inside.

The file says in its metadata what it was made for; `policy.runtime` refuses a file that does not fit.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from physhmr.body.humanoid_mjcf import CONTROL_HZ, SUBSTEPS
from physhmr.body.skeleton import HINGE_NAMES, Skeleton
from physhmr.policy.action import residual_target
from physhmr.policy.contract import CONTRACT_VERSION, skeleton_hash
from physhmr.policy.kinematics import Kinematics
from physhmr.policy.observation import expert_observation
from physhmr.types import NQ, NV

OPSET = 18


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
        return residual_target(self.network(observation), qpos_ref[:, 7:], qvel_ref[:, 6:])


def export_expert(network: nn.Module, skeleton: Skeleton, path: Path, provenance: dict[str, str]) -> None:
    """Write `network` as an ONNX file to `path`; `provenance` (source commit, training data, steps) goes along."""
    module = ExpertModule(skeleton, network).eval()
    example = (torch.zeros(1, NQ), torch.zeros(1, NV), torch.zeros(1, NQ), torch.zeros(1, NV))
    example[0][:, 3] = example[2][:, 3] = 1.0
    names = ["qpos", "qvel", "qpos_ref", "qvel_ref"]
    stream = io.BytesIO()
    torch.onnx.export(
        module, example, stream, input_names=names, output_names=["target"], opset_version=OPSET, dynamo=False
    )
    model = onnx.load_from_string(stream.getvalue())
    onnx.helper.set_model_props(model, expert_metadata(skeleton) | provenance)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))


def expert_metadata(skeleton: Skeleton) -> dict[str, str]:
    """What the runtime compares with its own humanoid before it trusts the file."""
    return {
        "physhmr_contract": CONTRACT_VERSION,
        "kind": "tracking_expert",
        "joint_names": json.dumps(HINGE_NAMES),
        "gains": json.dumps(skeleton.gains.tolist()),
        "observation": "proprioception(358) tracking(222)",
        "control_hz": str(CONTROL_HZ),
        "substeps": str(SUBSTEPS),
        "skeleton_hash": skeleton_hash(skeleton),
    }
