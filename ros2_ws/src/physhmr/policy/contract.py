"""What a policy file and the program that runs it must agree on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from physhmr.body.humanoid_mjcf import CONTROL_HZ, SUBSTEPS, humanoid_xml
from physhmr.body.skeleton import HINGE_NAMES, Skeleton
from physhmr.errors import ModelFileError

CONTRACT_VERSION = "1"
"""Raised whenever observation, action or metadata change their meaning."""


def skeleton_hash(skeleton: Skeleton) -> str:
    """SHA-256 of the body's MJCF: one bone, mass, gain or time step more and it is another body."""
    return hashlib.sha256(humanoid_xml(skeleton.shape).encode()).hexdigest()


def metadata(skeleton: Skeleton, kind: str, observation: str) -> dict[str, str]:
    """What a file says about itself, so that a runtime can compare it with its own humanoid."""
    return _agreed(skeleton, kind) | {
        "joint_names": json.dumps(HINGE_NAMES),
        "gains": json.dumps(skeleton.gains.tolist()),
        "observation": observation,
    }


def check_metadata(path: Path, found: Mapping[str, str], skeleton: Skeleton, kind: str) -> None:
    """Raise `ModelFileError` unless `path` is of this kind and was exported for this humanoid and contract."""
    for key, want in _agreed(skeleton, kind).items():
        got = found.get(key, "nothing")
        if got != want:
            raise ModelFileError(
                f"{path} was exported for {key} = {got[:16]}, this program has {want[:16]}; "
                "use the file that belongs to this version, or export it again with `physhmr export`"
            )


def _agreed(skeleton: Skeleton, kind: str) -> dict[str, str]:
    return {
        "physhmr_contract": CONTRACT_VERSION,
        "kind": kind,
        "control_hz": str(CONTROL_HZ),
        "substeps": str(SUBSTEPS),
        "skeleton_hash": skeleton_hash(skeleton),
    }
