"""Who says where the person is, and who drives the humanoid there: the two networks that a configuration asks for."""

from __future__ import annotations

from pathlib import Path

from physhmr.body.skeleton import Skeleton
from physhmr.config import ControlConfig
from physhmr.errors import ConfigError
from physhmr.inference.model_files import find_model
from physhmr.lifting.encoded_lifter import EncodedLifter
from physhmr.lifting.grounded_lifter import GroundedLifter
from physhmr.lifting.lifter import CausalLifter
from physhmr.lifting.protocol import Lifter
from physhmr.policy.runtime import Policy, TrackingPolicy, VisionPolicy
from physhmr.policy.token_encoder import TokenEncoder


def make_lifter(kind: str, skeleton: Skeleton) -> GroundedLifter:
    """Return the `encoder` (learned) or the `solver` (inverse kinematics); raises as `find_model` does."""
    lifter: Lifter = CausalLifter(skeleton)
    if kind != "solver":
        lifter = EncodedLifter(TokenEncoder(find_model("encoder"), skeleton), skeleton)
    return GroundedLifter(lifter)


def make_driver(config: ControlConfig, skeleton: Skeleton, policy: Path | None = None) -> Policy:
    """Return the policy that is configured, from the file `policy` or the shipped one.

    Raises as `find_model` does, and `ConfigError` for a combination that there is not.
    """
    if config.policy != "vision":
        return TrackingPolicy(policy or find_model("expert"), skeleton)
    if config.lifting != "encoder":
        raise ConfigError(
            "lifting", "must be encoder with policy vision; only two_stage can do without", config.lifting
        )
    return VisionPolicy(policy or find_model("vision"), skeleton)


def make_follower(
    config: ControlConfig, skeleton: Skeleton, policy: Path | None = None
) -> tuple[GroundedLifter, Policy]:
    """Return who says where the person is and who drives the humanoid there; raises as `make_driver` does."""
    driver = make_driver(config, skeleton, policy)
    return make_lifter(config.lifting, skeleton), driver
