"""Who says where the person is, and who drives the humanoid there: the two networks that a configuration asks for."""

from __future__ import annotations

from pathlib import Path

from physhmr.body.skeleton import Skeleton
from physhmr.config import ControlConfig
from physhmr.errors import ConfigError
from physhmr.inference.model_files import find_model
from physhmr.lifting.encoded_lifter import EncodedLifter
from physhmr.lifting.lifter import CausalLifter
from physhmr.lifting.protocol import Lifter
from physhmr.policy.runtime import Policy, TrackingPolicy, VisionPolicy
from physhmr.policy.token_encoder import TokenEncoder


def make_lifter(kind: str, skeleton: Skeleton) -> Lifter:
    """Return the `encoder` (learned) or the `solver` (inverse kinematics); raises as `find_model` does."""
    if kind == "solver":
        return CausalLifter(skeleton)
    return EncodedLifter(TokenEncoder(find_model("encoder"), skeleton), skeleton)


def make_follower(config: ControlConfig, skeleton: Skeleton, policy: Path | None = None) -> tuple[Lifter, Policy]:
    """Return who says where the person is and who drives the humanoid there.

    Raises as `find_model` does, and `ConfigError` for a combination that there is not.
    """
    if config.policy == "vision":
        if config.lifting != "encoder":
            raise ConfigError(
                "lifting", "must be encoder with policy vision; only two_stage can do without", config.lifting
            )
        return make_lifter("encoder", skeleton), VisionPolicy(policy or find_model("vision"), skeleton)
    return make_lifter(config.lifting, skeleton), TrackingPolicy(policy or find_model("expert"), skeleton)
